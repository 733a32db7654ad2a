"""The SavedModel's signatures, against a small fake detector."""

import numpy as np
import pytest
import tensorflow as tf
from fake_detection_model import FakeDetectionModel

from avatx.errors import UserError
from avatx.export import saved_model
from avatx.inference.detector import Detector

CLASS_NAMES = {1: "bend", 2: "stand", 4: "wätch (a person)"}


@pytest.fixture(scope="module")
def model():
    return FakeDetectionModel()


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("export") / "saved_model")
    saved_model.export(model, 16, 12.5, CLASS_NAMES, path, attention=True)
    return path


@pytest.fixture(scope="module")
def signatures(exported):
    # The loaded object is kept: its variables die with it.
    loaded = tf.saved_model.load(exported)
    yield loaded.signatures


def random_clips(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def in_memory(model, clips):
    return model.postprocess(model.predict(model.preprocess(clips)))


def assert_equals_in_memory(outputs, detections):
    np.testing.assert_allclose(outputs["detection_boxes"], detections.boxes, atol=1e-5)
    np.testing.assert_allclose(outputs["detection_scores"], detections.scores, atol=1e-5)
    np.testing.assert_array_equal(outputs["detection_classes"], detections.classes)
    np.testing.assert_array_equal(outputs["num_detections"], detections.num_detections)
    np.testing.assert_allclose(
        outputs["detection_multiclass_scores"], detections.multiclass_scores, atol=1e-5
    )


@pytest.mark.parametrize("shape", [(1, 16, 20, 30, 3), (3, 5, 9, 8, 3)])
def test_any_batch_length_and_frame_size(model, signatures, shape):
    clips = random_clips(*shape)
    outputs = signatures["serving_default"](clips=tf.constant(clips))
    assert {key: value.dtype for key, value in outputs.items()} == {
        "detection_boxes": tf.float32,
        "detection_scores": tf.float32,
        "detection_classes": tf.int32,
        "detection_multiclass_scores": tf.float32,
        "num_detections": tf.int32,
    }
    assert_equals_in_memory(outputs, in_memory(model, clips))


def test_jpeg_signature_equals_its_decoded_frames(model, signatures):
    sizes = [(24, 32), (20, 16)]  # each clip has its own
    encoded, expected = [], []
    for height, width in sizes:
        frames = random_clips(5, height, width, 3)
        jpegs = [tf.io.encode_jpeg(frame).numpy() for frame in frames]
        encoded.append(jpegs)
        decoded = np.stack([tf.io.decode_jpeg(jpeg).numpy() for jpeg in jpegs])
        expected.append(in_memory(model, decoded[np.newaxis]))
    outputs = signatures["serving_jpeg"](encoded_frames=tf.constant(encoded))
    for i, detections in enumerate(expected):
        one = {key: value[i : i + 1] for key, value in outputs.items()}
        assert_equals_in_memory(one, detections)


def test_attention_follows_its_detection(signatures):
    outputs = signatures["serving_attention"](clips=tf.constant(random_clips(2, 16, 8, 8, 3)))
    attention = outputs["detection_attention"].numpy()
    assert attention.shape == (2, 3, 2, 2, 4, 3, 3)  # [B, D, layers, heads, T', H', W']
    for detection, proposal in enumerate([2, 0, 1]):
        assert (attention[:, detection] == proposal).all()


@pytest.mark.parametrize("count", [0, 2])
def test_an_export_says_where_its_cells_look(exported, count):
    """In the clip as the model resized it, a copy for each clip: servers that batch want that."""
    clips = random_clips(count, 16, 20, 30, 3)
    signature = tf.saved_model.load(exported).signatures["serving_attention"]
    positions = signature(clips=tf.constant(clips))["attention_positions"].numpy()
    assert positions.shape == (count, 3, 3)
    found = Detector(exported).detect_with_attention(clips)
    assert len(found) == count
    for _, attention in found:
        assert [part.tolist() for part in attention.cells] == [[3, 2, 1], [4, 3, 2], [16, 8, 8]]


def test_metadata_names_the_classes_and_the_clip(signatures):
    metadata = {key: value.numpy() for key, value in signatures["metadata"]().items()}
    assert metadata["num_frames"] == 16 and metadata["frame_rate"] == 12.5
    names = [name.decode() for name in metadata["class_names"]]
    assert dict(zip(metadata["class_ids"].tolist(), names, strict=True)) == CLASS_NAMES


@pytest.mark.parametrize("name", ["st[1] x", "back\\slash", "a*b?"])
def test_an_export_in_a_folder_whose_name_looks_like_a_pattern_is_loaded(
    tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    saved_model.export(FakeDetectionModel(), 8, 12.5, {1: "bend", 2: "sit", 4: "run"}, f"{name}/1")
    for path in (f"{name}/1", str(tmp_path / name)):
        detector = Detector(path)
        assert detector.class_names == {1: "bend", 2: "sit", 4: "run"}
        (found,) = detector.detect(np.full([1, 8, 32, 48, 3], 255, np.uint8))
        assert len(found.scores) == 3


def test_a_server_that_is_not_there_is_one_line():
    """The port is nobody's."""
    with pytest.raises(UserError, match="^http://localhost:1/model: ") as raised:
        Detector("http://localhost:1/model")
    assert "\n" not in str(raised.value)


def test_attention_is_left_out_unless_asked_and_refused_where_there_is_none(tmp_path):
    model = FakeDetectionModel(with_attention=False)
    saved_model.export(model, 16, 12.5, CLASS_NAMES, str(tmp_path / "a"))
    assert "serving_attention" not in tf.saved_model.load(str(tmp_path / "a")).signatures
    with pytest.raises(UserError, match="no attention"):
        saved_model.export(model, 16, 12.5, CLASS_NAMES, str(tmp_path / "b"), attention=True)


def test_each_signature_is_traced_once(model, tmp_path, monkeypatch):
    """Saving would trace each a second time, which is most of what an export takes."""
    traced = []

    def predict(*given, real=model.predict, **options):
        traced.append(options)
        return real(*given, **options)

    monkeypatch.setattr(model, "predict", predict)
    saved_model.export(model, 16, 12.5, CLASS_NAMES, str(tmp_path / "e"), attention=True)
    assert len(traced) == 3  # of clips, of JPEG frames, with attention

"""From config and checkpoint to a SavedModel, with the real network made small."""

import importlib.util
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from fake_detection_model import FakeDetectionModel
from same_detections import same_detections

from avatx import config as pipeline_config
from avatx import playground, progress
from avatx.builders import model_builder
from avatx.data.annotations.label_map import LabelMap, read_label_map, write_label_map
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError
from avatx.export import exporter, onnx_model, saved_model
from avatx.inference.detector import Detector

REPOSITORY = Path(__file__).parents[2]
PLAYGROUND = REPOSITORY / "configs" / "playground" / "demo.config"
LABEL_MAP = LabelMap({2: "stand", 3: "walk", 5: "watch (a person)"}, {3: "MOVING"})
DETECTOR = "model.action_faster_rcnn."

FRESH_PROCESS = """
import json, sys
import numpy as np
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
outputs = loaded.signatures["serving_default"](clips=tf.constant(np.load(sys.argv[2])))
np.savez(sys.argv[3], **{key: value.numpy() for key, value in outputs.items()})
ours = ("avatx", "official", "tf_keras")
print(json.dumps([name for name in sys.modules if name.split(".")[0] in ours]))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with pipeline.config and a checkpoint of random weights that tell clips apart."""
    folder = tmp_path_factory.mktemp("trained")
    write_label_map(folder / "labels.pbtxt", LABEL_MAP)
    config = pipeline_config.load(
        str(PLAYGROUND),
        [
            f"train_input_reader.label_map_path={folder / 'labels.pbtxt'}",
            f"eval_input_reader.label_map_path={folder / 'labels.pbtxt'}",
            DETECTOR + "num_classes=5",
            DETECTOR + "image_resizer.fixed_shape_resizer.height=48",
            DETECTOR + "image_resizer.fixed_shape_resizer.width=64",
            DETECTOR + "trunk.i3d.depth_multiplier=0.125",
            DETECTOR + "trunk.i3d.final_endpoint=MaxPool3d_3a_3x3",
            DETECTOR + "second_stage_box_predictor.tx_box_predictor.num_layers=2",
            DETECTOR + "first_stage_max_proposals=8",
            # Of 576 anchors some always overlap by 0.7 and a rounding error more or less.
            DETECTOR + "first_stage_nms_iou_threshold=1.0",
            DETECTOR + "clip.frame_settings={ shorter_side: 96 max_frame_rate: 29.97 }",
        ],
    )
    pipeline_config.write(config, str(folder / "pipeline.config"))
    model = model_builder.build(config.model)
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        # Far from ties, which float error would decide one way or the other.
        variable.assign_add(generator.normal(0, 0.03, variable.shape))
    tf.train.Checkpoint(model=model, global_step=tf.Variable(7, dtype=tf.int64)).save(
        str(folder / "ckpt")
    )
    return folder, model


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    folder, _ = trained
    output = tmp_path_factory.mktemp("exported") / "export"
    code = run_tool(
        "--pipeline_config_path",
        folder / "pipeline.config",
        "--checkpoint",
        folder,
        "--output",
        output,
        "--attention",
        "--override",
        "train_config.batch_size=3",
    )
    assert code == 0
    return output


def save_nothing(model, num_frames, frame_rate, class_names, directory, **options):
    """Replaces the slow part of an export, where a test is about what surrounds it."""
    os.makedirs(directory, exist_ok=True)
    Path(directory, "saved_model.pb").write_text("model")


@pytest.fixture
def without_saving(monkeypatch):
    monkeypatch.setattr(saved_model, "export", save_nothing)


def run_tool(*arguments):
    path = REPOSITORY / "tools" / "exporter_main.py"
    spec = importlib.util.spec_from_file_location("exporter_main_tool", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    previous = signal.getsignal(signal.SIGTERM)
    try:
        return module.main([str(argument) for argument in arguments])
    finally:
        signal.signal(signal.SIGTERM, previous)


def export(folder, output, **options):
    return exporter.export_pipeline(
        str(folder / "pipeline.config"), str(folder), str(output), **options
    )


def random_clips(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


FIELDS = ("boxes", "scores", "classes", "multiclass_scores")


def assert_equals_in_memory(outputs, model, clips):
    detections = model.postprocess(model.predict(model.preprocess(tf.constant(clips))))
    assert (detections.num_detections.numpy() > 0).all()
    np.testing.assert_array_equal(outputs["num_detections"], detections.num_detections)
    for clip, count in enumerate(detections.num_detections.numpy()):
        scores = outputs["detection_scores"][clip, :count]
        np.testing.assert_allclose(scores, detections.scores[clip, :count], atol=1e-5)
        found, expected = (
            np.concatenate([np.reshape(part[clip, :count], [count, -1]) for part in parts], axis=1)
            for parts in (
                [outputs[f"detection_{name}"] for name in FIELDS],
                [getattr(detections, name) for name in FIELDS],
            )
        )
        # Two of one score, as rounding goes, may change places.
        differences = np.abs(found[:, np.newaxis] - expected).max(axis=-1)
        assert sorted(differences.argmin(axis=1)) == list(range(count))
        assert differences.min(axis=1).max() < 1e-5


def test_writes_model_config_and_label_map(trained, exported):
    assert sorted(os.listdir(exported)) == ["label_map.pbtxt", "pipeline.config", "saved_model"]
    assert os.listdir(exported.parent) == ["export"]
    assert read_label_map(exported / "label_map.pbtxt") == LABEL_MAP
    assert Detector(str(exported)).class_groups == {3: "MOVING"}
    # The config is the effective one.
    config = pipeline_config.load(str(exported / "pipeline.config"))
    assert config.train_config.batch_size == 3


def test_the_saved_model_says_how_frames_were_taken_as_far_as_the_config_does(exported):
    known = Detector(str(exported)).frame_settings
    assert known == {
        "shorter_side": 96,
        "folder_frame_rate": None,
        "max_frame_rate": 29.97,
        "optical_flow": None,
        "video_start_seconds": None,
    }


def test_an_empty_batch_gives_empty_outputs(exported):
    loaded = tf.saved_model.load(str(exported / "saved_model"))
    for name in ("serving_default", "serving_attention"):
        outputs = loaded.signatures[name](clips=tf.zeros([0, 16, 50, 70, 3], tf.uint8))
        assert {output.shape[0] for output in outputs.values()} == {0}


def test_a_fresh_process_with_only_tensorflow_equals_the_model(trained, exported, tmp_path):
    clips = random_clips(2, 16, 50, 70, 3)
    np.save(tmp_path / "clips.npy", clips)
    # -I: neither PYTHONPATH nor the working directory is searched.
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            FRESH_PROCESS,
            str(exported / "saved_model"),
            str(tmp_path / "clips.npy"),
            str(tmp_path / "outputs.npz"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={name: os.environ[name] for name in os.environ if name != "TF_USE_LEGACY_KERAS"}
        | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert_equals_in_memory(np.load(tmp_path / "outputs.npz"), trained[1], clips)


def test_signatures_take_any_shape_and_jpeg(trained, exported):
    _, model = trained
    loaded = tf.saved_model.load(str(exported / "saved_model"))
    for shape in [(1, 16, 48, 64, 3), (3, 8, 31, 40, 3)]:
        clips = random_clips(*shape)
        outputs = loaded.signatures["serving_default"](clips=tf.constant(clips))
        assert_equals_in_memory(outputs, model, clips)
    jpegs = [
        [tf.io.encode_jpeg(frame).numpy() for frame in clip]
        for clip in random_clips(2, 16, 40, 50, 3)
    ]
    decoded = np.stack([[tf.io.decode_jpeg(frame).numpy() for frame in clip] for clip in jpegs])
    outputs = loaded.signatures["serving_jpeg"](encoded_frames=tf.constant(jpegs))
    assert_equals_in_memory(outputs, model, decoded)


def test_attention_is_that_of_the_detections_proposal(trained, exported):
    _, model = trained
    loaded = tf.saved_model.load(str(exported / "saved_model"))
    clips = tf.constant(random_clips(1, 16, 48, 64, 3))
    outputs = loaded.signatures["serving_attention"](clips=clips)
    predictions = model.predict(model.preprocess(clips), attention=True)
    detections = model.postprocess(predictions)
    attention = outputs["detection_attention"].numpy()
    count = int(detections.num_detections[0])
    layers = predictions.box_predictions.attention
    assert attention.shape[2] == len(layers) == 2
    for detection in range(count):
        proposal = int(detections.proposal_index[0, detection])
        for layer in range(2):
            np.testing.assert_allclose(
                attention[0, detection, layer], layers[layer][0, proposal], atol=1e-5
            )
    sums = attention[0, :count].sum(axis=(-3, -2, -1))
    np.testing.assert_allclose(sums, 1, atol=1e-4)


def test_averaged_weights_are_exported_where_training_kept_them(trained, tmp_path, monkeypatch):
    import tf_keras
    from official.modeling import optimization

    folder, _ = trained
    config = pipeline_config.load(str(folder / "pipeline.config"))
    model = model_builder.build(config.model)
    optimizer = optimization.ExponentialMovingAverage(
        tf_keras.optimizers.legacy.SGD(0.1), average_decay=0.5
    )
    optimizer.shadow_copy(model)
    variables = model.trainable_variables
    for _ in range(3):
        optimizer.apply_gradients([(tf.ones_like(variable), variable) for variable in variables])
    (tmp_path / "trained").mkdir()
    tf.train.Checkpoint(model=model, optimizer=optimizer).save(str(tmp_path / "trained" / "ckpt"))

    written = []

    def keep(model, *_, **__):
        written.extend(variable.numpy() for variable in model.trainable_variables)

    monkeypatch.setattr(saved_model, "export", keep)
    exporter.export_pipeline(
        str(folder / "pipeline.config"), str(tmp_path / "trained"), str(tmp_path / "export")
    )
    assert len(written) == len(variables) > 10
    for variable, exported_value in zip(variables, written, strict=True):
        average = optimizer.get_slot(variable, "average").numpy()
        np.testing.assert_array_equal(exported_value, average)
        assert np.abs(average - variable.numpy()).max() > 0.01


def test_an_older_export_is_replaced_and_kept_on_failure(
    trained, tmp_path, without_saving, monkeypatch
):
    output = tmp_path / "export"
    export(trained[0], output)
    (output / "saved_model" / "saved_model.pb").write_text("older")

    def fail(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(exporter, "write_label_map", fail)
        with pytest.raises(KeyboardInterrupt):
            export(trained[0], output)
    assert (output / "saved_model" / "saved_model.pb").read_text() == "older"
    assert os.listdir(tmp_path) == ["export"]
    export(trained[0], output)
    assert (output / "saved_model" / "saved_model.pb").read_text() == "model"
    assert os.listdir(tmp_path) == ["export"]


def test_foreign_folders_and_files_are_left_alone(trained, tmp_path, without_saving):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.tex").touch()
    with pytest.raises(UserError, match="holds thesis.tex"):
        export(trained[0], tmp_path / "notes")
    with pytest.raises(UserError, match="holds"):
        export(trained[0], trained[0])  # a model directory
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        export(trained[0], tmp_path / "file")
    with pytest.raises(UserError, match="cannot be written"):
        export(trained[0], "/proc/export")
    (tmp_path / "empty").mkdir()
    export(trained[0], tmp_path / "empty")
    assert (tmp_path / "empty" / "saved_model").is_dir()


def test_mistakes_are_one_line_and_leave_nothing(trained, tmp_path, without_saving):
    folder, _ = trained
    output = tmp_path / "export"
    (tmp_path / "nothing").mkdir()
    for checkpoint, message in [
        (tmp_path / "absent", "^trained_checkpoint_dir.*absent"),
        (tmp_path / "nothing", "^trained_checkpoint_dir.*no whole checkpoint"),
    ]:
        with pytest.raises(UserError, match=message):
            exporter.export_pipeline(str(folder / "pipeline.config"), str(checkpoint), str(output))
        with pytest.raises(
            UserError, match=message.replace("^trained_checkpoint_dir", "^--checkpoint")
        ):
            run_tool(
                "--pipeline_config_path",
                folder / "pipeline.config",
                "--checkpoint",
                checkpoint,
                "--output",
                output,
            )
    for override, message in [
        ("model.action_faster_rcnn.proposal_source=GROUNDTRUTH", "cannot be exported"),
        (
            "model.action_faster_rcnn.num_classes=4",
            "largest class id is 5 and model num_classes is 4",
        ),
        (
            "model.action_faster_rcnn.first_stage_box_predictor_depth=16",
            "first_stage_box_predictor_depth is 128 there and 16 here; use the one that it",
        ),
        ("train_input_reader.label_map_path=/nowhere.pbtxt", "/nowhere.pbtxt"),
    ]:
        with pytest.raises(UserError, match=message) as raised:
            export(folder, output, overrides=[override])
        assert "\n" not in str(raised.value)
    assert os.listdir(tmp_path) == ["nothing"]


def filmed(tmp_path):
    """Clips [2, 16, H, W, 3] of films: of the playground, and of real people where they are."""
    playground.generate(str(tmp_path / "made"), "train", 1, 3, num_workers=1)
    films = [*(tmp_path / "made" / "videos").iterdir()]
    street = REPOSITORY.parent / "shared" / "data" / "pets09" / "pets09_s2l1.mp4"
    for film in [*films, *([street] if street.is_file() else [])]:
        with VideoReader(film) as reader:
            frames = [frame for _, frame in itertools.islice(reader.frames(0, 7.0), 32)]
        yield np.stack(frames).reshape(2, 16, *frames[0].shape)


@pytest.mark.timeout(900)  # the conversion alone is a minute or two on a busy machine
def test_onnx_equals_the_saved_model(trained, exported, tmp_path):
    onnx = pytest.importorskip("onnx", reason='needs pip install "avatx[onnx]"')
    pytest.importorskip("tf2onnx", reason='needs pip install "avatx[onnx]"')
    onnxruntime = pytest.importorskip("onnxruntime", reason='needs pip install "avatx[onnx]"')
    folder, _ = trained
    output = tmp_path / "onnx"
    summary = exporter.export_pipeline(
        str(folder / "pipeline.config"), str(folder), str(output), file_format="onnx"
    )
    assert (summary.step, summary.serves_jpeg) == (7, False)
    assert sorted(os.listdir(output)) == ["label_map.pbtxt", "model.onnx", "pipeline.config"]

    facts = {p.key: p.value for p in onnx.load(output / "model.onnx").metadata_props}
    # demo.config's clips.
    assert (facts["num_frames"], facts["frame_rate"]) == ("4", "4.0")
    assert json.loads(facts["class_names"]) == {"2": "stand", "3": "walk", "5": "watch (a person)"}
    assert json.loads(facts["class_groups"]) == {"3": "MOVING"}
    assert (facts["shorter_side"], facts["max_frame_rate"]) == ("96", "29.97")

    session = onnxruntime.InferenceSession(
        str(output / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
        ("clips", "tensor(uint8)", ["B", "T", "H", "W", 3])
    ]
    assert {output.shape[0] for output in session.get_outputs()} == {"B"}
    names = [output.name for output in session.get_outputs()]
    loaded = tf.saved_model.load(str(exported / "saved_model"))
    rng = np.random.default_rng(1)
    noise = [(2, 16, 60, 90, 3), (1, 16, 48, 64, 3), (3, 8, 100, 50, 3)]
    for clips in [*(rng.integers(0, 256, shape, np.uint8) for shape in noise), *filmed(tmp_path)]:
        expected = loaded.signatures["serving_default"](clips=tf.constant(clips))
        outputs = dict(zip(names, session.run(None, {"clips": clips}), strict=True))
        same_detections(outputs, {name: value.numpy() for name, value in expected.items()})

    with pytest.raises(UserError, match="an ONNX export, which is for ONNX Runtime"):
        Detector(str(output))
    # An older export of either format is replaced.
    exporter.check_output_directory(str(output))


def test_onnx_without_its_packages_or_with_what_it_has_not(trained, tmp_path, monkeypatch):
    folder, _ = trained
    arguments = (str(folder / "pipeline.config"), str(folder), str(tmp_path / "out"))
    with pytest.raises(UserError, match="^file_format 'tflite': expected saved_model or onnx"):
        exporter.export_pipeline(*arguments, file_format="tflite")
    with pytest.raises(UserError, match="^attention: an ONNX file has serving_default alone"):
        exporter.export_pipeline(*arguments, attention=True, file_format="onnx")
    with pytest.raises(UserError, match="^version: is for TensorFlow Serving"):
        exporter.export_pipeline(*arguments, file_format="onnx", version=1)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r'^onnx: the package \w+ is not .*"avatx\[onnx\]"'):
        exporter.export_pipeline(*arguments, file_format="onnx")
    assert not (tmp_path / "out").exists()


def test_onnx_of_what_it_has_not(tmp_path):
    pytest.importorskip("tf2onnx", reason='needs pip install "avatx[onnx]"')

    class Model(FakeDetectionModel):
        """Has an operation that tf2onnx leaves as it is, in a file that nothing loads."""

        def preprocess(self, clips):
            pixels = tf.cast(clips, tf.float32)
            return super().preprocess(tf.math.betainc(pixels + 1, pixels + 1, pixels / 255))

    with pytest.raises(UserError, match="^onnx: the model has an operation that cannot .*Betainc"):
        onnx_model.export(Model(), 8, 8.0, {1: "stand"}, str(tmp_path / "model.onnx"))
    # It resizes uint8, of which tf2onnx loses that the result is float.
    with pytest.raises(UserError, match="^onnx: the model has .*inconsistent type"):
        arguments = (FakeDetectionModel(), 8, 8.0, {1: "stand"})
        onnx_model.export(*arguments, str(tmp_path / "model.onnx"))
    assert not any(tmp_path.iterdir())


def test_versions_for_a_server(trained, tmp_path, monkeypatch):
    folder, _ = trained
    output = tmp_path / "served" / "avatx"
    arguments = (str(folder / "pipeline.config"), str(folder))
    with monkeypatch.context() as patch:
        patch.setattr(saved_model, "export", save_nothing)
        exporter.export_pipeline(*arguments, str(output), version=9)
    exporter.export_pipeline(*arguments, str(output), version=10)
    assert sorted(os.listdir(output)) == ["10", "9"]
    assert sorted(os.listdir(output / "9" / "assets.extra")) == [
        "label_map.pbtxt",
        "pipeline.config",
    ]
    assert (output / "9" / "saved_model.pb").read_text() == "model"  # as it was
    assert Detector(str(output)).path == str(output / "10")

    with pytest.raises(UserError, match="^version 0: expected a number, 1 or more"):
        exporter.export_pipeline(*arguments, str(output), version=0)
    with pytest.raises(UserError, match="^version 9223372036854775808: expected a number, 1 or mo"):
        exporter.export_pipeline(*arguments, str(output), version=2**63)
    with pytest.raises(UserError, match="holds checkpoint, which is no version's number"):
        exporter.export_pipeline(*arguments, str(folder), version=1)


def test_the_current_folder_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is the folder that you are in; give a new one below it"):
        exporter.check_output_directory(".")
    exporter.check_output_directory("below")


def test_a_model_that_takes_long_to_load_says_so(trained, tmp_path, monkeypatch, capfd):
    def load(*arguments, **options):
        time.sleep(0.5)
        raise UserError("far enough")

    monkeypatch.setattr(progress, "_FIRST", 0.05)
    monkeypatch.setattr(exporter.TrainedModel, "load", load)
    with pytest.raises(UserError, match="far enough"):
        exporter.export_pipeline(str(PLAYGROUND), str(trained[0]), str(tmp_path / "export"))
    assert "loading the model ...\n" in capfd.readouterr().err

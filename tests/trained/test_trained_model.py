"""One loader, and one name for a class wherever it is shown."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from avatx import config as pipeline_config
from avatx.builders import experiment_builder, model_builder
from avatx.checkpoints.reader import variables_by_path
from avatx.data.annotations.label_map import read_label_map
from avatx.errors import UserError
from avatx.export import exporter, saved_model
from avatx.trained.attention_model import AttentionModel
from avatx.trained.classifier import restore_classifier
from avatx.trained.trained_model import TrainedModel

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
HIGH_RES = str(CONFIGS / "ava/tx_highres_r300.config")
DETECTOR = "model.action_faster_rcnn."
# What a model was trained on, and fewer classes that are scored, as AVA's 60 of 80.
TRAINED = {1: "bend", 2: "crawl", 5: "run"}
SCORED = {1: "bend", 5: "run"}


def write_map(path, names):
    path.write_text("".join(f'item {{ name: "{name}" id: {i} }}\n' for i, name in names.items()))
    return str(path)


def small(maps, num_classes=5):
    """Overrides that make the paper's detector a small one."""
    return [
        DETECTOR + f"num_classes={num_classes}",
        DETECTOR + "clip.num_frames=8",
        DETECTOR + "image_resizer.fixed_shape_resizer.height=32",
        DETECTOR + "image_resizer.fixed_shape_resizer.width=48",
        DETECTOR + "trunk.i3d.final_endpoint=MaxPool3d_3a_3x3",
        DETECTOR + "trunk.i3d.depth_multiplier=0.0625",
        DETECTOR + "first_stage_max_proposals=4",
        # Scores of an untrained model above what is shown.
        DETECTOR + "second_stage_class_prediction_bias_init=0",
        f"train_input_reader.label_map_path={maps['train']}",
        f"eval_input_reader.label_map_path={maps['train']}",
        f"eval_config.label_map_path={maps['scored']}",
    ]


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    return {
        "train": write_map(folder / "trained.pbtxt", TRAINED),
        "scored": write_map(folder / "scored.pbtxt", SCORED),
    }


@pytest.fixture(scope="module")
def checkpoint(maps, tmp_path_factory):
    """A folder with a checkpoint of step 12, and the model that it is of."""
    folder = tmp_path_factory.mktemp("checkpoint")
    model = model_builder.build(pipeline_config.load(HIGH_RES, small(maps)).model)
    step = tf.Variable(12, dtype=tf.int64)
    tf.train.Checkpoint(model=model, global_step=step).save(str(folder / "ckpt"))
    return str(folder), model


def test_all_that_is_known_of_a_trained_model(maps, checkpoint):
    folder, model = checkpoint
    trained = TrainedModel.load(HIGH_RES, folder, small(maps))
    assert (trained.clip.num_frames, trained.clip.frame_rate, trained.clip.channels) == (8, 25, 3)
    assert not trained.clip.has_flow and trained.step == 12
    assert trained.class_names == TRAINED and trained.label_map.names == TRAINED
    assert not any(trained.frame_settings.values())  # of which this config says nothing
    assert trained.config.model.action_faster_rcnn.num_classes == 5  # the effective one
    assert (trained.model.num_classes, trained.model.image_size) == (5, (32, 48))
    assert trained.model.attends and not trained.model.needs_groundtruth
    expected = variables_by_path(model)
    for path, variable in variables_by_path(trained.model).items():
        np.testing.assert_array_equal(variable, expected[path], err_msg=path)


def test_how_frames_were_taken_is_what_the_config_says(maps, checkpoint):
    says = DETECTOR + "clip.frame_settings={ shorter_side: 256 max_frame_rate: 30 }"
    known = TrainedModel.load(HIGH_RES, checkpoint[0], [*small(maps), says]).frame_settings
    assert {name: value for name, value in known.items() if value is not None} == {
        "shorter_side": 256,
        "max_frame_rate": 30,
    }


def test_a_class_has_one_name_whoever_shows_it(maps, checkpoint, tmp_path, monkeypatch):
    folder, _ = checkpoint
    exported = []
    monkeypatch.setattr(saved_model, "export", lambda *arguments, **_: exported.append(arguments))
    monkeypatch.setattr(exporter.saved_model, "serves_jpeg", lambda model: True)
    exporter.export_pipeline(HIGH_RES, folder, str(tmp_path / "export"), small(maps))
    assert exported[0][1:4] == (8, 25, TRAINED)
    assert read_label_map(tmp_path / "export" / "label_map.pbtxt").names == TRAINED

    config = pipeline_config.load(HIGH_RES, small(maps))
    experiment = experiment_builder.build(config, str(tmp_path / "model"))
    assert experiment.class_names == TRAINED  # TensorBoard's pictures
    assert experiment.label_map.names == SCORED  # the metric

    attention = AttentionModel(HIGH_RES, folder, small(maps))
    person = attention.look(np.zeros([8, 32, 48, 3], np.uint8), box=[0.1, 0.2, 0.9, 0.8]).person
    assert {action.name for action in person.actions} == set(TRAINED.values())


def test_what_the_evaluation_alone_names_is_named_too(maps, checkpoint, tmp_path):
    other = write_map(tmp_path / "more.pbtxt", {4: "sit", 5: "dash"})
    overrides = [*small(maps), f"eval_config.label_map_path={other}"]
    trained = TrainedModel.load(HIGH_RES, checkpoint[0], overrides)
    assert trained.class_names == {**TRAINED, 4: "sit"}  # the training's name comes first


def test_whose_label_map_must_be_there(maps, checkpoint, tmp_path):
    away = [*small(maps), "train_input_reader.label_map_path=/nowhere.pbtxt"]
    with pytest.raises(UserError, match=r"^/nowhere\.pbtxt cannot be read"):
        TrainedModel.load(HIGH_RES, checkpoint[0], away)
    # A machine that only evaluates does without: it names what its own maps name.
    config = pipeline_config.load(HIGH_RES, away)
    experiment = experiment_builder.build(config, str(tmp_path / "model"))
    assert experiment.class_names == TRAINED and experiment.label_map.names == SCORED
    with pytest.raises(UserError, match="largest class id is 5 and model num_classes is 4"):
        TrainedModel.load(HIGH_RES, checkpoint[0], small(maps, num_classes=4))


@pytest.mark.parametrize(
    "change, words",
    [
        ("first_stage_box_predictor_depth=16", "proposal_stage.*that it was trained with$"),
        ("trunk.i3d.depth_multiplier=0.125", "missing or have another shape"),
    ],
)
def test_a_checkpoint_of_another_model_is_one_line(maps, checkpoint, change, words):
    with pytest.raises(UserError, match=words) as raised:
        TrainedModel.load(HIGH_RES, checkpoint[0], [*small(maps), DETECTOR + change])
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="^checkpoint = '/nowhere': no such checkpoint"):
        TrainedModel.load(HIGH_RES, "/nowhere", small(maps))


def test_what_a_caller_cannot_use_is_told_before_weights_are_read(maps, tmp_path):
    (tmp_path / "ckpt-1.index").touch()  # an index that nobody could read

    def check(model):
        raise UserError("not this one")

    with pytest.raises(UserError, match="^not this one$"):
        TrainedModel.load(HIGH_RES, str(tmp_path), small(maps), check=check)
    groundtruth = [*small(maps), DETECTOR + "proposal_source=GROUNDTRUTH"]
    with pytest.raises(UserError, match="cannot be exported; one with RPN or EXTERNAL can"):
        exporter.export_pipeline(HIGH_RES, str(tmp_path), str(tmp_path / "out"), groundtruth)
    with pytest.raises(UserError, match="describes a ActionFasterRCNN; expected a video_class"):
        restore_classifier(str(tmp_path), HIGH_RES, small(maps))


CLASSIFIER = "model.video_classifier."
NARROW = [
    CLASSIFIER + "num_classes=3",
    CLASSIFIER + "trunk.i3d.depth_multiplier=0.0625",
    CLASSIFIER + "image_resizer.fixed_shape_resizer.height=32",
    CLASSIFIER + "image_resizer.fixed_shape_resizer.width=40",
]


@pytest.fixture(scope="module")
def classifier_checkpoint(tmp_path_factory):
    """Of a classifier at the checkpoint's root, as import_i3d_weights.py writes it."""
    folder = tmp_path_factory.mktemp("classifier")
    path = str(CONFIGS / "kinetics/i3d_rgb.config")
    model = model_builder.build(pipeline_config.load(path, NARROW).model)
    parts = {name: getattr(model, name) for name in ("trunk", "tail", "logits")}
    return path, tf.train.Checkpoint(**parts).write(str(folder / "i3d")), model


def test_a_classifier_with_and_without_a_config(classifier_checkpoint):
    path, prefix, model = classifier_checkpoint
    clips = np.random.default_rng(0).integers(0, 256, [2, 8, 48, 64, 3], np.uint8)
    expected = model.predict(model.preprocess(clips))
    for classifier in (
        restore_classifier(prefix, path, NARROW),  # its label map is on another machine
        restore_classifier(prefix, None, NARROW),
    ):
        np.testing.assert_allclose(classifier.logits(clips), expected, atol=1e-5)
        assert classifier.frame_rate == 25 and classifier.trained.class_names == {}
        assert classifier.scores(clips).sum() == pytest.approx(2, abs=1e-5)


@pytest.mark.parametrize(
    "change, words",
    [
        ("num_classes=4", "set the model's num_classes to 3, the checkpoint's$"),
        ("trunk.i3d.depth_multiplier=0.125", "layers are 0.5 times as wide; .*depth_multiplier"),
    ],
)
def test_what_does_not_fit_a_classifier_says_what_would(classifier_checkpoint, change, words):
    path, prefix, _ = classifier_checkpoint
    with pytest.raises(UserError, match=words):
        restore_classifier(prefix, path, [*NARROW, CLASSIFIER + change])


def test_a_classifier_is_no_detector(classifier_checkpoint, tmp_path):
    path, prefix, _ = classifier_checkpoint
    names = write_map(tmp_path / "three.pbtxt", {1: "a", 2: "b", 3: "c"})
    overrides = [*NARROW, f"train_input_reader.label_map_path={names}"]
    with pytest.raises(UserError, match=r"i3d_rgb\.config: not a detector"):
        AttentionModel(path, prefix, overrides)
    with pytest.raises(UserError, match=r"i3d_rgb\.config: .*only a detector"):
        exporter.export_pipeline(path, prefix, str(tmp_path / "export"), overrides)
    assert not (tmp_path / "export").exists()
    assert isinstance(TrainedModel.load(path, prefix, overrides).model, tf_keras.Model)

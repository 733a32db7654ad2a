"""tools/visualize_attention.py on a small untrained model, as a user runs it."""

import dataclasses
import importlib.util
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from coded_video import read_code, write_coded_video
from PIL import Image
from small_records import keyframe as keyframe_at
from small_records import segment, write

from avatx import config
from avatx.builders import model_builder
from avatx.core.cell_view import evenly
from avatx.core.people import Attended, Person
from avatx.data.input import clip_source
from avatx.data.video import optical_flow
from avatx.data.video.clip_sampling import nearest_frames, wanted_times
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError
from avatx.pictures.attention_figure import AttentionFigure
from avatx.trained.attention_model import AttentionModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = [
    "model.action_faster_rcnn.clip.num_frames=8",
    "model.action_faster_rcnn.clip.frame_rate=8",
    "model.action_faster_rcnn.trunk.i3d.final_endpoint=Mixed_4f",
    "model.action_faster_rcnn.image_resizer.fixed_shape_resizer.height=48",
    "model.action_faster_rcnn.image_resizer.fixed_shape_resizer.width=64",
    "model.action_faster_rcnn.first_stage_max_proposals=8",
]
TRUNK = "model.action_faster_rcnn.trunk."
THIN = [TRUNK + "i3d.depth_multiplier=0.125"]


def small(folder, name, thin=THIN):
    """Config path, checkpoint folder and overrides of a small model of a shipped config."""
    path = str(ROOT / f"configs/playground/{name}.config")
    (folder / "map.pbtxt").write_text('item { name: "sit" id: 11 }\nitem { name: "walk" id: 14 }\n')
    overrides = [
        *SMALL,
        *thin,
        f"train_input_reader.label_map_path={folder}/map.pbtxt",
        f"eval_input_reader.label_map_path={folder}/map.pbtxt",
    ]
    model = model_builder.build(config.load(path, overrides).model)
    checkpoint = tf.train.Checkpoint(model=model, global_step=tf.Variable(7, dtype=tf.int64))
    checkpoint.save(str(folder / name / "ckpt"))
    return path, str(folder / name), overrides


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figure4")
    write_coded_video(str(folder / "film.mp4"), 10, 40)
    return folder


@pytest.fixture(scope="module")
def tx(folder):
    return small(folder, "demo")


@pytest.fixture(scope="module")
def main():
    path = ROOT / "tools" / "visualize_attention.py"
    specification = importlib.util.spec_from_file_location("visualize_attention", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.main


def arguments(folder, of_model, *flags):
    path, checkpoint, overrides = of_model
    return [
        "--pipeline_config_path",
        path,
        "--checkpoint",
        checkpoint,
        "--override",
        *overrides,
        "--video",
        str(folder / "film.mp4"),
        "--timestamp",
        "2",
        *flags,
    ]


def test_files_for_a_box(folder, tx, main, tmp_path, capsys):
    flags = ["--person", "0.2,0.1,0.6,0.9", "--output", str(tmp_path / "out")]
    assert main(arguments(folder, tx, *flags)) == 0
    assert capsys.readouterr().out.startswith("step 7: ")
    assert sorted(os.listdir(tmp_path / "out")) == [
        "attention.mp4",
        "attention.png",
        "figure4.png",
        "keys.mp4",
        "keys.png",
    ]
    width, height = Image.open(tmp_path / "out" / "figure4.png").size
    assert width > 8 * 240 and height > 2 * 72  # 6 units, the frame and the attention
    for name in ("attention.mp4", "keys.mp4"):
        with VideoReader(str(tmp_path / "out" / name)) as reader:
            assert len(list(reader.frames())) == 8
            assert reader.duration == pytest.approx(3, abs=0.2)


def test_frames_are_taken_as_the_config_says_unless_flags_do(
    folder, tx, main, tmp_path, monkeypatch, capsys
):
    taken = []
    original = clip_source.frames_of_video

    def frames_of_video(path, keyframe, offsets, settings):
        taken.append((settings, original(path, keyframe, offsets, settings).frames))
        raise UserError("that is all")

    monkeypatch.setattr(clip_source, "frames_of_video", frames_of_video)
    trained = "{ shorter_side: 24 max_frame_rate: 2 video_start_seconds: 900 }"
    more = ["--override", f"model.action_faster_rcnn.clip.frame_settings={trained}"]
    for flags in ([], more, [*more, "--shorter_side", "0", "--max_frame_rate", "2"]):
        with pytest.raises(UserError, match="that is all"):
            main(arguments(folder, tx, *flags, "--output", str(tmp_path / "out")))
    assert [settings for settings, _ in taken] == [
        FrameSettings(),
        FrameSettings(shorter_side=24, max_frame_rate=2),
        FrameSettings(shorter_side=0, max_frame_rate=2),
    ]
    assert [frames.shape[1] for _, frames in taken] == [48, 24, 48]
    assert len({read_code(frame) for frame in taken[0][1]}) == 8
    assert {read_code(frame) for frame in taken[1][1]} == {15, 20, 25}  # two a second
    assert capsys.readouterr().err.splitlines()[-1] == (
        "--shorter_side 0: the model was trained on frames of 24 pixels"
    )


def test_attention_sums_to_one_and_a_found_person_is_as_its_box(folder, tx):
    path, checkpoint, overrides = tx
    model = AttentionModel(path, checkpoint, overrides)
    offsets = wanted_times(0, model.trained.clip.num_frames, model.trained.clip.frame_rate)
    clip = clip_source.frames_of_video(str(folder / "film.mp4"), 2_000_000, offsets).frames
    assert clip.shape[0] == 8
    found = model.look(clip, number=1)
    assert found.attention.shape[:2] == (3, 2) and found.keys.shape[:-1] == found.attention.shape
    assert found.keys.shape[-1] == 128
    # I3D's cells look at frame 4 i + 3 and pixel 16 i + 15 of 48 rows and 64 columns.
    assert [part.tolist() for part in found.cells] == [[3, 15, 15], [4, 16, 16], [8, 48, 64]]
    np.testing.assert_allclose(found.attention.sum(axis=(2, 3, 4)), 1, atol=1e-5)
    # The query of a found person is that of the proposal which it was refined from.
    predictions = model._model.predict(model._model.preprocess(clip[np.newaxis]), attention=True)
    proposal = int(model._model.postprocess(predictions).proposal_index[0, 0])
    for maps, expected in zip(found.attention, predictions.box_predictions.attention, strict=True):
        np.testing.assert_allclose(maps, expected[0, proposal], atol=1e-6)
    given = model.look(clip, box=[0.1, 0.2, 0.9, 0.6])
    np.testing.assert_array_equal(given.keys, found.keys)  # of the clip, whoever asks
    assert np.abs(given.attention - found.attention).max() > 0
    assert all(action.name in ("sit", "walk") for action in given.person.actions)


@pytest.mark.parametrize(
    "flags, named",
    [
        (["--person", "99"], "--person 99: .* in this clip; expected 1 to"),
        (["--person", "0"], "--person 0: expected a number, 1 or more, or a box"),
        (
            ["--person", "0.5,0.1,0.2,0.9"],
            "--person 0.5,0.1,0.2,0.9: expected a number, 1 or more, or",
        ),
        (["--person", "he"], "--person he: expected"),
        (["--person", "inf"], "--person inf: expected a number"),
        (["--timestamp", "1e15"], "--timestamp 1e\\+15: expected seconds"),
        (["--timestamp", "-1"], "no frame at -1 seconds: .* is at -1; .* at --video_start_seconds"),
        (["--video_start_seconds", "1e15"], "--video_start_seconds 1e\\+15: expected seconds"),
        (["--shorter_side", "-5"], "--shorter_side -5: expected pixels"),
        (["--frames_rate", "0"], "--folder_frame_rate 0: expected frames a second"),
        (["--max_frame_rate", "-1"], "--max_frame_rate -1: expected 0"),
        (["--timestamp", "9"], "no frame at 9 seconds: it holds 4 seconds"),
        (["--video", "/nowhere.mp4"], "/nowhere.mp4"),
        (["--checkpoint", "/nowhere"], "--checkpoint = '/nowhere'"),
        (["--pipeline_config_path", "/nowhere"], "/nowhere"),
    ],
)
def test_mistakes_are_one_line(folder, tx, main, tmp_path, flags, named):
    with pytest.raises(UserError, match=named):
        main(arguments(folder, tx, *flags, "--output", str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_a_head_that_does_not_attend_says_so(folder):
    with pytest.raises(UserError, match="its box predictor does not attend"):
        path = str(ROOT / "configs/playground/i3d_r64.config")
        AttentionModel(*_without_weights(path, folder))


def test_tx_and_i3d_together_and_groundtruth_boxes(folder, main, tmp_path):
    model = AttentionModel(*small(folder, "tx_i3d_r300"))
    clip = np.zeros([8, 48, 64, 3], np.uint8)
    attended = model.look(clip, box=[0.1, 0.2, 0.9, 0.6])
    assert attended.attention.ndim == 5 and attended.keys.ndim == 6
    model = AttentionModel(*small(folder, "tx_highres_gt"))
    with pytest.raises(UserError, match="proposal_source GROUNDTRUTH and finds nobody"):
        model.look(clip)
    attended = model.look(clip, box=[0.1, 0.2, 0.9, 0.6])
    np.testing.assert_allclose(attended.attention.sum(axis=(2, 3, 4)), 1, atol=1e-5)


def _without_weights(path, folder):
    (folder / "none").mkdir(exist_ok=True)
    (folder / "none" / "ckpt-1.index").write_text("")
    (folder / "map.pbtxt").write_text('item { name: "sit" id: 11 }\n')
    return (
        path,
        str(folder / "none" / "ckpt-1"),
        [
            *SMALL,
            *THIN,
            f"train_input_reader.label_map_path={folder}/map.pbtxt",
            f"eval_input_reader.label_map_path={folder}/map.pbtxt",
        ],
    )


def test_frames_from_records(tmp_path):
    path = write(
        tmp_path / "r.tfrecord",
        [
            segment("v", [keyframe_at(1_000_000), keyframe_at(2_000_000)]),
            segment("w", [keyframe_at(0)]),
        ],
    )
    source = clip_source.RecordClips([path])
    offsets = np.array([-80_000, 0, 80_000])
    source.prepare([("v", 2_000_000), ("w", 0)], offsets)
    clip = source.clip("v", 2_000_000, offsets)  # frame i is grey of level 2 i, 25 a second
    np.testing.assert_allclose(clip.frames.mean(axis=(1, 2, 3)), [96, 100, 104], atol=1)
    border = source.clip("w", 0, offsets)
    assert border.frames[0].mean() < 1 and border.offsets.tolist() == [0, 0, 80_000]
    with pytest.raises(UserError, match="no record holds keyframe v, 1"):
        source.clip("v", 1_000_000, offsets)
    for wanted, said in (
        (("v", 2_400_000), "r.tfrecord: no record holds keyframe v, 2.4; the nearest .* is at 2$"),
        (("u", 0), "r.tfrecord: no record is of the video 'u'; they hold 'v', 'w'$"),
    ):
        with pytest.raises(UserError, match=said):
            source.prepare([("w", 0), wanted], offsets)
    with pytest.raises(UserError, match="none: no file matches this `records` pattern"):
        clip_source.RecordClips([str(tmp_path / "none")])


def test_the_flow_of_a_video_is_that_of_its_records(folder, tmp_path):
    film, keyframe = str(folder / "film.mp4"), 2_000_000
    offsets = wanted_times(0, 8, 8.0)
    flow = FrameSettings(optical_flow="dis")
    clip = clip_source.frames_of_video(film, keyframe, offsets, flow).frames
    with VideoReader(film) as reader:
        times, frames = zip(*optical_flow.with_flow(reader.frames(), "dis"), strict=True)
    wanted = nearest_frames(np.rint(np.array(times) * 1e6).astype(np.int64), keyframe + offsets)
    np.testing.assert_array_equal(clip, np.stack([frames[i] for i in wanted]))  # the last, too
    thin = clip_source.frames_of_video(film, keyframe, offsets, FrameSettings(max_frame_rate=2))
    assert [read_code(frame) for frame in thin.frames[::4]] == [15, 20]
    assert thin.seconds[::2].tolist() == [-0.5, -0.5, 0, 0]  # a tie goes to the earlier frame

    flow = [optical_flow.encode(np.full([48, 64, 2], [i, 255 - i], np.uint8)) for i in range(100)]
    plain = segment("v", [keyframe_at(keyframe)])
    path = write(tmp_path / "r.tfrecord", [dataclasses.replace(plain, flow=flow)])
    source = clip_source.RecordClips([path], has_flow=True)
    source.prepare([("v", keyframe)], np.array([0, 40_000]))
    given = source.clip("v", keyframe, np.array([0, 40_000])).frames  # 25 frames a second
    expected = [[100, 100, 100, 50, 205], [102, 102, 102, 51, 204]]
    np.testing.assert_allclose(given.mean(axis=(1, 2)), expected, atol=1)
    path = write(tmp_path / "plain.tfrecord", [plain])
    with pytest.raises(UserError, match="plain.tfrecord: record v@.* holds no optical flow"):
        clip_source.RecordClips([path], True).prepare([("v", keyframe)], offsets)


def test_a_model_with_a_flow_stream(folder, main, tmp_path):
    thin = [TRUNK + f"two_stream.{name}.i3d.depth_multiplier=0.125" for name in ("rgb", "flow")]
    two_stream = small(folder, "tx_highres_two_stream", thin)
    flags = ["--person", "0.2,0.1,0.6,0.9", "--output", str(tmp_path / "out")]
    assert main(arguments(folder, two_stream, *flags)) == 0
    assert len(os.listdir(tmp_path / "out")) == 5
    assert np.asarray(Image.open(tmp_path / "out" / "figure4.png")).shape[-1] == 3


def test_each_map_is_drawn_where_it_belongs():
    # Two layers of two heads; 4 moments of 2 x 3 cells: one cell holds all of a head's attention.
    attention = np.zeros([2, 2, 4, 2, 3], np.float32)
    attention[0, :, 3, 0, 0] = 1  # another layer, never drawn
    attention[1, 0, 1, 0, 2] = attention[1, 1, 2, 1, 0] = 1
    person = Person(np.array([0.4, 0.4, 0.6, 0.6]), ())
    keys = np.random.default_rng(0).normal(size=[2, 2, 4, 2, 3, 5])
    offsets = np.maximum(wanted_times(0, 8, 8.0), -250_000)  # the video begins there
    clip = clip_source.Clip(np.full([8, 240, 360, 3], 90, np.uint8), offsets)
    cells = evenly((4, 2, 3), 8)
    figure = AttentionFigure(clip, Attended(person, attention, keys, cells), 8.0, "v, 2 s")
    brightest = {}
    for frame in range(8):
        for tile in figure._attention_tiles(frame):
            bright = tile.image.astype(int).sum(-1)
            bright[80:160, 130:230] = 0  # the person's box
            if bright.max() > 450:
                row, column = np.unravel_index(bright.argmax(), bright.shape)
                place = frame, int(row // 120), int(column // 120)
                brightest.setdefault(tile.caption, []).append(place)
    assert brightest == {
        "attention, mean of heads": [(2, 0, 2), (3, 0, 2), (4, 1, 0), (5, 1, 0)],
        "attention, head 1": [(2, 0, 2), (3, 0, 2)],
        "attention, head 2": [(4, 1, 0), (5, 1, 0)],
    }
    assert [figure._person_tile(frame).caption for frame in (0, 3, 4, 7)] == [
        f"{seconds} s from the keyframe" for seconds in ("-0.25", "-0.12", "+0.00", "+0.38")
    ]


def test_every_picture_is_counted(tmp_path):
    clip = clip_source.Clip(np.full([4, 24, 36, 3], 90, np.uint8), wanted_times(0, 4, 8.0))
    attended = Attended(
        Person(np.array([0.4, 0.4, 0.6, 0.6]), ()),
        np.full([1, 1, 2, 2, 3], 1 / 12, np.float32),
        np.random.default_rng(0).normal(size=[1, 1, 2, 2, 3, 5]),
        evenly((2, 2, 3), 4),
    )
    told = []
    figure = AttentionFigure(clip, attended, 8.0, "v, 2 s")
    figure.write(str(tmp_path / "out"), lambda *done: told.append(done))
    assert told == [(done, 3 + 2 * 4) for done in range(1, 12)]  # sheets, and two videos' frames

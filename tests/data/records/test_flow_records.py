"""Flow from videos to records to clips of five channels; without it nothing changes."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from small_records import HEIGHT, WIDTH, keyframe, options, segment, write

from avatx.data.annotations.label_map import LabelMap
from avatx.data.input import augmentation
from avatx.data.input.augmentation import RandomColor, RandomHorizontalFlip, identity_view
from avatx.data.input.clip_decoding import decode_clip
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.records import record, record_plan
from avatx.data.records.ava_records import create_ava_records
from avatx.data.records.record_plan import RecordSettings
from avatx.data.video import optical_flow
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError

LABEL_MAP = 'item { name: "stand" id: 1 }\n'
RGB = ClipShape(num_frames=4, frame_rate=25.0, height=24, width=32)
BOTH = dataclasses.replace(RGB, channels=5)


def levels(frame):
    """The made-up flow of the frame of this number, smooth and unlike in x and y."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.uint8(np.stack([40 + columns + frame, 200 - rows - frame], axis=-1))


def flow_segment(name="v", num_frames=20, **arguments):
    return dataclasses.replace(
        segment(name, [keyframe(400_000)], num_frames=num_frames, **arguments),
        flow=[optical_flow.encode(levels(frame)) for frame in range(num_frames)],
    )


def first_clip(path, clip_shape, augmentations=(), training=False):
    dataset = build_dataset(
        KeyframeSource(options(path), clip_shape), 1, training=training, augmentations=augmentations
    )
    return next(iter(dataset)).clips[0].numpy()


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A video of a textured square that moves 2 pixels a frame to the right, and records of it."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "videos").mkdir()
    texture = np.random.default_rng(1).integers(0, 256, [10, 10, 3])
    texture = np.uint8(np.kron(texture, np.ones([4, 4, 1])))
    with VideoWriter(str(folder / "videos" / "walk.mp4"), 25, 96, 160) as writer:
        for index in range(40):
            frame = np.full([96, 160, 3], 60, np.uint8)
            frame[30:70, 10 + 2 * index : 50 + 2 * index] = texture
            writer.write(frame)
    (folder / "rows.csv").write_text("walk,0000.8,0.1,0.2,0.5,0.9,1,0\n")
    (folder / "labels.pbtxt").write_text(LABEL_MAP)
    for name, method in (("plain", ""), ("dis", "dis"), ("farneback", "farneback")):
        create_ava_records(
            videos=[str(folder / "videos")],
            annotations=str(folder / "rows.csv"),
            label_map=str(folder / "labels.pbtxt"),
            output=str(folder / name / "set"),
            num_shards=1,
            settings=RecordSettings(FrameSettings(optical_flow=method), margin_seconds=1.0),
            log=lambda line: None,
        )
    return folder


def shard(library, name):
    return str(library / name / "set-00000-of-00001.tfrecord")


def stored(library, name):
    (serialized,) = tf.data.TFRecordDataset(shard(library, name)).as_numpy_iterator()
    return serialized, record.decode(serialized)


# Records.


@pytest.mark.parametrize("method", optical_flow.METHODS)
def test_a_record_holds_the_flow_of_the_video(library, method):
    _, found = stored(library, method)
    assert len(found.flow) == len(found.frames) == 40
    assert found.provenance["optical_flow"]["method"] == method
    with VideoReader(str(library / "videos" / "walk.mp4")) as reader:
        expected = [both[..., 3:] for _, both in optical_flow.with_flow(reader.frames(), method)]
    for one, flow in zip(found.flow, expected, strict=True):
        assert np.abs(optical_flow.decode(one).astype(int) - flow).mean() < 0.5
    square = optical_flow.to_pixels(optical_flow.decode(found.flow[10]))[40:60, 40:60]
    np.testing.assert_allclose(np.median(square, axis=(0, 1)), [2, 0], atol=0.2)


def test_a_record_without_flow_is_what_it_was(library):
    serialized, plain = stored(library, "plain")
    assert b"FLOW" not in serialized and b"optical_flow" not in serialized
    assert plain.flow is None
    _, flowing = stored(library, "dis")
    del flowing.provenance["optical_flow"]
    assert record.encode(dataclasses.replace(flowing, flow=None)) == serialized


def test_shards_made_before_there_was_flow_are_not_made_again():
    labels = LabelMap({1: "stand"})
    without = record_plan.fingerprint([], RecordSettings(), labels)
    flowing = RecordSettings(FrameSettings(optical_flow="dis"))
    assert without != record_plan.fingerprint([], flowing, labels)
    known = {
        "shorter_side": 400,
        "jpeg_quality": 90,
        "seconds_per_record": 10.0,
        "margin_seconds": 2.0,
        "max_frame_rate": 0.0,
        "frames_rate": 30.0,
        "video_start_seconds": 0.0,
    }
    text = record_plan.json.dumps([record_plan.FORMAT, [], known, [[1, "stand"]]], sort_keys=True)
    assert without == record_plan.hashlib.sha256(text.encode()).hexdigest()


def test_unknown_method_and_uneven_flow_are_refused():
    with pytest.raises(UserError, match="optical_flow tvl1: expected dis or farneback"):
        RecordSettings(FrameSettings(optical_flow="tvl1"))
    with pytest.raises(ValueError, match="20 frames but the flow of 3"):
        record.encode(dataclasses.replace(flow_segment(), flow=[b"", b"", b""]))


# Clips.


def test_clip_has_rgb_and_the_flow_of_its_frames(tmp_path):
    path = write(tmp_path / "a.tfrecord", [flow_segment()])
    clip = first_clip(path, BOTH)
    assert clip.shape == (4, 24, 32, 5)
    np.testing.assert_array_equal(clip[..., :3], first_clip(path, RGB))
    for frame, shown in enumerate(clip, start=8):  # the keyframe, 10, is the third of four
        expected = tf.image.resize(tf.cast(levels(frame), tf.float32), [24, 32]).numpy()
        assert np.abs(shown[..., 3:] - expected).max() < 4


def test_rgb_clips_do_not_depend_on_flow(library):
    for training in (False, True):
        shape = ClipShape(4, 25.0, 48, 80)
        plain, flowing = (
            first_clip(
                shard(library, name),
                shape,
                [default(RandomHorizontalFlip), default(RandomColor)],
                training,
            )
            for name in ("plain", "dis")
        )
        np.testing.assert_array_equal(plain, flowing)


def test_repeated_frames_repeat_their_flow(tmp_path):
    path = write(tmp_path / "a.tfrecord", [flow_segment(num_frames=11)])
    clip = first_clip(path, dataclasses.replace(BOTH, num_frames=8))
    for frame in (5, 6, 7):  # 10 is the last, and the fifth of eight
        np.testing.assert_array_equal(clip[frame], clip[4])


def view_of(*augmentations):
    return augmentation.augment(augmentations, tf.zeros([0, 4]), tf.constant([3, 4], tf.int64))


def decoded(view, pixels=None, size=(HEIGHT, WIDTH), clip_shape=None):
    one = flow_segment(num_frames=1)
    return decode_clip(
        tf.constant(one.frames),
        tf.constant([0]),
        clip_shape or ClipShape(1, 1.0, *size, 5),
        view,
        pixels,
        tf.constant(one.flow),
    )[0].numpy()


def test_flip_mirrors_both_and_turns_x():
    straight, flipped = (
        decoded(identity_view()),
        decoded(view_of(RandomHorizontalFlip(1.0))),
    )
    np.testing.assert_array_equal(flipped[..., :3], straight[:, ::-1, :3])
    np.testing.assert_array_equal(flipped[..., 3], 255 - straight[:, ::-1, 3])
    np.testing.assert_array_equal(flipped[..., 4], straight[:, ::-1, 4])


def test_flow_of_a_mirrored_picture_is_the_mirrored_flow():
    """What a flip makes of the flow is what the mirrored video would have had."""
    noise = np.random.default_rng(2).integers(0, 256, [30, 40, 3])
    picture = np.uint8(np.kron(noise, np.ones([3, 3, 1])))
    before, after = picture[:, :100], np.roll(picture, 3, axis=1)[:, :100]
    flows = []
    for frames in ((before, after), (before[:, ::-1], after[:, ::-1])):
        forward = optical_flow.ForwardFlow("farneback")
        forward.add(frames[0])
        flows.append(optical_flow.to_pixels(forward.add(frames[1]))[10:-10, 10:-10])
    mirrored = flows[0][:, ::-1] * [-1, 1]
    assert np.abs(flows[1] - mirrored).mean() < 0.1
    assert np.median(flows[1][..., 0]) == pytest.approx(-3, abs=0.2)


def test_crop_is_the_same_for_rgb_and_flow_and_keeps_magnitudes():
    pixels = tf.constant([12, 8, 24, 40])
    cropped = decoded(identity_view(), pixels, size=(24, 40))
    whole = decoded(identity_view())
    assert np.abs(cropped.astype(int) - whole[12:36, 8:48]).max() <= 2  # JPEG decoders differ
    np.testing.assert_array_equal(cropped[..., 3:], whole[12:36, 8:48, 3:])
    enlarged = decoded(identity_view(), pixels, size=(48, 80))
    middle = enlarged[20:28, 36:44, 3:].mean(axis=(0, 1))
    np.testing.assert_allclose(middle, cropped[10:14, 18:22, 3:].mean(axis=(0, 1)), atol=1.0)


def test_colours_leave_the_flow_alone():
    plain, coloured = (
        decoded(identity_view()),
        decoded(view_of(RandomColor(0.5, 0.5, 0.5))),
    )
    assert not np.array_equal(plain[..., :3], coloured[..., :3])
    np.testing.assert_array_equal(plain[..., 3:], coloured[..., 3:])


def test_records_without_flow_are_named_with_the_remedy(tmp_path):
    path = write(tmp_path / "old.tfrecord", [segment("v", [keyframe(400_000)], num_frames=20)])
    with pytest.raises(UserError) as error:
        build_dataset(KeyframeSource(options(path), BOTH), 1, training=False)
    text = str(error.value)
    assert text.startswith(f"{path}: record v@") and "\n" not in text
    assert "20 frames and the optical flow of 0" in text
    assert "tools/create_ava_tfrecord.py --optical_flow dis" in text

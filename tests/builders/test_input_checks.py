"""Files that an evaluation reads are looked at before the training that it comes after."""

import pathlib

import pytest
from small_records import keyframe, segment, write

from avatx import config
from avatx.builders import input_checks
from avatx.data.records import repeated_keyframes
from avatx.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
ROW = "v,0001,0.1,0.1,0.5,0.5,12,0\n"
HEADER = "video_id,timestamp,x1,y1,x2,y2,class,person\n"


def of(tmp_path, **eval_config):
    (tmp_path / "map.pbtxt").write_text('item { name: "stand" id: 12 }')
    for name in ("train", "val"):
        (tmp_path / f"{name}.tfrecord").write_bytes(b"")
    overrides = [f"eval_config.{name}={path}" for name, path in eval_config.items()]
    for part in ("train", "eval"):
        name = {"train": "train", "eval": "val"}[part]
        overrides += [
            f"{part}_input_reader.label_map_path={tmp_path}/map.pbtxt",
            f"{part}_input_reader.tf_record_input_reader.input_path={tmp_path}/{name}.tfrecord",
        ]
    return config.load(str(ROOT / "configs/playground/demo.config"), overrides)


@pytest.mark.parametrize(
    "field, good, bad, told",
    [
        ("groundtruth_path", ROW, HEADER + ROW, "line 1"),
        ("groundtruth_path", ROW, ROW + "v,2,0.1\n", "line 2"),
        ("excluded_timestamps_path", "v,0001\n", ROW, "line 1"),
    ],
)
def test_a_slip_in_a_csv_is_told_before_the_training(tmp_path, field, good, bad, told):
    path = tmp_path / "a.csv"
    loaded = of(tmp_path, **{field: path})
    path.write_text(good)
    input_checks.check(loaded, training=True, evaluating=True)
    path.write_text(bad)
    with pytest.raises(UserError, match=f"^eval_config.{field}: {path}, {told}"):
        input_checks.check(loaded, training=True, evaluating=True)
    input_checks.check(loaded, training=True, evaluating=False)  # which does not read it


def test_keyframes_that_an_evaluation_has_twice_are_told_before_the_training(tmp_path):
    loaded = of(tmp_path)
    write(tmp_path / "val.tfrecord", [segment("v", [keyframe(0), keyframe(1_000_000)])])
    input_checks.check(loaded, training=True, evaluating=True)
    write(
        tmp_path / "val.tfrecord",
        [segment("v", [keyframe(0)]), segment("w", [keyframe(0)]), segment("v", [keyframe(0)])],
    )
    with pytest.raises(UserError, match="^keyframe v,0000 is there twice .*eval_input_reader's"):
        input_checks.check(loaded, training=True, evaluating=True)
    # Training may have them twice; an evaluation alone tells it at once.
    input_checks.check(loaded, training=True, evaluating=False)
    input_checks.check(loaded, training=False, evaluating=True)


def test_what_would_take_long_is_not_looked_at_and_what_is_damaged_is_told_later(tmp_path):
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(0)])] * 2)
    with pytest.raises(UserError, match="there twice"):
        repeated_keyframes.check([path])
    repeated_keyframes.check([path], scanned_bytes=10)
    (tmp_path / "a.tfrecord").write_bytes(b"damaged")
    repeated_keyframes.check([path])
    repeated_keyframes.check([str(tmp_path / "absent")])

"""Numbers that make memory are bounded before memory is taken, and the estimate is stated."""

import pytest

from avatx import config
from avatx.config import memory
from avatx.errors import UserError


@pytest.mark.parametrize(
    "override, words",
    [
        ("model.action_faster_rcnn.clip.frame_rate=1e-38", "frame_rate is 1e-38: expected in"),
        ("train_config.batch_size=4000000000", r"batch_size is 4e\+09: expected in \[1, 100000\]"),
        ("eval_config.batch_size=4000000000", r"batch_size is 4e\+09: expected in \[1, 100000\]"),
        ("train_config.batch_size=40000", "a batch of 1.229 TB, expected 1.1 TB at most"),
        ("eval_config.batch_size=40000", "a batch of 1.229 TB, expected 1.1 TB at most"),
        ("train_input_reader.num_readers=4000000000", r"num_readers is 4e\+09: expected in"),
        ("model.action_faster_rcnn.clip.num_frames=2147483647", "num_frames is .*: expected in"),
        (
            "model.action_faster_rcnn.image_resizer.fixed_shape_resizer.height=2147483647",
            "height is .*: expected in .16, 16384.",
        ),
    ],
)
def test_numbers_that_make_memory_are_bounded(override, words):
    with pytest.raises(UserError, match=words):
        config.load("ava/tx_highres_r64", [override])


def test_the_estimate_by_hand():
    """64 frames of 400 x 400 x 3 bytes; batches of 3, three at once."""
    found = memory.estimate(config.load("ava/tx_highres_r64", ["train_config.batch_size=3"]))
    assert (found.clip, found.batch, found.batches) == (30_720_000, 92_160_000, 276_480_000)
    # 1,024 clips of 64 frames; 32 + 8 records, twice, of 64 + 250 frames: of 41,600 bytes each.
    assert found.shuffle_buffer == 1024 * 64 * 41_600
    assert found.open_records == 2 * 40 * 314 * 41_600
    assert found.total == found.batches + found.shuffle_buffer + found.open_records
    assert memory.in_words(found.batch) == "92.2 MB"
    assert memory.in_words(999) == "999 bytes" and memory.in_words(2.5e15) == "2500 TB"


def test_a_config_that_never_ends_is_refused(tmp_path):
    path = tmp_path / "pipeline.config"
    path.write_text("#" * (1 << 24) + "\n\n")
    with pytest.raises(UserError, match="is longer than 16 MiB"):
        config.load(str(path))


@pytest.mark.parametrize("depth", [300, 5_000])
def test_messages_inside_each_other_without_end(tmp_path, depth):
    path = tmp_path / "pipeline.config"
    trunk = "rgb { two_stream { " * depth
    text = "model { action_faster_rcnn { trunk { two_stream { "
    path.write_text(text + trunk + "}" * (2 * depth + 4))
    with pytest.raises(UserError) as caught:
        config.load(str(path))
    assert str(path) in str(caught.value) and len(str(caught.value)) < 5_000
    with pytest.raises(UserError):
        config.load("playground/demo", [f"model.action_faster_rcnn.trunk={{ {trunk} }}"])

"""What a training that was killed had left to do, done by the next one."""

import tensorflow as tf

from avatx.checkpoints import saver


def checkpoints(folder, *steps):
    checkpoint = tf.train.Checkpoint(value=tf.Variable(1.0))
    for step in steps:
        checkpoint.write(str(folder / f"ckpt-{step}"))
    return [str(folder / f"ckpt-{step}") for step in steps]


def names(folder):
    return sorted(path.stem for path in folder.glob("*.index"))


def test_the_file_checkpoint_names_what_is_there(tmp_path):
    paths = checkpoints(tmp_path, 1, 2, 3)
    saver.settle(str(tmp_path), 2, paths[2])
    assert names(tmp_path) == ["ckpt-2", "ckpt-3"]
    assert tf.train.latest_checkpoint(str(tmp_path)) == paths[2]
    before = (tmp_path / "checkpoint").stat()
    saver.settle(str(tmp_path), 2, paths[2])  # nothing is left to do
    assert (tmp_path / "checkpoint").stat().st_mtime_ns == before.st_mtime_ns


def test_a_newer_one_that_cannot_be_read_is_not_named_and_does_not_count(tmp_path):
    paths = checkpoints(tmp_path, 1, 2, 3)
    saver.settle(str(tmp_path), 1, paths[1])
    assert names(tmp_path) == ["ckpt-2", "ckpt-3"]
    assert tf.train.latest_checkpoint(str(tmp_path)) == paths[1]

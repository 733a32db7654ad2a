"""What the system refuses is one line, whichever library met it."""

import errno
import os

import pytest
import tensorflow as tf

from avatx.refusals import has_no_room, refusal

FULL = os.strerror(errno.ENOSPC)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_as_python_and_tensorflow_really_meet_it():
    with pytest.raises(OSError) as python:
        with open("/dev/full", "w") as file:
            file.write("x" * 100_000)
    assert str(refusal(python.value)) == FULL
    with pytest.raises(tf.errors.ResourceExhaustedError) as tensorflow:
        with tf.io.gfile.GFile("/dev/full", "w") as file:
            file.write("x" * 100_000)
    assert str(refusal(tensorflow.value)) == f"/dev/full: {FULL}"


def test_the_path_is_told_without_names_of_operations():
    message = (
        "{{function_node __wrapped__SaveV2_dtypes_59_device_/job:localhost/replica:0/task:0}} "
        f"/a folder/{'long' * 100}/part-00000; {FULL} [Op:SaveV2]"
    )
    error = tf.errors.ResourceExhaustedError(None, None, message)
    assert str(refusal(error)) == f"/a folder/{'long' * 100}/part-00000: {FULL}"
    denied = tf.errors.PermissionDeniedError(None, None, "/x/y; Permission denied")
    assert str(refusal(denied)) == "/x/y: Permission denied"
    assert str(refusal(PermissionError(errno.EACCES, "Permission denied", "/x/y"))) == (
        "/x/y: Permission denied"
    )


def test_a_name_that_is_not_utf_8_is_one_line():
    """A legal name on Linux, that Python has and TensorFlow does not take."""
    with pytest.raises(UnicodeEncodeError) as tensorflow:
        tf.io.gfile.isdir(os.fsdecode(b"videos/\xe9t\xe9"))
    assert str(refusal(tensorflow.value)) == (
        "'videos/\\udce9t\\udce9': is a name that is not UTF-8; give it another"
    )
    with pytest.raises(UnicodeEncodeError) as other:
        "é".encode("ascii")
    assert refusal(other.value) is None


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"),
        ValueError(FULL),
    ],
)
def test_other_errors_are_none(error):
    assert refusal(error) is None


def test_no_room_is_seen_behind_another_error_whichever_library_met_it():
    full = tf.errors.ResourceExhaustedError(None, None, f"/a/b; {FULL}")
    try:
        try:
            raise full
        except tf.errors.OpError:
            raise ValueError("the video")  # noqa: B904, as a library may
    except ValueError as error:
        assert has_no_room(error)
    assert has_no_room(OSError(errno.EDQUOT, "Disk quota exceeded", "/a"))
    assert not has_no_room(PermissionError(errno.EACCES, "Permission denied", "/a"))
    assert not has_no_room(ValueError("no room")) and not has_no_room(None)

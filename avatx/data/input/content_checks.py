"""What must hold of a record of either kind before a clip is cut from it."""

from collections.abc import Sequence

import tensorflow as tf

from avatx.data.records.graph_check import check, first_of


def has_a_time_for_each_frame(name: Sequence, frames: tf.Tensor, timestamps: tf.Tensor):
    """An op that fails unless there are as many frames as times, and at least one.

    Args:
      name: parts of a message, see `input_errors.check`.
      frames: [F] string.
      timestamps: [F] int64.
    """
    num_frames, num_times = tf.size(frames), tf.size(timestamps)
    return check(
        (num_frames == num_times) & (num_times > 0),
        [
            *name,
            " has ",
            num_frames,
            " frames and ",
            num_times,
            " frame timestamps; expected as many, at least one; write the records again",
        ],
    )


def has_classes_of_the_model(name: Sequence, class_ids: tf.Tensor, num_classes: int):
    """An op that fails where a class id is not in 1..num_classes, and names the first.

    Args:
      name: parts of a message, see `input_errors.check`.
      class_ids: [R] int64.
      num_classes: C, the largest class id.
    """
    wrong = tf.boolean_mask(class_ids, (class_ids < 1) | (class_ids > num_classes))
    return check(
        tf.size(wrong) == 0,
        [
            *name,
            " has class id ",
            first_of(wrong),
            f"; expected 1 to num_classes = {num_classes}; is the label map of the "
            "config the one that the records were made with?",
        ],
    )

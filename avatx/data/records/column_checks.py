"""What must hold of the columns of a record, as ops that fail with the column's name."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from avatx.data.records.graph_check import check

_REMEDY = "; write the records again"


def has_video_id(name: Sequence, column: str, video_id: tf.Tensor):
    """An op that fails unless the id, [] string, is UTF-8 text without zero bytes."""
    return check(
        tf.strings.regex_full_match(video_id, r"[^\x00]+"),
        [*name, f": {column} is empty or no UTF-8 text", _REMEDY],
    )


def ascends(name: Sequence, column: str, times: tf.Tensor):
    """An op that fails unless times, [N] int64 microseconds, are strictly ascending."""
    wrong = tf.where(times[1:] <= times[:-1])[:, 0]
    at = tf.concat([wrong, [0]], axis=0)[0]
    padded = tf.concat([times, [0, 0]], axis=0)
    return check(
        tf.size(wrong) == 0,
        [
            *name,
            f": {column} is not strictly ascending: ",
            padded[at + 1],
            " comes after ",
            padded[at],
            _REMEDY,
        ],
    )


def as_many_values(
    name: Sequence, steps: tf.Tensor, of_steps: str, columns: Mapping[str, tf.RaggedTensor]
) -> list:
    """Ops that fail unless each column has a step for each of `steps` and as many values in it.

    Args:
      name: parts of a message.
      steps: [K], what there is one of for each step.
      of_steps: its column.
      columns: name to [K, (N_k)]; the first is what the others are compared with.
    """
    count = tf.size(steps, tf.int64)
    (first_name, first), *_ = columns.items()
    checks = []
    for column, values in columns.items():
        lengths, expected = values.row_lengths(), first.row_lengths()
        alike = tf.size(lengths, tf.int64) == count
        checks.append(
            check(
                alike,
                [
                    *name,
                    f": {column} has ",
                    tf.size(lengths, tf.int64),
                    f" steps and {of_steps} ",
                    count,
                    "; expected as many",
                    _REMEDY,
                ],
            )
        )
        common = tf.minimum(tf.size(lengths), tf.size(expected))
        wrong = tf.where(lengths[:common] != expected[:common])[:, 0]
        at = tf.concat([wrong, [0]], axis=0)[0]
        checks.append(
            check(
                tf.size(wrong) == 0,
                [
                    *name,
                    f": {column} has ",
                    tf.concat([lengths, [0]], axis=0)[at],
                    f" values and {first_name} ",
                    tf.concat([expected, [0]], axis=0)[at],
                    " in step ",
                    at + 1,
                    "; expected as many",
                    _REMEDY,
                ],
            )
        )
    return checks


def are_boxes(name: Sequence, columns: str, boxes: tf.Tensor):
    """An op that fails where a box, [R, 4] float32 yxyx, is not finite or is inverted."""
    finite = tf.reduce_all(tf.math.is_finite(boxes), axis=1)
    wrong = tf.where(~finite | tf.reduce_any(boxes[:, 2:] < boxes[:, :2], axis=1))[:, 0]
    box = tf.concat([tf.gather(boxes, wrong), tf.zeros([1, 4])], axis=0)[0]
    values = []
    for part in tf.unstack(box):
        values += [" ", tf.strings.as_string(part, shortest=True)]
    return check(
        tf.size(wrong) == 0,
        [*name, f": {columns} has a box that is inverted or not finite:", *values, _REMEDY],
    )


def has_names_for_all(
    name: Sequence,
    column: str,
    of_ids: str,
    names: tf.RaggedTensor,
    class_ids: tf.RaggedTensor,
):
    """An op that fails unless there is a name for each class id, or none at all.

    Args:
      name: parts of a message.
      column: of the names.
      of_ids: the column of the ids.
      names: [K, (N_k)] string; [0, (0)] of a record without names.
      class_ids: [K, (N_k)] int64.
    """
    count = tf.minimum(tf.size(names.row_splits), tf.size(class_ids.row_splits))
    alike = tf.size(names.row_splits) == tf.size(class_ids.row_splits)
    alike &= tf.reduce_all(names.row_splits[:count] == class_ids.row_splits[:count])
    return check(
        alike | (tf.size(names.flat_values) == 0),
        [
            *name,
            f": {column} has ",
            tf.size(names.flat_values),
            f" values and {of_ids} ",
            tf.size(class_ids.flat_values),
            ", or in other steps; expected as many",
            _REMEDY,
        ],
    )


def names_one_class_each(name: Sequence, columns: str, class_ids: tf.Tensor, names: tf.Tensor):
    """An op that fails where one class id has two names.

    Args:
      name: parts of a message.
      columns: where ids and names are.
      class_ids: [R] int64.
      names: [R] string, or [0] of a record without names.
    """
    count = tf.minimum(tf.size(class_ids), tf.size(names))
    class_ids, names = class_ids[:count], names[:count]
    unique, position = tf.unique(class_ids)
    # The name that each class has where it comes first.
    rows = tf.range(count)
    first = tf.math.unsorted_segment_min(rows, position, tf.size(unique))
    expected = tf.gather(names, tf.gather(first, position))
    wrong = tf.where((names != expected) & (names != "") & (expected != ""))[:, 0]

    def of_first(values: tf.Tensor, filler) -> tf.Tensor:
        return tf.concat([tf.gather(values, wrong), [filler]], axis=0)[0]

    return check(
        tf.size(wrong) == 0,
        [
            *name,
            f": {columns} calls class ",
            of_first(class_ids, 0),
            " both '",
            of_first(expected, ""),
            "' and '",
            of_first(names, ""),
            "'",
            _REMEDY,
        ],
    )


def are_jpeg_files(name: Sequence, column: str, frames: tf.Tensor):
    """An op that fails where one of frames, [F] string, does not begin as a JPEG file does."""
    wrong = tf.where(tf.strings.substr(frames, 0, 2) != b"\xff\xd8")[:, 0]
    at = tf.concat([wrong, [0]], axis=0)[0]
    size = tf.concat([tf.strings.length(frames), [0]], axis=0)[at]
    return check(
        tf.size(wrong) == 0,
        [*name, f": {column} ", at + 1, " (", size, " bytes) is no JPEG file", _REMEDY],
    )

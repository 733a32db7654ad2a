"""What must hold of the columns of a record, as ops that fail with the column's name."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from avatx.data.records.graph_check import check, first_of, first_values, places, value_at

_REMEDY = "; write the records again"


def has_video_id(name: Sequence, column: str, video_id: tf.Tensor):
    """An op that fails unless the id, [] string, is UTF-8 text without zero bytes."""
    return check(
        tf.strings.regex_full_match(video_id, r"[^\x00]+"),
        [*name, f": {column} is empty or no UTF-8 text", _REMEDY],
    )


def ascends(name: Sequence, column: str, times: tf.Tensor):
    """An op that fails unless times, [N] int64 microseconds, are strictly ascending."""
    wrong = places(times[1:] <= times[:-1])
    at = first_of(wrong)
    padded = tf.concat([times, [0, 0]], axis=0)
    return check(
        tf.size(wrong) == 0,
        [
            *name,
            f": {column} is not strictly ascending: ",
            tf.gather(padded, at + 1),
            " comes after ",
            tf.gather(padded, at),
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
    names, splits = list(columns), [values.row_splits for values in columns.values()]
    count = tf.size(steps, tf.int64)
    counts = tf.stack([tf.size(one, tf.int64) for one in splits]) - 1  # [C], steps of a column
    at = first_of(places(counts != count))
    as_many_steps = check(
        tf.reduce_all(counts == count),
        [
            *name,
            ": ",
            tf.gather(names, at),
            " has ",
            tf.gather(counts, at),
            f" steps and {of_steps} ",
            count,
            "; expected as many",
            _REMEDY,
        ],
    )
    common = tf.reduce_min(counts) + 1
    table = tf.stack([first_values(one, common) for one in splits])
    lengths = table[:, 1:] - table[:, :-1]  # [C, steps that all have]
    wrong = tf.where(lengths != lengths[:1])
    column, step = tf.unstack(value_at(wrong, 0, [0, 0]), 2)
    padded = tf.pad(lengths, [[0, 0], [0, 1]])
    as_many = check(
        tf.shape(wrong)[0] == 0,
        [
            *name,
            ": ",
            tf.gather(names, column),
            " has ",
            padded[column, step],
            f" values and {names[0]} ",
            padded[0, step],
            " in step ",
            step + 1,
            "; expected as many",
            _REMEDY,
        ],
    )
    return [as_many_steps, as_many]


def are_boxes(name: Sequence, columns: str, boxes: tf.Tensor):
    """An op that fails where a box, [R, 4] float32 yxyx, is not finite or is inverted."""
    finite = tf.reduce_all(tf.math.is_finite(boxes), axis=1)
    wrong = places(~finite | tf.reduce_any(boxes[:, 2:] < boxes[:, :2], axis=1))
    box = value_at(boxes, first_of(wrong), [0.0] * 4)
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
    num_names, num_ids = tf.size(names.row_splits), tf.size(class_ids.row_splits)
    count = tf.minimum(num_names, num_ids)
    alike = num_names == num_ids
    splits = first_values(names.row_splits, count), first_values(class_ids.row_splits, count)
    alike &= tf.reduce_all(splits[0] == splits[1])
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
    class_ids, names = first_values(class_ids, count), first_values(names, count)
    unique, position = tf.unique(class_ids)
    # The name that each class has where it comes first.
    rows = tf.range(count)
    first = tf.math.unsorted_segment_min(rows, position, tf.size(unique))
    expected = tf.gather(names, tf.gather(first, position))
    wrong = places((names != expected) & (names != "") & (expected != ""))
    at = first_of(wrong)
    return check(
        tf.size(wrong) == 0,
        [
            *name,
            f": {columns} calls class ",
            value_at(class_ids, at, 0),
            " both '",
            value_at(expected, at, ""),
            "' and '",
            value_at(names, at, ""),
            "'",
            _REMEDY,
        ],
    )


def are_jpeg_files(name: Sequence, column: str, frames: tf.Tensor):
    """An op that fails where one of frames, [F] string, does not begin as a JPEG file does."""
    wrong = places(tf.strings.substr(frames, 0, 2) != b"\xff\xd8")
    at = first_of(wrong)
    size = value_at(tf.strings.length(frames), at, 0)
    return check(
        tf.size(wrong) == 0,
        [*name, f": {column} ", at + 1, " (", size, " bytes) is no JPEG file", _REMEDY],
    )

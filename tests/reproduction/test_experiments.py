"""The experiments: each row is a config that loads, on its own data; what the report says."""

import pathlib

import pytest

from avatx import config
from avatx.errors import UserError
from avatx.reproduction import playground_data, rows, suites, tables
from avatx.reproduction.experiments import EXPERIMENTS, VARIANTS, Experiment, Variant
from avatx.reproduction.rows import Ordering

ROOT = pathlib.Path(__file__).parents[2]
SUITE = suites.SUITES["playground"]


def plan(names, seeds=1):
    return suites.plan(
        SUITE, names, seeds, ROOT / "configs", pathlib.Path("out"), pathlib.Path("map")
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_every_row_is_a_config_that_its_overrides_change(name):
    (run,) = [run for run in plan([name]) if run.row == name]
    with_all = config.load(str(run.config_path), run.overrides)
    made = VARIANTS[name]
    kept = [one for one in run.overrides if one not in made.overrides]
    without = config.load(str(run.config_path), kept)
    # Row for row something is another than in the config itself: data, options, or clips.
    assert with_all != without or made.data != "data" or made.on_training_data


def test_rows_have_names_of_their_own_and_sources_before_them():
    names = [row for experiment in EXPERIMENTS.values() for row in experiment.rows]
    assert len(names) == len(set(names)) and not set(names) & set(rows.ROWS)
    for name, one in VARIANTS.items():
        if one.evaluated_from:
            order = [run.row for run in plan([name])]
            assert order == [one.evaluated_from, name]


def test_orderings_compare_rows_of_the_experiment():
    for experiment in EXPERIMENTS.values():
        known = {*experiment.rows, *experiment.beside}
        for ordering in experiment.orderings:
            assert {ordering.better, *ordering.others} <= known, ordering.claim
        assert set(experiment.beside) <= set(rows.ROWS)


def test_rows_of_experiments():
    assert suites.rows_of(SUITE, ["two_heads"]) == [
        "tx_highres_r300",
        "i3d_r300",
        "tx_i3d_r300",
        "tx_i3d_own_rates",
    ]
    with pytest.raises(UserError, match="sizes: no such experiment; expected pro.*, or all$"):
        suites.rows_of(SUITE, ["sizes"])
    with pytest.raises(UserError, match="this suite has no experiments"):
        suites.rows_of(suites.SUITES["pets09"], ["proposals"])


def test_data_of_an_experiment():
    runs = {run.row: run for run in plan(["tenth_on_training", "crowd_r64", "frames_48"])}

    def records(row, reader):
        (path,) = [
            one.partition("=")[2]
            for one in runs[row].overrides
            if one.startswith(f"{reader}.tf_record_input_reader")
        ]
        return path

    assert records("tenth", "train_input_reader") == "out/data_tenth/train-*.tfrecord"
    assert records("tenth", "eval_input_reader") == "out/data/val-*.tfrecord"
    assert records("tenth_on_training", "eval_input_reader") == "out/data_tenth/train-*.tfrecord"
    assert records("crowd_r64", "eval_input_reader") == "out/data_crowd/val-*.tfrecord"
    assert records("frames_48", "eval_input_reader") == "out/data_wide/val-*.tfrecord"
    assert runs["frames_48"].checkpoint_dir == pathlib.Path("out/rows/frames_32/seed1")


def test_only_the_data_asked_for_are_made(monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(
        playground_data,
        "run_step",
        lambda tools, result, tool, *arguments: made.append((tool, *map(str, arguments))),
    )
    sizes = playground_data.Sizes(20, 4, 9)
    playground_data.prepare(tmp_path, tmp_path, tmp_path, sizes, ("data", "data_crowd"))
    crowds = [step for step in made if "--cast" in step]
    assert [step[step.index("--num_videos") + 1] for step in crowds] == ["10", "2"]
    assert all(step[step.index("--cast") + 1] == "crowd" for step in crowds)
    assert not any("data_tenth" in " ".join(step) or "wide" in " ".join(step) for step in made)
    made.clear()
    playground_data.prepare(tmp_path, tmp_path, tmp_path, sizes, ("data_wide", "data_tenth"))
    wide = [step for step in made if "data_wide" in " ".join(step)]
    assert [step[step.index("--margin_seconds") + 1] for step in wide] == ["2", "2"]
    (tenth,) = [s for s in made if "data_tenth" in " ".join(s) and s[0] == "make_playground.py"]
    assert tenth[tenth.index("--num_videos") + 1] == "2"


def test_the_report_of_an_experiment():
    experiment = Experiment(
        "Title", "A setting.", "A prediction.", "The opposite.",
        {"new": Variant("i3d_r64")}, (Ordering("new over old", "new", ("i3d_r64",)),), ("i3d_r64",),
    )  # fmt: skip

    def scores(value):
        return {"mAP": value, "person_AP": 0.5, "person_AP_75": 0.25}

    assert tables.of_experiment(experiment, {"i3d_r64": {1: scores(0.5)}}) == ""
    results = {
        "i3d_r64": {1: scores(0.5), 2: scores(0.4)},
        "new": {1: scores(0.6), 2: scores(0.41)},
    }
    text = tables.of_experiment(experiment, results)
    assert "*Setting*: A setting." in text and "*Refuted by*: The opposite." in text
    assert "| `new` | 50.5 ± 13.4 (2) | 50.0 ± 0.0 (2) | 25.0 ± 0.0 (2) |" in text
    assert "| new over old | +10.0 +1.0 | +5.5 | 2 of 2 | holds |" in text

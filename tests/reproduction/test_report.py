"""The report of runs whose files are made up here."""

import json

import pytest

from avatx.errors import UserError
from avatx.reproduction.report import write_report
from avatx.reproduction.run import Run, write_begun, write_record
from avatx.reproduction.suites import seeds_in

METRICS = {"mAP": 0.5, "person_AP": 0.9, "person_AP_75": 0.6, "per_class": {}}


@pytest.fixture
def make_run(tmp_path):
    def make(row, seed, done=True, commit="abc"):
        config = tmp_path / f"{row}.config"
        config.write_text("model {}")
        run = Run(row, seed, config, (), tmp_path / "rows" / row / f"seed{seed}")
        run.directory.mkdir(parents=True)
        write_begun(run)
        if done:
            run.metrics.write_text(json.dumps(METRICS))
            write_record(run, 90, {"commit": commit, "machine": "2 cores"})
        return run

    return make


def test_rows_that_were_not_asked_for_stay_in_the_report(make_run, tmp_path):
    runs = [make_run("i3d_r64", 1), make_run("i3d_gt", 1), make_run("i3d_r64", 2, commit="def")]
    text = write_report(runs[:1], runs, tmp_path, "A note.")
    assert (tmp_path / "results.md").read_text() == text
    assert "3 runs of 2 rows, seeds 1, 2; commit abc and def; machine 2 cores; 4 minutes" in text
    assert "A note." in text and "| `i3d_gt` |" in text and "50.0 ± 0.0 (2)" in text
    results = json.loads((tmp_path / "results.json").read_text())
    assert results == {"i3d_r64": {"1": METRICS, "2": METRICS}, "i3d_gt": {"1": METRICS}}


def test_a_run_made_with_something_else_is_left_out_unless_asked_for(make_run, tmp_path):
    kept, other = make_run("i3d_r64", 1), make_run("i3d_gt", 1)
    other.config_path.write_text("model { x: 1 }")
    text = write_report([kept], [kept, other], tmp_path, "")
    assert "Left out, made with another config or other weights: i3d_gt seed 1." in text
    assert "| `i3d_gt` |" not in text
    with pytest.raises(UserError, match="i3d_gt/seed1: was made with other i3d_gt.config"):
        write_report([other], [kept, other], tmp_path, "")


def test_nothing_done_is_said(make_run, tmp_path):
    run = make_run("i3d_r64", 1, done=False)
    with pytest.raises(UserError, match="no run is done yet"):
        write_report([run], [run], tmp_path, "")
    assert not (tmp_path / "results.md").exists()


def test_seeds_in(make_run, tmp_path):
    assert seeds_in(tmp_path) == 0
    make_run("i3d_r64", 1)
    make_run("i3d_gt", 4)
    make_run("i3d_gt", 7, done=False)
    assert seeds_in(tmp_path) == 4

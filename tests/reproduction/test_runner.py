"""Runs are real processes here, of a small script in place of tools/model_main.py."""

import json
import os
import pathlib

import pytest

from avatx.errors import UserError
from avatx.reproduction import playground_data, runner, suites
from avatx.reproduction.run import Run, finished, read_metrics

# Counts its starts; fails as often as told; then writes metrics.json.
SCRIPT = """
import json, os, pathlib, sys, time
folder, failures = pathlib.Path(sys.argv[1]), int(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
count = folder / "starts"
starts = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(starts))
print(f"12:00:00 step {starts}/9 loss 1.0", flush=True)
if starts <= failures:
    print("error: out of luck", flush=True)
    sys.exit(2)
cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
(folder / "metrics.json").write_text(json.dumps({"mAP": 0.5, "cores": cores}))
"""


@pytest.fixture
def make_runs(tmp_path):
    config = tmp_path / "row.config"
    config.write_text("model {}  # a comment\n")

    def make(*names, **options):
        return [
            Run(name, 1, config, ("a=1",), tmp_path / "rows" / name / "seed1", **options)
            for name in names
        ]

    return make


def script(failing=(), times=99):
    def command(run):
        return ["-c", SCRIPT, str(run.directory), str(times if run.row in failing else 0)]

    return command


def starts(run):
    return int((run.directory / "starts").read_text())


def test_what_is_done_is_not_run_again(make_runs):
    runs = make_runs("a", "b", "c")
    runner.run_all(runs[:2], script(), 2, note={"commit": "abc"}, interval=0.1)
    runner.run_all(runs, script(), 2, note={"commit": "def"}, interval=0.1)
    assert [starts(run) for run in runs] == [1, 1, 1]
    assert [finished(run)["commit"] for run in runs] == ["abc", "abc", "def"]
    assert read_metrics(runs[2])["mAP"] == 0.5


def test_a_failed_run_is_named_and_the_others_are_run(make_runs, capfd):
    runs = make_runs("a", "b", "c")
    with pytest.raises(UserError, match=r"1 of 3 runs failed; see .*b/seed1.log"):
        runner.run_all(runs, script(failing="b"), 1, note={}, interval=0.1)
    assert "b seed 1: failed, error: out of luck" in capfd.readouterr().out
    assert finished(runs[1]) is None and finished(runs[2])
    runner.run_all(runs, script(failing="b", times=1), 1, note={}, interval=0.1)
    assert starts(runs[1]) == 2 and starts(runs[2]) == 1


def test_evaluation_of_another_run_waits_for_it(make_runs):
    (trained,) = make_runs("trained")
    (evaluated,) = make_runs("evaluated", checkpoint_dir=trained.directory)

    def command(run):
        wait = f"import time; time.sleep(0.5); exec({SCRIPT!r})"
        check = f"import os; assert os.path.exists({str(trained.directory / 'metrics.json')!r})\n"
        code = wait if run is trained else check + SCRIPT
        return ["-c", code, str(run.directory), "0"]

    runner.run_all([trained, evaluated], command, 2, note={}, interval=0.1)
    assert finished(evaluated)


def test_evaluation_of_a_failed_run_fails(make_runs):
    (trained,) = make_runs("trained")
    (evaluated,) = make_runs("evaluated", checkpoint_dir=trained.directory)
    with pytest.raises(UserError, match="2 of 2 runs failed"):
        runner.run_all([trained, evaluated], script(failing=("trained",)), 1, {}, interval=0.1)
    assert not evaluated.directory.exists()


def test_a_changed_config_is_refused_a_changed_comment_is_not(make_runs):
    (run,) = make_runs("a")
    runner.run_all([run], script(), 1, note={}, interval=0.1)
    run.config_path.write_text("model {}\n# another comment\n")
    assert finished(run)
    run.config_path.write_text("model { x: 1 }\n")
    with pytest.raises(UserError, match="made with other row.config; remove it"):
        finished(run)


def test_other_weights_are_refused(make_runs, tmp_path):
    weights = tmp_path / "pretrained"
    weights.mkdir()
    (weights / "ckpt-9.index").write_bytes(b"sums of the tensors")
    (run,) = make_runs("a", weights=weights)
    runner.run_all([run], script(), 1, note={}, interval=0.1)
    assert finished(run)
    (weights / "ckpt-9.index").write_bytes(b"other sums")
    with pytest.raises(UserError, match="a/seed1: was made with other weights; remove it"):
        finished(run)
    prefix = run._replace(weights=weights / "ckpt-10")
    with pytest.raises(UserError, match="ckpt-10.index: cannot be read"):
        finished(prefix)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core cannot be shared")
def test_jobs_share_the_cores(make_runs):
    runs = make_runs("a", "b")
    runner.run_all(runs, script(), 2, note={}, interval=0.1)
    assert sum(read_metrics(run)["cores"] for run in runs) <= len(os.sched_getaffinity(0))


def test_plan():
    root = pathlib.Path(__file__).parents[2]
    output = pathlib.Path("out")
    runs = suites.plan(
        suites.SUITES["playground"],
        ["tx_i3d_r300_96f", "i3d_r64_from_scratch"],
        2,
        root / "configs",
        output,
        output / "map.pbtxt",
        ("train_config.num_steps=2",),
    )
    names = ["tx_i3d_r300", "tx_i3d_r300_96f", "i3d_r64_from_scratch"]
    assert [(run.row, run.seed) for run in runs] == [(n, s) for s in (1, 2) for n in names]
    assert runs[1].checkpoint_dir == runs[0].directory
    assert runs[0].overrides[-1] == "train_config.num_steps=2"  # the user's word is the last
    weights = "train_config.fine_tune_checkpoint=out/pretrained"
    assert weights in runs[0].overrides and weights not in runs[2].overrides
    assert runs[0].weights == output / "pretrained" and runs[2].weights is None
    assert json.dumps(runs[0].overrides).count("seed=1") == 1
    with pytest.raises(UserError, match="^rows nonsense: no such row; expected i3d_r64, "):
        suites.plan(suites.SUITES["playground"], ["nonsense"], 1, root / "configs", output, output)


def test_a_changed_config_is_refused_for_a_run_that_was_only_begun(make_runs):
    (run,) = make_runs("a")
    with pytest.raises(UserError, match="1 of 1 runs failed"):
        runner.run_all([run], script(failing="a"), 1, note={}, interval=0.1)
    run.config_path.write_text("model { x: 1 }\n")
    with pytest.raises(UserError, match="made with other row.config; remove it"):
        runner.run_all([run], script(), 1, note={}, interval=0.1)
    assert starts(run) == 1


def test_a_run_whose_metrics_are_gone_is_made_again(make_runs):
    (run,) = make_runs("a")
    runner.run_all([run], script(), 1, note={}, interval=0.1)
    run.metrics.unlink()
    assert finished(run) is None
    runner.run_all([run], script(), 1, note={}, interval=0.1)
    assert starts(run) == 2 and finished(run)


@pytest.mark.parametrize("name", ["record", "metrics"])
@pytest.mark.parametrize("content", ["", '{"finger', "[1]"])
def test_a_damaged_file_is_named(make_runs, name, content):
    (run,) = make_runs("a")
    runner.run_all([run], script(), 1, note={}, interval=0.1)
    getattr(run, name).write_text(content)
    with pytest.raises(UserError, match=str(getattr(run, name))):
        finished(run)
        read_metrics(run)


def test_a_run_that_was_killed_is_said_to_be(make_runs, capfd):
    (run,) = make_runs("a")
    with pytest.raises(UserError, match="1 of 1 runs failed; see .*a/seed1.log"):
        runner.run_all(
            [run],
            lambda _: ["-c", "import os; print('step 1/9'); os.kill(os.getpid(), 9)"],
            1,
            {},
            interval=0.1,
        )
    assert "a seed 1: failed, ended by signal 9" in capfd.readouterr().out


def test_a_run_without_metrics_is_not_done(make_runs, capfd):
    (run,) = make_runs("a")
    with pytest.raises(UserError, match="1 of 1 runs failed"):
        runner.run_all([run], lambda _: ["-c", ""], 1, {}, interval=0.1)
    assert "wrote no" in capfd.readouterr().out and not run.record.exists()


def test_output_that_cannot_be_written_is_one_line(make_runs, tmp_path):
    (tmp_path / "rows").write_text("a file")
    with pytest.raises(UserError, match="rows.*cannot be written"):
        runner.run_all(make_runs("a"), script(), 1, {}, interval=0.1)


def test_data_of_another_size_do_not_pass_for_these(tmp_path):
    path = tmp_path / "sizes.json"
    playground_data._keep_sizes(path, playground_data.Sizes(2, 1, 9))
    playground_data._keep_sizes(path, playground_data.Sizes(2, 1, 9))
    with pytest.raises(UserError, match=r"^val_videos 3: .* was begun with `val_videos` 1"):
        playground_data._keep_sizes(path, playground_data.Sizes(2, 3, 9))
    path.write_text("{")
    with pytest.raises(UserError, match="sizes.json: cannot be read"):
        playground_data._keep_sizes(path, playground_data.Sizes())


def test_pets09_says_which_file_is_missing(tmp_path):
    with pytest.raises(UserError, match="there is no pets09_s2l1.mp4 in it"):
        suites._prepare_pets09(None, None, tmp_path, str(tmp_path), playground_data.Sizes())

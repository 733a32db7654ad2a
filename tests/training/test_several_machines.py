"""Two processes on loopback train and evaluate together: what one gives, whatever happens."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tiny_experiment import read_curves

pytestmark = pytest.mark.long  # over a minute: each process imports, meets the other and traces

HERE = pathlib.Path(__file__).parent
TRAIN = {"num_steps": 4, "checkpoint_interval": 2}


def free_addresses():
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("", 0))) for _ in range(2)]
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


def start(folder, name, addresses, index=0, **settings):
    """A process of its own, whose temporary folder is `folder`/tmp."""
    (folder / "tmp").mkdir(exist_ok=True)
    given = {
        "addresses": addresses,
        "index": index,
        "model_dir": str(folder / name),
        "interval": 2,
        "train": TRAIN,
        **settings,
    }
    path = os.pathsep.join([str(HERE.parent / "helpers"), str(HERE.parents[1])])
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "CUDA_VISIBLE_DEVICES": "-1",
        "TMPDIR": str(folder / "tmp"),
    }
    environment.pop("TF_CONFIG", None)
    # Files, for a full pipe would hold one machine up, and so all.
    files = [folder / f"{name}-{index}.{kind}" for kind in ("out", "err")]
    with files[0].open("w") as out, files[1].open("w") as err:
        command = [sys.executable, str(HERE / "machine.py"), json.dumps(given)]
        return subprocess.Popen(command, env=environment, stdout=out, stderr=err), files


def ended(*started):
    """(exit code, stdout, stderr) of each, when all have ended."""
    try:
        codes = [process.wait() for process, _ in started]
    finally:
        for process, _ in started:
            process.kill()
    texts = [[file.read_text() for file in files] for _, files in started]
    return [(code, *text) for code, text in zip(codes, texts, strict=True)]


def together(folder, name, **of_the_second):
    addresses = free_addresses()
    return ended(start(folder, name, addresses), start(folder, name, addresses, 1, **of_the_second))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Undisturbed ones: a process with two replicas, and two processes."""
    folder, addresses = tmp_path_factory.mktemp("runs"), free_addresses()
    outputs = ended(
        start(folder, "one", []),
        start(folder, "two", addresses),
        start(folder, "two", addresses, 1),
    )
    for code, _, errors in outputs:
        assert code == 0, errors[-3000:]
    return folder, outputs


def values(model_dir, step):
    path = str(model_dir / f"ckpt-{step}")
    reader = tf.train.load_checkpoint(path)
    names = [name for name, _ in tf.train.list_variables(path) if "OBJECT_GRAPH" not in name]
    return {name: reader.get_tensor(name) for name in names}


def check_same_training(one, two, steps=(1, 2, 3, 4)):
    first, second = read_curves(one / "train"), read_curves(two / "train")
    assert set(first) == set(second)
    for name in first:
        if "loss" in name or name == "gradient_norm":
            np.testing.assert_allclose(
                [second[name][step] for step in steps],
                [first[name][step] for step in steps],
                rtol=2e-5,
                atol=1e-6,
                err_msg=name,
            )
    first, second = values(one, 4), values(two, 4)
    assert set(first) == set(second)
    for name in first:  # batch norm's statistics and the averages too
        np.testing.assert_allclose(second[name], first[name], rtol=1e-3, atol=1e-5, err_msg=name)


def names(folder):
    """The files of a folder and those below, without what differs from run to run."""
    found = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return sorted(path for path in found if "events.out" not in path)


def test_the_losses_are_those_of_one_process(runs):
    folder, _ = runs
    check_same_training(folder / "one", folder / "two")


def test_the_evaluation_is_that_of_one_process(runs):
    folder, _ = runs
    one, two = (json.loads((folder / name / "metrics.json").read_text()) for name in ("one", "two"))
    assert one["num_keyframes"] == two["num_keyframes"] == 6
    assert two["mAP"] == pytest.approx(one["mAP"], abs=1e-4)
    assert two["person_AP"] == pytest.approx(one["person_AP"], abs=1e-4)
    keyframes = [
        [line.split(",")[:2] for line in (folder / name / "detections.csv").open()]
        for name in ("one", "two")
    ]
    assert keyframes[0] == keyframes[1]  # in the same order, too


def test_the_chief_alone_writes_and_prints(runs):
    folder, (_, (_, chief, _), (_, other, errors)) = runs
    assert names(folder / "two") == names(folder / "one")
    for kind in ("train", "eval"):
        assert len(list((folder / "two" / kind).iterdir())) == 1
    assert not list((folder / "tmp").glob(".avatx*"))
    assert "step 4/4" in chief and "of 2 machines" in chief
    assert other == "" and "Traceback" not in errors


def test_signals_and_restarts_end_in_the_same_training(runs, tmp_path):
    """SIGTERM on one machine ends both; one is killed, and the other says so; then to the end."""
    folder, _ = runs
    for code, _, errors in together(tmp_path, "model", signals={"1": int(signal.SIGTERM)}):
        assert code == 143, errors[-3000:]
    assert (tmp_path / "model" / "ckpt-1.index").exists()
    chief, other = together(tmp_path, "model", signals={"3": int(signal.SIGKILL)})
    assert other[0] == -signal.SIGKILL
    assert chief[0] == 75, chief[2][-3000:]
    (line,) = [line for line in chief[2].splitlines() if line.startswith("error: ")]
    assert line.startswith("error: worker 0 of 2: another worker is gone (")
    assert "Graph execution error" not in line
    assert "Traceback" not in chief[2]
    for code, _, errors in together(tmp_path, "model"):
        assert code == 0, errors[-3000:]
    check_same_training(folder / "two", tmp_path / "model", steps=(3, 4))
    kept = [name for name in names(tmp_path / "model") if not name.startswith("ckpt-1.")]
    assert kept == names(folder / "two")
    assert not list((tmp_path / "tmp").glob(".avatx*"))

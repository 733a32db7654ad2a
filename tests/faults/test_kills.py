"""A sample of the moments at which a program may be killed; `make faults` tries all of them."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import harness
import programs


@pytest.fixture(scope="module")
def zygote(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zygote")
    shim = harness.build_shim(folder)
    if shim is None:
        pytest.skip("there is no C compiler (cc, gcc, clang) to build the shim with, or no Linux")
    process = harness.Zygote(shim, folder, programs.MODULES)
    yield process
    process.close()


def moments(operations, wanted):
    """Numbers of the first operation that ends so, of each wanted."""
    return [
        next(number for number, line in enumerate(operations, 1) if ending in line)
        for ending in wanted
    ]


def test_evaluate_csv_at_every_moment(zygote, tmp_path):
    trial = harness.Trial(zygote, programs.EVALUATE_CSV, tmp_path)
    assert len(trial.operations) >= 5  # created, written, flushed, renamed, its folder flushed
    for at in range(1, len(trial.operations) + 1):
        trial.kill(at)
    trial.fill_disk(1)
    trial.fill_disk(moments(trial.operations, ["write "])[0])


def test_records(zygote, tmp_path):
    trial = harness.Trial(zygote, programs.RECORDS, tmp_path)
    for at in moments(
        trial.operations, ["rename /records/train-00001", "rename /records/manifest"]
    ):
        trial.kill(at)


def test_training(zygote, tmp_path):
    trial = harness.Trial(zygote, programs.TRAINING, tmp_path)
    wanted = ["rename /model/ckpt-1.index", "rename /model/best/info.json"]
    for at in moments(trial.operations, wanted):
        trial.kill(at)
    (last,) = moments(trial.operations, ["rename /model/ckpt-4.index"])
    trial.kill(last + 1)  # nothing is left to train, but the file `checkpoint` to write
    trial.fill_disk(moments(trial.operations, ["rename /model/ckpt-2.data"])[0])


def test_an_export_to_a_full_disk(zygote, tmp_path):
    """TensorFlow writes it, and its errors are no OSErrors."""
    trial = harness.Trial(zygote, programs.EXPORTER, tmp_path)
    trial.fill_disk(moments(trial.operations, ["/saved_model/variables"])[0])

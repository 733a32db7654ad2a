"""Some thousands of damaged inputs for each reader; `make fuzz` runs a hundred thousand of each."""

import importlib.util
import pathlib

import pytest

# Records go through TensorFlow, and configs through protobuf in Python: fewer of those.
CASES = {"csv_reader": 1000, "label_map_reader": 2000, "config_reader": 400, "record_reader": 300}


def _run():
    path = pathlib.Path(__file__).with_name("run.py")
    spec = importlib.util.spec_from_file_location("fuzz_run", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run


@pytest.mark.parametrize("reader", CASES)
def test_every_case_ends_in_a_value_or_a_user_error(reader):
    ends, failures = _run()(reader, CASES[reader], seed=7)
    assert not failures, f"{len(failures)} of {CASES[reader]}; the first: {failures[0]}"
    # Else the mutator had damaged everything, or nothing.
    assert min(ends["value"], ends["UserError"]) > CASES[reader] // 50, ends

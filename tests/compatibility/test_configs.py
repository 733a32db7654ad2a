"""A pipeline.config of an older commit parses, means what it meant, and builds the same variables.

The variables' keys are those of checkpoints: with them a checkpoint of any head and trunk is read,
of which only a few are kept here.
"""

import pathlib

import pytest
import reading_artefacts as reading
from comparing import assert_same_json

CONFIGS = sorted(path.name for path in (reading.MADE / "configs").glob("*.config"))


@pytest.fixture(scope="module")
def expected():
    return reading.read_json(reading.MADE / "expected" / "configs.json.xz")


@pytest.mark.parametrize("name", CONFIGS)
def test_every_field_has_its_value_or_default(name, expected):
    found = reading.effective_values(reading.load_config(f"configs/{name}"))
    assert len(expected[name]["values"]) > 40
    assert_same_json(found, expected[name]["values"])


@pytest.mark.parametrize("name", CONFIGS)
def test_variables_have_their_keys_and_shapes(name, expected):
    assert reading.variable_shapes(f"configs/{name}") == expected[name]["variables"]


@pytest.mark.parametrize("name", ["detector_momentum", "detector_adam", "classifier", "export"])
def test_configs_as_written_beside_a_model(name, made):
    """They say the effective configuration: no override is needed to read them."""
    config = reading.load_config(pathlib.Path(name) / "pipeline.config")
    values = reading.effective_values(config)
    assert (values["train_config.num_steps"], values["train_config.seed"]) == (2, 3)
    optimizer = "adam" if name == "detector_adam" else "momentum"
    assert any(key.startswith(f"train_config.optimizer.{optimizer}") for key in values)

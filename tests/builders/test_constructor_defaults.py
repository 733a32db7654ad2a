"""A default that the schema has and a constructor repeats is the same in both."""

import importlib
import inspect
import pkgutil

import pytest

from avatx.config import schema
from avatx.protos import pipeline_pb2

ROOMS = ("layers", "meta_architectures", "predictors", "trunks", "core", "training", "data")
PREFIXES = ("first_stage_", "second_stage_")


def fields_by_name():
    """Argument name -> the default of every scalar field of the model's messages of that name."""
    found = {}
    for message in schema.all_messages(pipeline_pb2.PipelineConfig.DESCRIPTOR):
        for field in message.fields:
            if field.message_type or schema.is_repeated(field) or not field.has_default_value:
                continue
            default = field.default_value
            if field.enum_type:
                default = field.enum_type.values_by_number[default].name
            for prefix in ("", *PREFIXES):
                if field.name.startswith(prefix):
                    found.setdefault(field.name.removeprefix(prefix), set()).add(default)
    return found


def repeated_defaults():
    fields = fields_by_name()
    for room in ROOMS:
        package = importlib.import_module(f"avatx.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for name, kind in vars(importlib.import_module(module.name)).items():
                if not inspect.isclass(kind) or kind.__module__ != module.name:
                    continue
                for argument in inspect.signature(kind.__init__).parameters.values():
                    if argument.name in fields and argument.default is not argument.empty:
                        yield f"{module.name}.{name}", argument, fields[argument.name]


REPEATED = list(repeated_defaults())


def test_there_are_some():
    assert any(name.endswith(".I3D") for name, *_ in REPEATED)


@pytest.mark.parametrize(
    "argument, defaults",
    [(argument, defaults) for _, argument, defaults in REPEATED],
    ids=[f"{name}({argument.name})" for name, argument, _ in REPEATED],
)
def test_a_repeated_default_is_the_schemas(argument, defaults):
    value = argument.default
    value = getattr(value, "name", value)  # enums by name
    assert any(value == pytest.approx(default) for default in defaults), (value, defaults)

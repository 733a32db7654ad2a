"""From a message of the config to plain Python values, by the names of its fields.

A default stands in the proto alone: what is filled here has none of its own.
"""

import dataclasses
import enum
import importlib
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor

from avatx.config.schema import is_repeated

Options = TypeVar("Options")


def fields_of(message, prefix: str = "") -> dict[str, Any]:
    """The fields of `message` that hold values, set or by default; those that hold messages not.

    Args:
      message: a message of the config.
      prefix: fields whose names begin otherwise are left out, and of the others' names it is cut.

    Returns:
      name -> value; an enum's value by its name ("HIGH_RES"), a repeated field's as a tuple.
    """
    return {
        field.name.removeprefix(prefix): _value(message, field)
        for field in message.DESCRIPTOR.fields
        if field.name.startswith(prefix) and field.type != FieldDescriptor.TYPE_MESSAGE
    }


def options_from(message, kind: type[Options], /, prefix: str = "", **given) -> Options:
    """Fills the dataclass `kind` from the fields of `message` of the same names.

    Args:
      message: a message of the config.
      kind: a dataclass; a field whose type is an `enum.Enum` gets the member of that name.
      prefix: what the names in `message` begin with and those in `kind` do not.
      **given: fields that `message` does not hold as they are wanted.

    Raises:
      TypeError: the dataclass has a field that neither `message` nor `given` fills, or lacks one
        that is given.
    """
    found = fields_of(message, prefix)
    values, unfilled = {}, []
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in given:
            continue
        if field.name not in found:
            unfilled.append(field.name)
            continue
        value = found[field.name]
        if isinstance(field.type, type) and issubclass(field.type, enum.Enum):
            value = field.type[value]
        values[field.name] = value
    if unfilled:
        raise TypeError(
            f"{kind.__name__}.{', '.join(unfilled)}: expected {message.DESCRIPTOR.name} to have "
            f"such a field{f' after {prefix}' if prefix else ''}, or the caller to give it"
        )
    return kind(**values, **given)


def looked_up(table: dict[str, str], name: str | None, what: str) -> Any:
    """What `table` calls `name`, by its import path; nothing else of the table is imported.

    Raises:
      ValueError: `name` is not in the table, or None.
    """
    if name not in table:
        raise ValueError(f"unknown {what}: {name}; expected one of {', '.join(table)}")
    module, _, attribute = table[name].rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def argument_names(kind: Callable) -> tuple[str, ...]:
    """The arguments that a class names; what its `**kwargs` may take is not among them."""
    parameters = inspect.signature(kind.__init__).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(one.name for one in parameters if one.kind in kinds and one.name != "self")


def _value(message, field: FieldDescriptor) -> Any:
    value = getattr(message, field.name)
    if is_repeated(field):
        return tuple(_name(field, one) for one in value)
    return _name(field, value)


def _name(field: FieldDescriptor, value: Any) -> Any:
    if field.type == FieldDescriptor.TYPE_ENUM:
        return field.enum_type.values_by_number[value].name
    return value

"""What a pipeline.config must fulfil beyond its grammar: required fields, ranges, agreement."""

import re
from collections.abc import Iterator

from avatx.config import contradictions, memory, schema
from avatx.config.files import path_problems
from avatx.errors import UserError, shown

# Which text format writes as an escape; a file that has it is taken for a path with a backslash.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check(config, path: str, sources: dict[str, str]) -> None:
    """Checks `config` (a PipelineConfig).

    Args:
      config: the parsed and overridden config.
      path: its file.
      sources: field path ("train_config.batch_size") -> where it was set ("file:line").

    Raises:
      UserError: the first thing that is wrong.
    """
    for field, problem in _problems(config):
        while field and field not in sources:
            alone, bracket, _ = field.rpartition("[")
            # What one of several messages was overridden by stands under their common name.
            field = alone if bracket and field.endswith("]") else field.rpartition(".")[0]
        raise UserError(f"{sources.get(field, path)}: {problem}")


def _problems(config) -> Iterator[tuple[str, str]]:
    """(where to look, what is wrong); each message by itself first."""
    for name, message in schema.set_messages(config):
        prefix = f"{name}." if name else ""
        for field, problem in problems_of(message):
            yield prefix + field, prefix + problem
    yield from path_problems(config)
    yield from contradictions.contradictions(config)
    yield from memory.problems(config)


def problems_of(message) -> Iterator[tuple[str, str]]:
    """What breaks the options of the message's own fields."""
    fields = message.DESCRIPTOR.fields
    for field in fields:
        if schema.is_required(field) and not _is_set(message, field):
            yield field.name, f"{field.name} is missing"
    for oneof in message.DESCRIPTOR.oneofs:
        if message.WhichOneof(oneof.name) is None:
            names = " or ".join(field.name for field in oneof.fields)
            yield oneof.name, f"{names} is missing"
    for field in fields:
        if _is_unknown(message, field):
            continue
        value = getattr(message, field.name)
        values = value if schema.is_repeated(field) else [value]
        limits, choices = schema.range_of(field), schema.choices_of(field)
        for one in values:
            if limits and not limits.holds(one):
                yield field.name, f"{field.name} is {one:g}: expected {limits}"
        for one in values if field.type == field.TYPE_STRING else ():
            if found := _CONTROL.search(one):
                yield (
                    field.name,
                    f"{field.name} is {shown(one)}: expected no control character "
                    f"(U+{ord(found.group()):04X})",
                )
        for one in values if choices else ():
            if str(one) not in choices:
                expected = " or ".join(choice or "nothing" for choice in choices)
                yield field.name, f"{field.name} is '{one}': expected {expected}"


def _is_unknown(message, field) -> bool:
    """Whether a field is neither set nor has a default: then it has no value to check."""
    if schema.is_repeated(field) or field.has_default_value:
        return False
    return not message.HasField(field.name)


def _is_set(message, field) -> bool:
    value = getattr(message, field.name)
    if schema.is_repeated(field):
        return len(value) > 0
    if field.type == field.TYPE_STRING:
        return bool(value.strip())
    return message.HasField(field.name)

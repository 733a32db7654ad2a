"""What differs between two pipeline.configs: the field, its value in one and in the other."""

from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf import text_format

from avatx.config import schema
from avatx.protos import pipeline_pb2

_LONGEST = 60  # characters of a value that are told


class Difference(NamedTuple):
    """A field that two configs set differently."""

    field: str  # its path, "train_config.batch_size"
    before: str  # its value in the first, as text
    now: str  # and in the second


def differences(before: str, now: pipeline_pb2.PipelineConfig) -> list[Difference]:
    """Every field that differs; one that is left out has its default.

    Args:
      before: the text of a pipeline.config.
      now: another one.

    Returns:
      The differing fields in the schema's order; none if `before` is no pipeline.config.
    """
    config = pipeline_pb2.PipelineConfig()
    try:
        text_format.Parse(before, config)
    except text_format.ParseError:  # written by hand, or by another version
        return []
    return list(_differences(config, now, "")) if config.HasField("model") else []


def _differences(before, now, prefix: str) -> Iterator[Difference]:
    for field in before.DESCRIPTOR.fields:
        name = f"{prefix}{field.name}"
        values = getattr(before, field.name), getattr(now, field.name)
        if schema.is_repeated(field):
            told = [_list_as_text(field, some) for some in values]
        elif field.message_type is None:
            told = [_as_text(field, value) for value in values]
        elif before.HasField(field.name) and now.HasField(field.name):
            yield from _differences(*values, f"{name}.")
            continue
        elif field.containing_oneof is not None or not (
            before.HasField(field.name) or now.HasField(field.name)
        ):
            continue  # which one of them is set is told below
        else:
            yield from _differences(*values, f"{name}.")
            continue
        if told[0] != told[1]:
            yield Difference(name, *(_short(text) for text in told))
    for oneof in before.DESCRIPTOR.oneofs:
        chosen = [message.WhichOneof(oneof.name) or "not set" for message in (before, now)]
        if chosen[0] != chosen[1]:
            yield Difference(prefix.removesuffix(".") or oneof.name, *chosen)


def _as_text(field, value) -> str:
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else repr(value)


def _list_as_text(field, values) -> str:
    if field.message_type is not None:
        texts = [
            "{" + text_format.MessageToString(value, as_one_line=True).strip() + "}"
            for value in values
        ]
    else:
        texts = [_as_text(field, value) for value in values]
    return f"[{', '.join(texts)}]"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."

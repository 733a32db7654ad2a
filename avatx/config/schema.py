"""What the protos say of a field beside its type and default: see protos/field_options.proto."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from avatx.protos import field_options_pb2

_NUMBERS = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_FLOAT,
    FieldDescriptor.CPPTYPE_DOUBLE,
)


class Range(NamedTuple):
    """Numbers between two limits, or beyond one; None is no limit."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False  # `low` itself is refused
    high_open: bool = False

    def __str__(self) -> str:
        if self.high is None:
            return f"more than {self.low:g}" if self.low_open else f"at least {self.low:g}"
        return f"in {'(['[not self.low_open]}{self.low:g}, {self.high:g}{')]'[not self.high_open]}"

    def holds(self, value: float) -> bool:
        if value == self.low:
            return not self.low_open
        if value == self.high:
            return not self.high_open
        above = self.low is None or value > self.low
        below = self.high is None or value < self.high
        return above and below and math.isfinite(value)


def range_of(field: FieldDescriptor) -> Range | None:
    """The numbers that are right; None where all are."""
    options = field.GetOptions()
    if not options.HasExtension(field_options_pb2.range):
        return None
    limits = options.Extensions[field_options_pb2.range]
    low_open, high_open = limits.HasField("above"), limits.HasField("below")
    low, high = "above" if low_open else "min", "below" if high_open else "max"
    return Range(
        getattr(limits, low) if limits.HasField(low) else None,
        getattr(limits, high) if limits.HasField(high) else None,
        low_open,
        high_open,
    )


def choices_of(field: FieldDescriptor) -> tuple[str, ...]:
    """The values that are right, as text; none where all are."""
    return tuple(field.GetOptions().Extensions[field_options_pb2.choices].of)


def unit_of(field: FieldDescriptor) -> str:
    """What a number counts, in the plural; empty where it counts nothing."""
    return field.GetOptions().Extensions[field_options_pb2.unit]


def is_required(field: FieldDescriptor) -> bool:
    return field.GetOptions().Extensions[field_options_pb2.required]


def read_by(field: FieldDescriptor) -> str:
    """The only meta-architecture that reads it; empty where each does."""
    return field.GetOptions().Extensions[field_options_pb2.read_by]


def file_of(field: FieldDescriptor) -> str:
    """What kind of file a text names ("LABEL_MAP"); empty where it names none."""
    options = field.GetOptions()
    if not options.HasExtension(field_options_pb2.file):
        return ""
    return field_options_pb2.File.Name(options.Extensions[field_options_pb2.file])


def is_number(field: FieldDescriptor) -> bool:
    return field.cpp_type in _NUMBERS


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field is a list: protobuf 6 deprecates what protobuf 4 says it by."""
    newer = getattr(field, "is_repeated", None)
    if newer is None:
        return field.label == FieldDescriptor.LABEL_REPEATED
    return newer() if callable(newer) else newer


def all_messages(descriptor: Descriptor) -> list[Descriptor]:
    """`descriptor` and every kind of message inside it, each once, outer ones first."""
    found = {descriptor.full_name: descriptor}
    waiting = [descriptor]
    while waiting:
        for field in waiting.pop(0).fields:
            inner = field.message_type
            if inner is not None and inner.full_name not in found:
                found[inner.full_name] = inner
                waiting.append(inner)
    return list(found.values())


def set_messages(message, name: str = "") -> Iterator[tuple[str, Any]]:
    """`message` and every message that is set inside it, with their paths (`numbered`)."""
    yield name, message
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            full = f"{name}.{field.name}" if name else field.name
            for index, one in enumerate(value if is_repeated(field) else [value]):
                yield from set_messages(one, numbered(full, index))


def numbered(name: str, index: int) -> str:
    """The path of one of the messages of a repeated field: "name", "name[1]", "name[2]"."""
    return f"{name}[{index}]" if index else name

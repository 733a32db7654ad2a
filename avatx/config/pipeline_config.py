"""Reads, overrides, checks and writes a pipeline.config.

A pipeline.config is a text proto (protos/pipeline.proto). Unknown fields, values of the wrong
type or out of range and contradictions between fields are refused in one line that names file,
line and field.
"""

import os
import re
from collections.abc import Iterable

from google.protobuf import descriptor as descriptors
from google.protobuf import text_format

from avatx import file_systems
from avatx.atomic_file import atomic_text_file
from avatx.config import checks as config_checks
from avatx.config import lines as config_lines
from avatx.config import parse_errors, schema, shipped, slips
from avatx.config.files import expand_paths
from avatx.errors import UserError
from avatx.protos import pipeline_pb2

Field = descriptors.FieldDescriptor
_MAX_CHARACTERS = 1 << 24  # of a file


def load(
    path: str | os.PathLike[str], overrides: Iterable[str] = ()
) -> pipeline_pb2.PipelineConfig:
    """Reads `path`, applies `overrides` ("train_config.batch_size=4") and checks the result.

    Args:
      path: a file; or a shipped config's name ("ava/tx_highres_r300"), where no file is called so.
      overrides: "field=value", see `apply_override`.

    Raises:
      UserError: the file is missing, does not parse, or breaks a check.
    """
    path = shipped.find(os.fspath(path))
    try:
        with file_systems.open_text(path) as file:  # as editors of Windows write it
            text = file.read(_MAX_CHARACTERS + 1)
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: cannot be read as a pipeline.config: {error.strerror}; {shipped.hint(path)}"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: cannot be read as a pipeline.config: it is not in UTF-8 ({error}); save it "
            "in that encoding"
        ) from None
    except (OSError, ValueError) as error:  # a zero byte in the path is a ValueError
        raise UserError(f"{path}: cannot be read as a pipeline.config: {error}") from None
    if len(text) > _MAX_CHARACTERS:
        raise UserError(
            f"{path}: cannot be read as a pipeline.config: is longer than "
            f"{_MAX_CHARACTERS >> 20} MiB"
        )
    if slip := slips.find(text):
        raise UserError(f"{path}:{slip.line}: {slip.problem}")
    config = pipeline_pb2.PipelineConfig()
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as error:
        raise UserError(f"{path}:{parse_errors.explain(str(error))}") from None
    except RecursionError:
        raise _too_deep(path) from None
    sources = {name: f"{path}:{line}" for name, line in config_lines.field_lines(text).items()}
    for override in overrides:
        name = apply_override(config, override)
        # What the file says inside of an overridden message does not count any more.
        inside = (f"{name}.", f"{name}[")
        sources = {key: at for key, at in sources.items() if not key.startswith(inside)}
        sources[name] = f"override {override}"
    try:
        expand_paths(config)
        config_checks.check(config, path, sources)
    except RecursionError:
        raise _too_deep(path) from None
    return config


def _too_deep(path: str) -> UserError:
    return UserError(f"{path}: messages stand inside each other without end: expected a dozen")


def write(config: pipeline_pb2.PipelineConfig, path: str) -> None:
    """Writes `config` as text, whole or not at all."""
    with atomic_text_file(path) as file:
        file.write(text_format.MessageToString(config))


def apply_override(config, override: str) -> str:
    """Sets one field of `config` from "path.to.field=value"; returns the path.

    A scalar's value is written plainly; a repeated field's as [a, b] (one value alone stands for
    a list of one); a message's as { ... } in text format. `field[0]` names an element.

    Raises:
      UserError: no such field, or no such value.
    """
    path, equals, value = override.partition("=")
    path = path.strip()
    where = f"override {override}"
    if not equals:
        raise UserError(f"{where}: expected field=value, for example train_config.batch_size=4")
    message, parts = config, path.split(".")
    for depth, part in enumerate(parts):
        match = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", part)
        if not match:
            raise UserError(f"{where}: '{part}' is not a field name")
        name, index = match[1], match[2]
        field = message.DESCRIPTOR.fields_by_name.get(name)
        if field is None:
            raise UserError(f"{where}: {parse_errors.no_field(message.DESCRIPTOR, name)}")
        last = depth == len(parts) - 1
        if index is not None and (not schema.is_repeated(field) or last):
            raise UserError(
                f"{where}: '{part}': only fields inside repeated messages have an index"
            )
        if last:
            _set(message, field, value.strip(), where)
        elif field.type != Field.TYPE_MESSAGE:
            raise UserError(f"{where}: '{name}' is a value and has no field '{parts[depth + 1]}'")
        elif schema.is_repeated(field):
            elements = getattr(message, name)
            if index is None or int(index) >= len(elements):
                raise UserError(
                    f"{where}: '{name}' has {len(elements)} elements: name one as {name}[0]"
                )
            message = elements[int(index)]
        else:
            message = getattr(message, name)
            message.SetInParent()
    return path


def _set(message, field, value: str, where: str) -> None:
    """Sets `field` of `message` by letting the text format parse "name: value"."""
    repeated = schema.is_repeated(field)
    if repeated and value.startswith("[") and value.endswith("]"):
        values = [part.strip() for part in value[1:-1].split(",") if part.strip()]
    else:
        values = [value]
    as_in_a_file = field.type != Field.TYPE_STRING or value[:1] in "[\"'"
    if as_in_a_file and (slip := slips.find(f"{field.name}: {value}")):
        raise UserError(f"{where}: {slip.problem}")
    if field.type == Field.TYPE_STRING:
        values = [f'"{text_format.text_encoding.CEscape(_unquote(part), True)}"' for part in values]
    colon = "" if field.type == Field.TYPE_MESSAGE else ": "
    text = "\n".join(f"{field.name}{colon}{part}" for part in values)
    parsed = type(message)()
    try:
        text_format.Merge(text, parsed)
    except text_format.ParseError as error:
        raise UserError(f"{where}: {parse_errors.explain(str(error)).partition(': ')[2]}") from None
    except RecursionError:
        raise _too_deep(where) from None
    if any(other.name != field.name for other, _ in parsed.ListFields()):
        raise UserError(f"{where}: expected one value: each field is set by an override of its own")
    message.ClearField(field.name)
    message.MergeFrom(parsed)


def _unquote(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text

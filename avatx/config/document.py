"""docs/config.md: every field of a pipeline.config, from the comments and options of the protos.

    python -m avatx.config.document protos docs/config.md

Comments are in the .proto sources only, so this runs in a checkout; all else is in the compiled
schema. A field without a comment of its own that stands directly under another shares that one's.
"""

import pathlib
import re
import sys

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from avatx.config import schema
from avatx.protos import pipeline_pb2

_INTRODUCTION = """\
# Every field of a pipeline.config

Made by `make config-docs` from `protos/*.proto`; change it there. A config is a text proto whose
outermost message is [PipelineConfig](#pipelineconfig). Any field can be set on the command line:
`--override train_config.batch_size=4`. A field that is left out has its default; where there is
none, what that means is said. "required" fields must be set. A value outside of what is listed
under "values" is refused with its file and line before anything is built.

`configs/` holds whole files to begin with; wherever a config is asked for, one of them can be given
by its name, such as `ava/tx_highres_r300`, installed or not, unless there is a file of that name.
A relative path in a config is relative to the folder in which the program is started, not to the
config's; `~` and `$VARIABLE` stand for what they do in a shell.
`tools/check_config.py` checks a config, builds its model and prints its shapes, parameters and
learning rate. Of each file that the config names and that is not there it says what makes it, in a
line that begins with `missing:`; the exit code is 0 all the same, for a config may be checked
before its data are there, and 1 with `--require_files`.
"""

_BLOCK = re.compile(r"\s*(message|enum|oneof|extend) ([\w.]+) \{")
_FIELD = re.compile(r"\s*(?:(?:optional|repeated) )?[\w.]+ (\w+) = -?\d+.*")
_ENUM_VALUE = re.compile(r"\s*(\w+) = -?\d+;(?:\s*// (.*))?")


def comments(text: str, package: str = "avatx") -> dict[str, str]:
    """The comments of one .proto file, by the full names of what they are about.

    Args:
      text: the file.
      package: what full names begin with.

    Returns:
      full name of a message, enum, field or enum value ("avatx.Clip.num_frames") -> its comment on
      one line; "" -> the comment at the head of the file.
    """
    found: dict[str, str] = {}
    path: list[tuple[str, str]] = []  # (kind, name) of the blocks around the line
    pending: list[str] = []  # lines of the comment above
    shared = ""  # the comment of the field directly above
    options = False  # inside of a field's [...]
    for line in text.splitlines():
        stripped = line.strip()
        names = [package, *(name for kind, name in path if kind != "oneof")]
        if options:
            options = not stripped.startswith("]")
        elif stripped.startswith("//"):
            pending.append(stripped[2:].strip())
        elif stripped.startswith("syntax"):
            found[""] = " ".join(pending)
            pending = []
        elif block := _BLOCK.match(line):
            found[".".join([*names, block[2]])] = " ".join(pending)
            path.append((block[1], block[2]))
            pending, shared = [], ""
        elif stripped.startswith("}"):
            path.pop()
            pending, shared = [], ""
        elif path and path[-1][0] == "enum" and (value := _ENUM_VALUE.match(line)):
            found[".".join([*names, value[1]])] = " ".join(pending) or value[2] or ""
            pending = []
        elif path and (field := _FIELD.match(line)):
            shared = " ".join(pending) or shared
            found[".".join([*names, field[1]])] = shared
            pending, options = [], stripped.endswith("[")
        else:  # an empty line, or one about something else
            pending, shared = [], ""
    return found


def document(folder: pathlib.Path) -> str:
    """The page, from the .proto files in `folder`."""
    said: dict[str, str] = {}
    heads: dict[str, str] = {}
    for path in sorted(folder.glob("*.proto")):
        of_file = comments(path.read_text(encoding="utf-8"))
        heads[path.name] = of_file.pop("")
        said.update(of_file)
    paths = _paths(pipeline_pb2.PipelineConfig.DESCRIPTOR)
    parts, files = [_INTRODUCTION], []
    for message in _in_reading_order(pipeline_pb2.PipelineConfig.DESCRIPTOR):
        file = pathlib.PurePosixPath(message.file.name).name
        if file not in files:
            files.append(file)
            title, _, rest = heads[file].partition(". ")
            parts.append(f"## {title.removesuffix('.')}\n" + (f"\n{rest}\n" if rest else ""))
        parts.append(_section(message, said, paths[message.full_name]))
    return "\n".join(parts)


def _in_reading_order(descriptor: Descriptor) -> list[Descriptor]:
    """Every kind of message once, those of one file together, outer ones first."""
    messages = schema.all_messages(descriptor)
    files = list(dict.fromkeys(message.file.name for message in messages))
    return sorted(messages, key=lambda message: files.index(message.file.name))


def _paths(descriptor: Descriptor) -> dict[str, list[str]]:
    """Full name of a message -> where in a config it stands."""
    found: dict[str, list[str]] = {}

    def visit(message: Descriptor, path: str, outside: tuple[str, ...]) -> None:
        found.setdefault(message.full_name, []).append(path)
        for field in message.fields:
            inner = field.message_type
            if inner is not None and inner.full_name not in (*outside, message.full_name):
                name = f"{path}.{field.name}" if path else field.name
                visit(inner, name, (*outside, message.full_name))

    visit(descriptor, "", ())
    return found


def _section(message: Descriptor, said: dict[str, str], paths: list[str]) -> str:
    """A message: its comment, where it stands, and a table of its fields."""
    lines = [f"### {message.name}", ""]
    if comment := said[message.full_name]:
        lines += [comment, ""]
    if places := [f"`{path}`" for path in paths if path]:
        lines += [f"In {', '.join(places)}.", ""]
    for oneof in message.oneofs:
        names = " or ".join(f"`{field.name}`" for field in oneof.fields)
        lines += [
            f"Exactly one of {names}." if len(oneof.fields) > 1 else f"{names}: required.",
            "",
        ]
    lines += ["| field | default | values | meaning |", "|---|---|---|---|"]
    for field in message.fields:
        cells = (f"`{field.name}`", _default(field), _values(field), _meaning(field, said))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    for field in message.fields:
        if field.enum_type:
            lines += ["", *_enum(field.enum_type, said)]
    return "\n".join(lines) + "\n"


def _enum(enum: EnumDescriptor, said: dict[str, str]) -> list[str]:
    return [f"- `{value.name}`: {said[f'{enum.full_name}.{value.name}']}" for value in enum.values]


def _default(field: FieldDescriptor) -> str:
    if schema.is_required(field):
        return "required"
    if field.message_type or schema.is_repeated(field) or not field.has_default_value:
        return ""
    value = field.default_value
    if field.enum_type:
        return f"`{field.enum_type.values_by_number[value].name}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`' if value else "empty"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _values(field: FieldDescriptor) -> str:
    """Type, range or choices, and unit."""
    if field.message_type:
        inner = f"[{field.message_type.name}](#{field.message_type.name.lower()})"
        return f"any number of {inner}" if schema.is_repeated(field) else inner
    if field.enum_type:
        found = " ".join(f"`{value.name}`" for value in field.enum_type.values)
    elif choices := schema.choices_of(field):
        found = " ".join(f"`{choice}`" if choice else "empty" for choice in choices)
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        found = "`true` `false`"
    elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        found = "text"
    else:
        whole = field.cpp_type not in (
            FieldDescriptor.CPPTYPE_FLOAT,
            FieldDescriptor.CPPTYPE_DOUBLE,
        )
        natural = field.cpp_type == FieldDescriptor.CPPTYPE_UINT32
        limits = schema.range_of(field) or (schema.Range(0) if natural else None)
        found = f"{'whole, ' if whole else ''}{limits or 'any'}"
    unit = schema.unit_of(field)
    found += f"; {unit}" if unit else ""
    return f"list of: {found}" if schema.is_repeated(field) else found


def _meaning(field: FieldDescriptor, said: dict[str, str]) -> str:
    meaning = said[field.full_name]
    if not meaning and field.message_type:
        meaning = said[field.message_type.full_name]
    reader = schema.read_by(field)
    return f"{meaning} Read by `{reader}` only." if reader else meaning


def main(folder: str, output: str) -> None:
    """Writes the page."""
    pathlib.Path(output).write_text(document(pathlib.Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

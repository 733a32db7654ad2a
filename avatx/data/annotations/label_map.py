"""Label maps: which class ids exist and what they are called.

Reads the text format of the Object Detection API and of AVA's releases:

    item { name: "stand" id: 12 }
    label { name: "stand" label_id: 12 label_type: PERSON_MOVEMENT }

by a small tokenizer of protobuf's text format, so that a message tells the line. Fields it does
not know (`display_name`, ...) are read over.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from avatx.atomic_file import atomic_text_file
from avatx.errors import UserError, relative_to


@dataclass
class LabelMap:
    """Attributes:
    names: class id (1-based, gaps allowed) to name, in the file's order.
    groups: class id to its `label_type` (PERSON_MOVEMENT, ...), where the file has one.
    """

    names: dict[int, str]
    groups: dict[int, str] = field(default_factory=dict)

    @property
    def max_id(self) -> int:
        """The largest class id, which is the number of classes a model needs; 0 if empty."""
        return max(self.names, default=0)

    def __len__(self) -> int:
        return len(self.names)


_TOKEN = re.compile(
    r"""(?P<space>[\s,;]+|\#[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*')
      | (?P<word>[A-Za-z_][\w.]*)
      | (?P<number>[-+]?\d[\w.+-]*)
      | (?P<mark>[{}<>:\[\]])""",
    re.VERBOSE | re.DOTALL,
)
_NAME_FIELDS = ("name", "label_name")
_ID_FIELDS = ("id", "label_id")
_CLOSING = {"{": "}", "<": ">"}
_SIMPLE_ESCAPES = dict(
    zip("nrtabfv", (b"\n", b"\r", b"\t", b"\a", b"\b", b"\f", b"\v"), strict=True)
)


def _unquote(token: str) -> str:
    """The text of a quoted protobuf string; octal and hex escapes are bytes of UTF-8."""

    def escape(match):
        body = match.group(1)
        if body[0] == b"x"[0]:
            return bytes([int(body[1:], 16)])
        if body[:1].isdigit():
            return bytes([int(body, 8) & 255])
        return _SIMPLE_ESCAPES.get(body.decode("latin1"), body)

    raw = token[1:-1].encode("utf-8")
    raw = re.sub(rb"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", escape, raw, flags=re.DOTALL)
    return raw.decode("utf-8", errors="replace")


def _tokens(text: str, path: str) -> Iterator[tuple[str, str, int]]:
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise UserError(
                f"{path}, line {line}: {text[position : position + 20].splitlines()[0]!r} is not "
                'label map text; expected items such as item { name: "stand" id: 12 }'
            )
        if match.lastgroup != "space":
            yield match.lastgroup, match.group(), line
        line += match.group().count("\n")
        position = match.end()


class _Parser:
    def __init__(self, text: str, path: str):
        self.path = path
        self.tokens = list(_tokens(text, path))
        self.last_line = text.count("\n") + 1
        self.position = 0

    def peek(self) -> tuple[str, str, int]:
        if self.position < len(self.tokens):
            return self.tokens[self.position]
        return "end", "the end of the file", self.last_line

    def next(self) -> tuple[str, str, int]:
        token = self.peek()
        self.position += 1
        return token

    def fail(self, token, expected: str):
        raise UserError(f"{self.path}, line {token[2]}: {token[1]} where {expected} was expected")

    def message(self, closing: str):
        """Yields (field name, value, line) up to `closing`; a value is str, int or a list."""
        while True:
            token = self.next()
            if token[1] == closing and token[0] in ("mark", "end"):
                return
            if token[0] != "word":
                self.fail(token, f"a field name or {closing}")
            yield token[1], self.value(), token[2]

    def value(self):
        if self.peek()[1] == ":":
            self.next()
            token = self.peek()
            if token[1] not in _CLOSING:
                return self.scalar()
        token = self.next()
        if token[0] != "mark" or token[1] not in _CLOSING:
            self.fail(token, "':' or '{'")
        return list(self.message(_CLOSING[token[1]]))

    def scalar(self):
        token = self.next()
        if token[0] == "string":
            text = _unquote(token[1])
            while self.peek()[0] == "string":  # adjacent strings are one, as in C
                text += _unquote(self.next()[1])
            return text
        if token[0] == "number":
            try:
                return int(token[1], 0) if token[1].lower().startswith("0x") else int(token[1])
            except ValueError:
                return token[1]
        if token[0] == "word":
            return token[1]
        return self.fail(token, "a value")


def parse_label_map(text: str, path: str = "label map") -> LabelMap:
    """Parses pbtxt. Raises UserError naming `path` and the line."""
    parser = _Parser(text, path)
    label_map, lines = LabelMap({}), {}
    for _, item, line in parser.message("the end of the file"):
        if not isinstance(item, list):
            raise UserError(f"{path}, line {line}: expected item {{ ... }}, found {item!r}")
        name = class_id = group = None
        for key, value, at in item:
            if key in _NAME_FIELDS:
                if not isinstance(value, str):
                    raise UserError(f"{path}, line {at}: {key} must be a quoted text, not {value}")
                name = value
            elif key in _ID_FIELDS:
                if not isinstance(value, int) or value < 1:
                    raise UserError(
                        f"{path}, line {at}: {key} must be a whole number from 1 on (0 is the "
                        f"background), not {value!r}"
                    )
                class_id = value
            elif key == "label_type" and isinstance(value, (str, int)):
                group = str(value)
        if name is None or class_id is None:
            missing = "name" if name is None else "id"
            raise UserError(f"{path}, line {line}: this item has no {missing}")
        if class_id in lines:
            raise UserError(
                f"{path}, line {line}: id {class_id} was given on line {lines[class_id]} already"
            )
        if name in label_map.names.values():
            raise UserError(f"{path}, line {line}: the name {name!r} was given already")
        lines[class_id] = line
        label_map.names[class_id] = name
        if group is not None:
            label_map.groups[class_id] = group
    if not label_map.names:
        raise UserError(f'{path} holds no item; expected item {{ name: "stand" id: 12 }} and so on')
    return label_map


def read_label_map(path) -> LabelMap:
    """Reads a label map file. Raises UserError naming the file and the line."""
    path = os.fspath(path)
    try:
        with open(path, encoding="utf-8-sig") as file:
            return parse_label_map(file.read(), path)
    except OSError as error:
        raise UserError(f"{path}{relative_to(path)} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a label map: it is not UTF-8 text") from error


def _quote(name: str) -> str:
    name = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{name}"'


def write_label_map(path, label_map: LabelMap) -> None:
    """Writes `name`/`id` items in the order of `label_map.names`, with groups where known."""
    with atomic_text_file(path) as file:
        for class_id, name in label_map.names.items():
            file.write(f"item {{\n  name: {_quote(name)}\n  id: {class_id}\n")
            if class_id in label_map.groups:
                file.write(f"  label_type: {label_map.groups[class_id]}\n")
            file.write("}\n")

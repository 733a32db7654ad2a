"""Label maps: which class ids exist and what they are called.

Reads the text format of the Object Detection API and of AVA's releases:

    item { name: "stand" id: 12 }
    label { name: "stand" label_id: 12 label_type: PERSON_MOVEMENT }

by a small tokenizer of protobuf's text format, so that a message tells the line. Fields it does
not know (`display_name`, ...) are read over. What protobuf refuses is refused: an escape that is
none, a field given twice, messages nested without end. Ids are bounded, for arrays have that size.
"""

import os
import re
from dataclasses import dataclass, field
from typing import Any

from avatx import file_systems
from avatx.atomic_file import atomic_text_file
from avatx.errors import UserError, relative_to, shortened, shown

MAX_CLASS_ID = 100_000  # a model has a logit, and an evaluation a column, for each id up to it
_MAX_CHARACTERS = 1 << 26  # of a file
_MAX_DEPTH = 100  # of messages in messages, as protobuf


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


# Spaces and comments, which matching never tries in two ways, and after them one token.
_TOKEN = re.compile(
    r"""[\s,;]*(?:\#[^\n]*(?:\n|\Z)[\s,;]*)*
      (?:(?P<string>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*')
      | (?P<word>[A-Za-z_][\w.]*)
      | (?P<number>[-+]?\d[\w.+-]*)
      | (?P<mark>[{}<>:\[\]])
      | (?P<end>\Z)
      | (?P<wrong>.))""",
    re.VERBOSE | re.DOTALL,
)
_NAME_FIELDS = ("name", "label_name")
_ID_FIELDS = ("id", "label_id")
_CLOSING = {"{": "}", "<": ">"}
_ESCAPE = re.compile(
    rb"""\\(?:(?P<simple>[abfnrtv?'"\\])|(?P<octal>[0-7]{1,3})|[xX](?P<hex>[0-9a-fA-F]{1,2})"""
    rb"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<wrong>.))",
    re.DOTALL,
)
_SIMPLE_ESCAPES = dict(
    zip((b"n", b"r", b"t", b"a", b"b", b"f", b"v"), b"\n\r\t\a\b\f\v", strict=True)
)
_INTEGER = re.compile(r"[-+]?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0(?P<octal>[0-7]+)|0|[1-9][0-9]*)")
_MAX_DIGITS = 40  # beyond 64 bits by far


def _unquote(token: str) -> bytes:
    """The bytes of a quoted protobuf string; octal and hex escapes are bytes of UTF-8.

    Raises ValueError for an escape that is none.
    """

    def escape(match: re.Match) -> bytes:
        if match["simple"]:
            return bytes([_SIMPLE_ESCAPES.get(match["simple"], match["simple"][0])])
        if match["octal"] or match["hex"]:
            number = int(match["octal"], 8) if match["octal"] else int(match["hex"], 16)
            if number < 256:
                return bytes([number])
        elif match["short"] or match["long"]:
            number = int(match["short"] or match["long"], 16)
            if number < 0x110000 and not 0xD800 <= number < 0xE000:
                return chr(number).encode()
        # The backslash may stand before any character, of several bytes or a line end too.
        beginning = match.string[match.start() : match.start() + 8].decode(errors="ignore")
        text = match[0].decode(errors="ignore") if match["wrong"] is None else beginning[:2]
        text = text if text.isprintable() else repr(text)[1:-1].replace("\\\\", "\\", 1)
        raise ValueError(f"{text} is no escape of protobuf's text format")

    raw = token[1:-1].encode("utf-8")
    return _ESCAPE.sub(escape, raw) if b"\\" in raw else raw


def _integer(token: str) -> int | None:
    """A whole number as protobuf's text format has them (012 is octal), None if it is none."""
    match = _INTEGER.fullmatch(token)
    if match is None or len(token) > _MAX_DIGITS:
        return None
    if match["octal"]:
        value = int(match["octal"], 8)
    else:
        value = int(match["hex"], 16) if match["hex"] else int(token)
    return -abs(value) if token.startswith("-") else value


class _Parser:
    """A token is (kind, text, where it begins); lines are found out where a message needs one."""

    def __init__(self, text: str, path: str):
        self.path = path
        self.text = text
        self.position = 0
        self.depth = 0
        self.tokens: list[tuple[str, str, int]] = []
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup or "end"
            if kind == "end":
                break
            if kind == "wrong":
                self._refuse(match.start(kind))
            self.tokens.append((kind, match[kind], match.start(kind)))
        self.tokens.append(("end", "the end of the file", len(text)))

    def line(self, at: int) -> int:
        """The line, from 1, of a place in the text."""
        return self.text.count("\n", 0, at) + 1

    def error(self, at: int, problem: str) -> UserError:
        return UserError(f"{self.path}, line {self.line(at)}: {problem}")

    def _refuse(self, at: int) -> None:
        found = shown(self.text[at : at + 20].splitlines()[0])
        raise self.error(
            at,
            f'{found} is not label map text; expected items such as item {{ name: "stand" '
            "id: 12 }",
        )

    def peek(self) -> tuple[str, str, int]:
        return self.tokens[self.position]

    def next(self) -> tuple[str, str, int]:
        token = self.tokens[self.position]
        if token[0] != "end":
            self.position += 1
        return token

    def fail(self, token, expected: str):
        raise self.error(token[2], f"{shortened(token[1], 80)} where {expected} was expected")

    def message(self, closing: str):
        """Yields (field name, value, where it begins); a value is str, int, or a message's list."""
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
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error(
                token[2],
                f"more than {_MAX_DEPTH} messages inside each other; expected items such as "
                'item { name: "stand" id: 12 }',
            )
        values = list(self.message(_CLOSING[token[1]]))
        self.depth -= 1
        return values

    def scalar(self):
        token = self.next()
        if token[0] == "string":
            parts = [token]
            while self.peek()[0] == "string":  # adjacent strings are one, as in C
                parts.append(self.next())
            try:
                return b"".join([_unquote(part[1]) for part in parts]).decode("utf-8")
            except UnicodeDecodeError:
                raise self.error(token[2], "a text is not UTF-8") from None
            except ValueError as error:
                raise self.error(token[2], f"{error}") from None
        if token[0] == "number":
            value = _integer(token[1])
            return token[1] if value is None else value
        if token[0] == "word":
            return token[1]
        return self.fail(token, "a value")


def _read_item(item: list, parser: _Parser, begin: int) -> tuple[int, str, str | None]:
    """(class id, name, group) of one item. Raises UserError."""
    found: dict[str, Any] = {}
    for key, value, at in item:
        if key in _NAME_FIELDS:
            if not isinstance(value, str):
                raise parser.error(at, f"{key} must be a quoted text, not {shown(value)}")
            kind = "name"
        elif key in _ID_FIELDS:
            if not isinstance(value, int) or value < 1:
                raise parser.error(
                    at,
                    f"{key} must be a whole number from 1 on (0 is the background), not "
                    f"{shown(value)}",
                )
            if value > MAX_CLASS_ID:
                raise parser.error(
                    at,
                    f"{key} is {value}; expected {MAX_CLASS_ID:,} at most, for a model has an "
                    "output for each number up to the largest id",
                )
            kind = "id"
        elif key == "label_type" and isinstance(value, (str, int)):
            kind, value = "label_type", str(value)
        else:
            continue
        if kind in found:
            raise parser.error(at, f"this item has a second {key}")
        found[kind] = value
    for kind in ("name", "id"):
        if kind not in found:
            raise parser.error(begin, f"this item has no {kind}")
    return found["id"], found["name"], found.get("label_type")


def parse_label_map(text: str, path: str = "label map") -> LabelMap:
    """Parses pbtxt. Raises UserError naming `path` and the line."""
    parser = _Parser(text, path)
    label_map = LabelMap({})
    began: dict[int | str, int] = {}  # where the item of an id, and of a name, begins
    for _, item, begin in parser.message("the end of the file"):
        if not isinstance(item, list):
            raise parser.error(begin, f"expected item {{ ... }}, found {shown(item)}")
        class_id, name, group = _read_item(item, parser, begin)
        for given in (class_id, name):
            if given in began:
                what = f"id {class_id}" if given == class_id else f"the name {shown(name)}"
                first = parser.line(began[given])
                raise parser.error(begin, f"{what} was given on line {first} already")
            began[given] = begin
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
        with file_systems.open_text(path) as file:
            text = file.read(_MAX_CHARACTERS + 1)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a label map: it is not UTF-8 text") from error
    except (OSError, ValueError) as error:  # a zero byte in a path is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}{relative_to(path)} cannot be read: {reason}") from error
    if len(text) > _MAX_CHARACTERS:
        raise UserError(f"{path} is not a label map: it is longer than {_MAX_CHARACTERS >> 20} MiB")
    return parse_label_map(text, path)


def _quote(name: str) -> str:
    name = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{name}"'


_PLAIN_VALUE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|0|-?[1-9][0-9]{0,17}")


def write_label_map(path, label_map: LabelMap) -> None:
    """Writes `name`/`id` items in the order of `label_map.names`, with groups where known."""
    with atomic_text_file(path) as file:
        for class_id, name in label_map.names.items():
            file.write(f"item {{\n  name: {_quote(name)}\n  id: {class_id}\n")
            if class_id in label_map.groups:
                group = label_map.groups[class_id]
                plain = _PLAIN_VALUE.fullmatch(group)
                file.write(f"  label_type: {group if plain else _quote(group)}\n")
            file.write("}\n")

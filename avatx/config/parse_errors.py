"""What protobuf says of a text proto that does not parse, in words for whoever wrote it."""

import difflib
import re

from google.protobuf import symbol_database

_ENUM = re.compile(
    r"""[Ee]num type "([\w.]+)" has no value named (\w+|"[^"]*"|'[^']*')"""  # as it was written
)
_QUOTED = re.compile(r"""Couldn't parse (?:integer|float): (["'].*["'])""")
_BOOLEAN = re.compile(r"""(\w+): *(["']\w*["']).*Expected "true" or "false\"""")


def explain(message: str) -> str:
    """Turns protobuf's parse error into "line: field and remedy"."""
    line, text = "", message
    if match := re.match(r"(\d+):\d+ ?: ?(.*)", message, re.DOTALL):
        line, text = match[1], match[2]
    if match := re.search(r'[Mm]essage type "([\w.]+)" has no field named "(\w+)"', text):
        owner = symbol_database.Default().pool.FindMessageTypeByName(match[1])
        text = no_field(owner, match[2])
    elif match := _ENUM.search(text):
        enum = symbol_database.Default().pool.FindEnumTypeByName(match[1])
        names = [value.name for value in enum.values]
        bare = match[2].strip("\"'")
        if bare in names and bare != match[2]:
            text = f"{match[2]}: quotes too many, expected {bare}"
        else:
            text = f"'{bare}' is not a value: expected {' or '.join(names)}"
    elif match := _QUOTED.search(text):
        text = f"{match[1]}: quotes too many, expected a number as {match[1][1:-1] or 1}"
    elif match := _BOOLEAN.search(text):
        text = f"{match[1]}: {match[2]}: quotes too many, expected true or false"
    elif match := re.search(r"(\w+): .*Expected string but found: '(.*)'", text):
        text = f"{match[1]}: expected quotes around the value, which begins with {match[2]}"
    else:  # protobuf quotes the line it stands on; one line is enough
        text = " ".join(text.split())
    return f"{line}: {text}"


def no_field(message_descriptor, name: str) -> str:
    """What to say of a field that a message does not have."""
    names = [field.name for field in message_descriptor.fields]
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean '{nearest[0]}'?" if nearest else f"it has: {', '.join(names)}"
    return f"unknown field '{name}' in {message_descriptor.name}; {hint}"

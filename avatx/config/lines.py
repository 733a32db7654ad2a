"""On which line of a text proto each field stands, for error messages."""

import re

_TOKEN = re.compile(
    r"""(?P<skip>\#[^\n]*|[ \t\r,;]+)|(?P<newline>\n)"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|(?P<open>[{<])|(?P<close>[}>])|(?P<colon>:)|(?P<bracket>[\[\]])"""
    r"""|(?P<word>[^\s{}<>:\[\],;"'\#]+)"""
)


def field_lines(text: str) -> dict[str, int]:
    """Maps "train_config.batch_size" to its line (from 1); the last one of a repeated field.

    `text` is a text proto that protobuf has parsed already, so its syntax is right.
    """
    lines: dict[str, int] = {}
    path: list[str] = []
    lists: list[int] = []  # how deep `path` was where each open [ stands
    line, name, expects_value = 1, "", False
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "newline":
            line += 1
        elif kind == "colon":
            expects_value = True
        elif kind == "bracket" and token.group() == "[":
            lists.append(len(path))
            expects_value = False
        elif kind == "bracket":
            lists.pop()
        elif kind == "open":
            path.append(name)
            expects_value = False
        elif kind == "close":
            name = path.pop()
        elif kind in ("word", "string"):
            if not expects_value and not (lists and lists[-1] == len(path)):
                name = token.group()
                lines[".".join(path + [name])] = line
            expects_value = False
    return lines

"""On which line of a text proto each field stands, for error messages."""

import re
from collections import Counter

from avatx.config.schema import numbered

_TOKEN = re.compile(
    r"""(?P<skip>\#[^\n]*|[ \t\r,;]+)|(?P<newline>\n)"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|(?P<open>[{<])|(?P<close>[}>])|(?P<colon>:)|(?P<bracket>[\[\]])"""
    r"""|(?P<word>[^\s{}<>:\[\],;"'\#]+)"""
)


def field_lines(text: str) -> dict[str, int]:
    """Maps "train_config.batch_size" to its line (from 1).

    Of a repeated field the first one; of repeated messages each, the second as
    "train_config.data_augmentation_options[1]" (`avatx.config.schema.numbered`).

    `text` is a text proto that protobuf has parsed already, so its syntax is right.
    """
    lines: dict[str, int] = {}
    path: list[str] = []
    counts: Counter[str] = Counter()  # of the messages of one name in one message
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
            place = ".".join(path + [name])
            path.append(numbered(name, counts[place]))
            counts[place] += 1
            lines.setdefault(".".join(path), line)  # of the first its name's, which stands
            expects_value = False
        elif kind == "close":
            name = path.pop().partition("[")[0]
        elif kind in ("word", "string"):
            if not expects_value and not (lists and lists[-1] == len(path)):
                name = token.group()
                lines.setdefault(".".join(path + [name]), line)
            expects_value = False
    return lines

"""Protobuf's text format without a schema: fields of a file whose protos are not here."""

import re
from typing import Any

from google.protobuf import text_encoding

from avatx.errors import UserError, shown

Tree = list[tuple[str, Any, int]]  # (field, a text, number, word or another Tree; line)

_TOKEN = re.compile(
    r"""[\s,;]*(?:\#[^\n]*(?:\n|\Z)[\s,;]*)*(?P<token>
    "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | [-+]?\.?\d[\w.+-]* | -?[A-Za-z_][\w.]*
    | [{}<>:\[\]] | \Z)""",
    re.VERBOSE,
)
_DEEPEST = 50


def parse(text: str, path: str) -> Tree:
    """The fields of a file, in order.

    Raises:
      UserError: it is no such text; names file and line.
    """
    tokens: list[tuple[str, int]] = []
    at = 0
    while not tokens or tokens[-1][0]:
        match = _TOKEN.match(text, at)
        begin = match.start("token") if match else len(text) - len(text[at:].lstrip())
        line = text.count("\n", 0, begin) + 1
        if match is None:
            found = shown(text[begin : begin + 20])
            raise UserError(f"{path}, line {line}: {found} is no text format of protobuf")
        token, between = match["token"], text[at:begin]
        if tokens and _is_text(token) and _is_text(tokens[-1][0]) and not {*between} & {*",;"}:
            # Texts one behind the other are one: a long path over two lines.
            token = tokens.pop()[0][:-1] + token[1:-1] + '"'
        tokens.append((token, line))
        at = match.end()
    tree, end = _message(tokens, 0, "", path, 0)
    if tokens[end][0]:
        raise UserError(f"{path}, line {tokens[end][1]}: a }} too many")
    return tree


def _message(tokens, at: int, closing: str, path: str, depth: int) -> tuple[Tree, int]:
    if depth > _DEEPEST:
        raise UserError(
            f"{path}, line {tokens[at][1]}: more than {_DEEPEST} messages in each other"
        )
    fields: Tree = []
    while tokens[at][0] not in (closing, "", "}", ">"):
        name, line = tokens[at]
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise UserError(f"{path}, line {line}: {shown(name)} where a field was expected")
        at += 1
        if tokens[at][0] == ":":
            at += 1
        values = [tokens[at]]
        if tokens[at][0] == "[":
            values = []
            while tokens[at + 1][0] not in ("]", ""):
                at += 1
                values.append(tokens[at])
            if not tokens[at + 1][0]:
                raise UserError(f"{path}, line {line}: {name} has no ]")
            at += 2
        elif tokens[at][0] in ("{", "<"):
            close = "}" if tokens[at][0] == "{" else ">"
            inner, at = _message(tokens, at + 1, close, path, depth + 1)
            if tokens[at][0] != close:
                raise UserError(f"{path}, line {line}: {name} has no {close}")
            at += 1
            fields.append((name, inner, line))
            continue
        else:
            at += 1
        if any(value in ("", "{", "}", "<", ">", ":") for value, _ in values):
            raise UserError(f"{path}, line {line}: {name} has no value")
        where = f"{path}, line {line}: {name}"
        fields += [(name, _value(value, where), line) for value, _ in values]
    return fields, at


def _is_text(token: str) -> bool:
    return token[:1] in ("'", '"')


def _value(token: str, where: str) -> Any:
    if _is_text(token):
        try:
            return text_encoding.CUnescape(token[1:-1]).decode()
        except UnicodeError as error:
            raise UserError(
                f"{where} is {shown(token)}, with a backslash that begins no escape; write two"
            ) from error
    for kind in (int, float):
        try:
            return kind(token)
        except ValueError:
            pass
    return {"true": True, "false": False}.get(token, token)

"""What people write into a text proto that it reads otherwise, or in words nobody understands.

Looked for in the text before it is parsed: a decimal comma, a backslash in a path, values that
protobuf would join, quotes of a word processor.
"""

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)|(?P<newline>\n)|(?P<space>[^\S\n]+)"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|(?P<mark>[{}<>\[\]:,;=])|(?P<quote>["'])"""
    r"""|(?P<word>[^\s{}<>\[\]:,;=\#"']+)"""
)
_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?f?")
_WORD_QUOTES = "“”„‟«»‘’‚"
# A letter behind a backslash is a line feed, a tab and the like, which no value here has; behind a
# drive's letter no backslash is an escape. The octal ones of other letters are protobuf's own.
_BACKSLASH = re.compile(r"(?<!\\)(?:\\\\)*\\[^\\\"'0-7]|^.[A-Za-z]:\\(?!\\)")


class Slip(NamedTuple):
    """A line, from 1, and what is wrong with it."""

    line: int
    problem: str


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def find(text: str) -> Slip | None:
    """The first slip in the text of a pipeline.config; None where there is none."""
    tokens = _tokens(text)
    depth, name = 0, ""  # of lists; of the field
    for index, token in enumerate(tokens):
        before = tokens[max(0, index - 3) : index]
        depth += {"[": 1, "]": -1}.get(token.text, 0) if token.kind == "mark" else 0
        if token.text == ":" and before and before[-1].kind == "word":
            name = before[-1].text
        problem = (
            _of_string(token, before, depth, name)
            if token.kind == "string"
            else _of_word(token, before, depth, name)
            if token.kind == "word"
            else ""
        )
        if token.text == "=" and before and before[-1].kind == "word":
            problem = f"'{before[-1].text} =': expected a colon, '{before[-1].text}:'"
        if problem:
            return Slip(token.line, problem)
    return None


def _of_string(token: _Token, before: list[_Token], depth: int, name: str) -> str:
    if _BACKSLASH.search(token.text):
        plain = token.text[1:-1]
        return (
            f"{name}: {token.text}: a backslash begins an escape (\\n is a line feed); write "
            f'"{plain.replace(chr(92), "/")}" or each backslash twice'
        )
    last = before[-1] if before else None
    if last is not None and last.kind == "string":
        both = f"{last.text} {token.text}"
        return f"{name}: {both}: would be read as one value; write [{last.text}, {token.text}]"
    kinds = [one.kind for one in before[-2:]]
    if depth == 0 and kinds == ["string", "mark"] and before[-1].text == ",":
        both = f"{before[-2].text}, {token.text}"
        return f"{name}: {both}: expected brackets around several values, [{both}]"
    return ""


def _of_word(token: _Token, before: list[_Token], depth: int, name: str) -> str:
    if token.text[0] in _WORD_QUOTES:
        return f'{name}: {token.text}: expected plain quotes, "...", not a word processor\'s'
    if token.text.startswith("//"):
        return "// begins no comment here: expected #"
    # Without a field before it, it is no config at all, as a csv: its parser says that.
    if depth or not name or not _NUMBER.fullmatch(token.text) or len(before) < 2:
        return ""
    if before[-1].kind == "word" and _NUMBER.fullmatch(before[-1].text):
        whole = f"{before[-1].text} {token.text}"
        return f"{name}: {whole}: is a number with a space; write {whole.replace(' ', '')}"
    number = before[-2].kind == "word" and _NUMBER.fullmatch(before[-2].text)
    if number and before[-1].text == ",":
        whole = f"{before[-2].text},{token.text}"
        plain = whole.replace(",", "")
        written = whole.replace(",", ".")
        if re.fullmatch(r"\d{3}", token.text):  # which may be meant either way
            written = f"{plain} or {written}"
        return f"{name}: {whole}: is a number with a comma; write {written}"
    return ""


def _tokens(text: str) -> list[_Token]:
    tokens, line = [], 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "newline":
            line += 1
        elif kind not in ("comment", "space"):
            tokens.append(_Token(kind, match.group(), line))
    return tokens

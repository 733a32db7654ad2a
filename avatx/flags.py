"""How the command lines of tools/ are read: one spelling a thing, help that begins with an example.

A tool can be called in three ways: `avatx detect`, `avatx-detect-video`, `python
tools/detect_video.py`. Its docstring names the last of them; what it prints names the one in use.
"""

import argparse
import contextlib
import difflib
import math
import os
import pathlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from avatx import commands

_SCRIPT = re.compile(r"(?:python )?tools/(\w+)\.py")
# What a program that runs others tells them: as it was called itself, so they name each other.
_CALLED = "AVATX_CALLED"
_COMMANDS, _INSTALLED = "avatx", "avatx-"  # `avatx detect`, `avatx-detect-video`


class _Program:
    """How this process was called."""

    command: commands.Command | None = None  # of `avatx NAME`
    debug = False  # --debug
    completing = False


def called_as(command: commands.Command) -> None:
    """From here on this process is `avatx NAME`."""
    _Program.command = command


def debugging() -> bool:
    """Whether --debug was given: a user's mistake shows where in the code it was found, too."""
    return _Program.debug


def program() -> str:
    """The words that this program was started with."""
    if _Program.command is not None:
        return f"avatx {_Program.command.name}"
    path = pathlib.Path(sys.argv[0])
    if path.suffix != ".py":
        return path.name
    script = f"python tools/{path.name}"
    called = as_called(script)
    return f"python {sys.argv[0]}" if called == script else called


def for_others() -> dict[str, str]:
    """The environment of a tool that this program runs, whose hints then name what its user has."""
    return {**os.environ, _CALLED: _called()}


def _called() -> str:
    if _Program.command is not None:
        return _COMMANDS
    if pathlib.Path(sys.argv[0]).name.startswith(_INSTALLED):
        return _INSTALLED
    return os.environ.get(_CALLED, "")


def as_called(text: str) -> str:
    """A text that names command lines as tools/NAME.py, with the names that are in use here."""
    called = _called()

    def name(match: re.Match) -> str:
        tool = match[1]
        if called == _COMMANDS:
            used = _Program.command
            own = used if used is not None and used.tool == tool else commands.of_tool(tool)
            return f"avatx {own.name}" if own else match[0]
        return f"avatx-{tool.replace('_', '-')}" if called == _INSTALLED else match[0]

    return _SCRIPT.sub(name, text)


class _Debug(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        _Program.debug = True


def finite(text: str) -> float:
    """A number, which NaN and the infinities are not: a parser's `float`."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text}: expected a finite number")
    return value


def not_negative(text: str) -> float:
    """`finite`, 0 or more."""
    with contextlib.suppress(ValueError):
        if (value := finite(text)) >= 0:
            return value
    raise argparse.ArgumentTypeError(f"{text}: expected a number, 0 or more")


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` of a tool. Numbers are finite.

    Attributes:
      older: {older name of a flag: its name}, taken with a note on stderr and not in the help.
    """

    def __init__(self, doc: str | None, *, older: Mapping[str, str] | None = None, **options: Any):
        """Makes a parser that knows --debug.

        Args:
          doc: the tool's docstring; the first indented block of it is the example.
          older: see the class.
          **options: of `ArgumentParser`.
        """
        command = _Program.command
        self.example, description = _split(as_called((command and command.doc) or doc or ""))
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(prog=program(), description=description, **options)
        self.older = dict(older or {})
        self.register("type", float, finite)
        self.add_argument(
            "--debug",
            action=_Debug,
            nargs=0,
            default=argparse.SUPPRESS,
            help="of a mistake, also show where in the code it was found",
        )

    def add_override(self) -> None:
        """Adds --override, as often as one likes: `override` is a flat list of FIELD=VALUE."""
        self.add_argument(
            "--override",
            nargs="+",
            action="extend",
            default=[],
            metavar="FIELD=VALUE",
            help="sets a field of the configuration, as train_config.batch_size=4",
        )

    def add_json(self) -> None:
        """Adds --json, see `cli.print_json`."""
        self.add_argument("--json", action="store_true", help="print the result as JSON")

    def format_help(self) -> str:
        """The example, then what argparse says; what a sub-command gives by itself is left out."""
        command = _Program.command
        for action in self._actions:
            if command and {*command.given, *command.without} & {*action.option_strings}:
                action.help = argparse.SUPPRESS
        text = as_called(super().format_help())
        return f"example:\n{self.example}\n\n{text}" if self.example else text

    def parse_known_args(self, args: Sequence[str] | None = None, namespace=None):  # type: ignore[override]
        """Parses after older names became today's."""
        complete(self)
        given = list(sys.argv[1:] if args is None else args)
        found = super().parse_known_args([self._renamed(one) for one in given], namespace)
        for action in (one for one in self._actions if one.option_strings):
            # As of "$OUTPUT", which was never set.
            if getattr(found[0], action.dest, None) == "" and action.default != "":
                self.error(f"argument {action.option_strings[0]}: is empty; expected a value")
        return found

    def _renamed(self, argument: str) -> str:
        flag, equals, value = argument.partition("=")
        if flag not in self.older:
            return argument
        print(f"note: {flag} is called {self.older[flag]} now", file=sys.stderr)
        return self.older[flag] + equals + value

    def error(self, message: str) -> NoReturn:
        """One line on stderr, and exit code 2."""
        unknown = message.partition("unrecognized arguments: ")[2].split()
        known = [*self._option_string_actions, *self.older]
        for flag in (one.partition("=")[0] for one in unknown if one.startswith("--")):
            for near in difflib.get_close_matches(flag, known, n=1):
                message += f" (did you mean {near}?)"
        if message.endswith("expected one argument") and any(
            one.startswith("-") and os.path.exists(one) for one in sys.argv[1:]
        ):
            flag = message.split()[1].rstrip(":")
            message += f" (a name that begins with a dash is given as {flag}=NAME)"
        self.exit(2, f"error: {self.prog}: {message}; {self.prog} --help has an example\n")


def _split(doc: str) -> tuple[str, str]:
    """(The first indented block of a text, what is around it)."""
    lines = doc.split("\n")
    begin = next((i for i, line in enumerate(lines) if line.startswith("    ")), len(lines))
    end = begin
    while end < len(lines) and (lines[end].startswith("    ") or not lines[end]):
        end += 1
    example = "\n".join(lines[begin:end]).rstrip()
    rest = "\n".join([*lines[:begin], *lines[end:]]).strip()
    return example, re.sub(r"\n{3,}", "\n\n", rest)


def complete(parser: argparse.ArgumentParser) -> None:
    """Answers the shell if it asks what may come next, and ends the process."""
    if "_ARGCOMPLETE" not in os.environ or _Program.completing:
        return
    _Program.completing = True  # argcomplete parses, too
    with contextlib.suppress(ImportError):
        import argcomplete

        argcomplete.autocomplete(parser)

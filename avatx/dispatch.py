"""`avatx NAME ...`: every tool as a sub-command of one program (`avatx.commands`)."""

import argparse
import difflib
import os
import sys
from typing import NoReturn

from avatx import __version__, cli, commands, flags
from avatx.errors import UserError


def main() -> NoReturn:
    """The console entry point."""
    cli.run(lambda: run(sys.argv[1:]))


def run(arguments: list[str]) -> int | None:
    """Runs the sub-command that the first words name."""
    asked = _words_of_the_shell()
    words = asked if asked is not None else arguments
    for length in (2, 1):
        command = commands.BY_NAME.get(" ".join(words[:length]))
        # While its last word may still become longer, the shell asks for names of commands.
        if command is None or (asked is not None and len(words) <= length):
            continue
        flags.called_as(command)
        _refuse_given(command, arguments[length:])
        if asked is not None:  # argcomplete leaves out so many words of what was typed
            os.environ["_ARGCOMPLETE"] = str(1 + length)
        return cli.tool(command.tool).main([*command.given, *arguments[length:]])
    parser = _parser_of_names(words)
    flags.complete(parser)
    first = arguments[0] if arguments else "--help"
    if first in ("-h", "--help", "help"):
        print(f"example:\n    avatx demo --output runs/demo\n\n{parser.format_help()}", end="")
    elif first in ("--version", "-V"):
        print(f"avatx {__version__}")
    elif any(name.startswith(f"{first} ") for name in commands.BY_NAME):
        group = [one for one in commands.COMMANDS if one.name.startswith(f"{first} ")]
        if arguments[1:] and arguments[1] not in ("-h", "--help"):
            raise UserError(_unknown(" ".join(arguments[:2])))
        width = max(len(one.name) for one in group)
        print("\n".join(f"  avatx {one.name:<{width}} {one.summary}" for one in group))
    else:
        raise UserError(_unknown(first))
    return 0


def _refuse_given(command: commands.Command, arguments: list[str]) -> None:
    """Refuses what the command gives by itself, if it is another value, and what it has not."""
    for index, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in command.without:
            raise UserError(f"{flag}: means nothing in avatx {command.name}; leave it out")
        if flag.startswith("--") and flag in command.given:
            own = command.given[command.given.index(flag) + 1]
            if (value if equals else "".join(arguments[index + 1 : index + 2])) != own:
                raise UserError(f"{flag}: is always {own} in avatx {command.name}; leave it out")


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, commands.BY_NAME, n=1)
    hint = f"did you mean avatx {near[0]}?" if near else "avatx --help lists them"
    return f"avatx {name}: no such command; {hint}"


def _words_of_the_shell() -> list[str] | None:
    """What stands behind `avatx` up to the cursor, where the shell asks how it may go on."""
    if "_ARGCOMPLETE" not in os.environ:
        return None
    line = os.environ.get("COMP_LINE", "")[: int(os.environ.get("COMP_POINT", "0"))]
    words = line.split()[1:]
    return [*words, ""] if line.endswith(" ") else words


def _parser_of_names(words: list[str]) -> argparse.ArgumentParser:
    """For the help, and for the shell, which asks for one word at a time."""
    group = words[0] if len(words) > 1 else ""
    names = [name.removeprefix(f"{group} ") for name in commands.BY_NAME if name.startswith(group)]
    width = max(map(len, commands.BY_NAME))
    lines = [f"  {one.name:<{width}} {one.summary}" for one in commands.COMMANDS]
    parser = argparse.ArgumentParser(
        prog="avatx",
        usage="avatx COMMAND [flags]   (avatx COMMAND --help; avatx --version)",
        description="commands:\n" + "\n".join(lines),
        epilog='tab completes: pip install "avatx[completion]", then in each shell (~/.bashrc)\n'
        '    eval "$(register-python-argcomplete avatx)"',
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("command", help=argparse.SUPPRESS, choices=[n.split()[0] for n in names])
    if group:
        parser = argparse.ArgumentParser(add_help=False)
        parser.add_argument("group", choices=[group])
        parser.add_argument("command", choices=names)
    return parser

"""How every command line of tools/ starts and ends."""

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import pathlib
import re
import select
import signal
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from avatx import flags as flags_of_tools
from avatx import freed_memory, outputs, stderr_noise
from avatx.errors import UserError
from avatx.flags import Parser, as_called, not_negative
from avatx.progress import slow
from avatx.refusals import refusal

__all__ = [
    "Parser",
    "arguments_are_flags",
    "as_called",
    "as_flags",
    "check_output_folder",
    "check_output_prefix",
    "check_outputs",
    "entry",
    "import_tensorflow",
    "not_negative",
    "print_json",
    "run",
    "slow",
    "talk",
    "tool",
    "tools_folder",
]

# Else TensorFlow imports Keras 3 beside tf_keras: a third of a program's start. A library's user
# may want Keras 3, so `import avatx` does not set this.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


def talk(line: str) -> None:
    """Says a line that is no result: on standard error, naming command lines as they are called."""
    print(as_called(line), file=sys.stderr, flush=True)


def print_json(result: Mapping[str, Any]) -> None:
    """Prints what --json asks for: one document, and nothing else on standard output."""
    print(json.dumps(result, indent=2, ensure_ascii=False))


def run(main: Callable[[], int | None]) -> NoReturn:
    """Runs `main` and ends the process with its exit code.

    A `UserError` becomes one line on stderr and its exit code, mostly 2, and so does a file that
    the system refuses (a full disk, no permission); ctrl-C exit code 130; `kill` cleans up as
    ctrl-C does, exit code 143; any other exception keeps its traceback, for it is a bug of ours.
    The interpreter's own shutdown is skipped (`os._exit`) because tensorflow-io 0.37.1 aborts in
    it after its S3 plugin was used, and a program must end with its own exit code.
    """
    freed_memory.share_heaps()
    # What is ignored stays so, as under nohup.
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        code = main() or 0
    except UserError as error:
        if flags_of_tools.debugging():
            traceback.print_exc()
        talk(f"error: {' '.join(str(error).split())}")
        code = error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        if isinstance(exit_.code, str):
            print(exit_.code, file=sys.stderr)
    except BaseException as error:
        refused = None if flags_of_tools.debugging() else refusal(error)
        code = 1 if refused is None else 2
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            pass  # `tool | head`, which has what it wanted
        elif refused is None:
            traceback.print_exc()
        else:
            print(f"error: {refused}", file=sys.stderr)
    if "multiprocessing.util" in sys.modules:
        # Gives semaphores back, as the shutdown would: of those that are left their tracker warns.
        sys.modules["multiprocessing.util"]._run_finalizers(0)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # `tool | head`
        code = code or 1
    os._exit(code)


def _nobody_reads() -> bool:
    """Whether it is standard output that nobody reads any more."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError, ValueError):  # of another system, or no file
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def entry() -> NoReturn:
    """The console entry points: avatx-model-main runs tools/model_main.py's `main`."""
    name = pathlib.Path(sys.argv[0]).stem.removeprefix("avatx-").replace("-", "_")
    run(tool(name).main)


def tools_folder() -> pathlib.Path:
    """Where the tools are: avatx/tools where avatx is installed, tools/ in a checkout."""
    installed = pathlib.Path(__file__).parent / "tools"
    return installed if installed.is_dir() else installed.parents[1] / "tools"


def tool(name: str) -> types.ModuleType:
    """The module that tools/NAME.py is."""
    path = tools_folder() / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"avatx.tools.{name}", path)
    if spec is None or spec.loader is None or not path.exists():
        raise UserError(f"{path}: is not there; install avatx again")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def arguments_are_flags(*names: str, **flags: str) -> Iterator[None]:
    """What a library says of one of its arguments is said of the flag that the argument is from.

    A library's message about an argument begins with the argument's name, and names others in
    `backquotes`. A context manager, and a decorator for the `main` of a tool.

    Args:
      *names: arguments that are called as their flags: "model_dir" for --model_dir.
      **flags: argument to the name of a flag that is called otherwise, without the dashes.
    """
    flags = {**{name: name for name in names}, **flags}
    try:
        yield
    except UserError as error:
        quoted = as_flags(str(error), **flags)
        text = re.sub(r"^(\w+)(?=:? )", lambda match: _flag(match, flags), quoted)
        if text == str(error):
            raise
        raise UserError(text) from error


def as_flags(text: str, *names: str, **flags: str) -> str:
    """A library's text with its arguments, in `backquotes`, as flags; see `arguments_are_flags`."""
    flags = {**{name: name for name in names}, **flags}
    return re.sub(r"`(\w+)`", lambda match: _flag(match, flags), text)


def _flag(match: re.Match, flags: Mapping[str, str]) -> str:
    return f"--{flags[match[1]]}" if match[1] in flags else match[0]


def check_outputs(flags: argparse.Namespace, *files: str, by: str = "output") -> None:
    """Refuses, before a tool reads anything, what it could not or must not write at its end.

    Args:
      flags: of the tool. Any text among them may be the name of a file that it reads.
      *files: those that it writes where `by` is no file itself but a folder or a prefix of theirs.
      by: the flag that says what is written.

    Raises:
      UserError: the file cannot be written, or one of them is read or is a folder.
    """
    given = {
        name: [one for one in (value if isinstance(value, list) else [value]) if _is_text(one)]
        for name, value in vars(flags).items()
        if name != by
    }
    with arguments_are_flags(by, *given):
        path = getattr(flags, by)
        if not files:
            outputs.check_file(path, by)
        outputs.refuse_folders(files, by)
        outputs.refuse_overwriting(files or [path], given, by)


def check_output_folder(flags: argparse.Namespace, *files: str, by: str = "output") -> None:
    """`check_outputs` of files in the folder --output, which must be one that can be written in.

    Args:
      flags: of the tool.
      *files: names in the folder; none where they are not known, or not yet.
      by: the flag that names the folder.

    Raises:
      UserError: the folder cannot be written in, or one of the files is read or is a folder.
    """
    path = getattr(flags, by)
    with arguments_are_flags(by):
        outputs.check_folder(path, by)
    if files:
        check_outputs(flags, *(os.path.join(path, name) for name in files), by=by)


def check_output_prefix(flags: argparse.Namespace, by: str = "output") -> None:
    """Refuses a beginning of names, --output, whose folder could not be made or written in.

    Args:
      flags: of the tool.
      by: the flag that says what is written.

    Raises:
      UserError: see above.
    """
    path = getattr(flags, by)
    with arguments_are_flags(by):
        outputs.check_folder(os.path.dirname(path) or ".", by, shown=path)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def import_tensorflow() -> None:
    """Imports TensorFlow without the noise that it makes on stderr."""
    with slow("loading TensorFlow", in_files=False), stderr_noise.dropped():
        tensorflow = importlib.import_module("tensorflow")
        tensorflow.config.list_physical_devices("GPU")  # the first look for GPUs is noisy too

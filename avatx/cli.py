"""How every command line of tools/ starts and ends."""

import os
import sys
from typing import Callable, NoReturn, Optional

from avatx.errors import UserError


def run(main: Callable[[], Optional[int]]) -> NoReturn:
    """Runs `main` and ends the process with its exit code.

    A `UserError` becomes one line on stderr and exit code 2; ctrl-C exit code 130; any other
    exception keeps its traceback, for it is a bug of ours. The interpreter's own shutdown is
    skipped (`os._exit`) because tensorflow-io 0.37.1 aborts in it after its S3 plugin was
    used, and a program must end with its own exit code.
    """
    try:
        code = main() or 0
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        if isinstance(exit_.code, str):
            print(exit_.code, file=sys.stderr)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

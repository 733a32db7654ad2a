"""A folder of pictures that gets all of its new files, or none."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator

from avatx.errors import UserError


@contextlib.contextmanager
def whole_output(folder: str) -> Iterator[str]:
    """Gives a hidden folder in `folder`; its files move out of it when the block ends well.

    On an error nothing is left, neither `folder` if it was made here.

    Raises:
      UserError: `folder` cannot be written.
    """
    made = not os.path.isdir(folder)
    work = None
    try:
        os.makedirs(folder, exist_ok=True)
        work = tempfile.mkdtemp(prefix=".partial-", dir=folder)
        yield work
        for name in sorted(os.listdir(work)):
            os.replace(os.path.join(work, name), os.path.join(folder, name))
    except OSError as error:
        raise UserError(
            f"--output {folder}: cannot be written ({error.strerror or error})"
        ) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # only if it is empty

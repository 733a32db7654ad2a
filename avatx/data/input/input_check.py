"""Looks at the first record of every input file, so that a wrong file is named before training."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from avatx.data.records.input_errors import explained
from avatx.data.records.record_check import check_keys, first_entries
from avatx.errors import UserError, first_line

_LOOKED_AT = 100


def check_first_records(
    files: Sequence[str], parse: Callable, labelled: bool = False, may_skip: bool = False
) -> None:
    """Raises UserError, naming the file, unless each begins with a record that parses.

    Args:
      files: paths.
      parse: takes a serialised record.
      labelled: they are to be records of labelled videos, not of keyframes.
      may_skip: it is enough that one of the first hundred of a file does; nobody means to skip all.

    A file may be empty: more shards than segments are no mistake. All files empty are.
    """
    found_any, first_problem = False, None
    for path in files:
        for index, serialized in enumerate(first_entries(path, _LOOKED_AT if may_skip else 1)):
            found_any = True
            try:
                _check_record(path, serialized, index, parse, labelled)
            except UserError as error:
                if not may_skip:
                    raise
                first_problem = first_problem or error
            else:
                if may_skip:
                    return
    if first_problem:
        raise first_problem
    if not found_any:
        raise UserError(
            f"{files[0]}: empty, as are all {len(files)} input files; "
            f"tools/create_{'kinetics' if labelled else 'ava'}_tfrecord.py writes the "
            "records"
        )


def _check_record(
    path: str, serialized: bytes, index: int, parse: Callable, labelled: bool
) -> None:
    check_keys(path, serialized, index, labelled)
    try:
        with explained():
            parse(tf.constant(serialized))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except tf.errors.OpError as error:
        raise UserError(
            f"{path}: record {index + 1} cannot be parsed ({first_line(error)}); write the "
            "records again"
        ) from error

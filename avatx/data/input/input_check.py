"""Looks at the first record of every input file, so that a wrong file is named before training."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from avatx.data.records.input_errors import explained
from avatx.data.records.record_check import check_keys, first_entry
from avatx.errors import UserError, first_line


def check_first_records(files: Sequence[str], parse: Callable, labelled: bool = False) -> None:
    """Raises UserError, naming the file, unless each begins with a record that parses.

    Args:
      files: paths.
      parse: takes a serialised record.
      labelled: they are to be records of labelled videos, not of keyframes.

    A file may be empty: more shards than segments are no mistake. All files empty are.
    """
    found_any = False
    for path in files:
        for serialized in first_entry(path):
            found_any = True
            check_keys(path, serialized, labelled=labelled)
            try:
                with explained():
                    parse(tf.constant(serialized))
            except UserError as error:
                raise UserError(f"{path}: {error}") from error
            except tf.errors.OpError as error:
                raise UserError(
                    f"{path}: record 1 cannot be parsed "
                    f"({first_line(error)}); write the records again"
                ) from error
    if not found_any:
        raise UserError(
            f"{files[0]}: empty, as are all {len(files)} input files; "
            f"tools/create_{'kinetics' if labelled else 'ava'}_tfrecord.py writes the "
            "records"
        )

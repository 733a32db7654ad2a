"""Feeds damaged inputs to the readers; each must end in a value or in a UserError.

    python tests/fuzz/run.py --cases 100000 --seed 0

Exits with 1 when one did not, and prints the seed of each that did not.
"""

import argparse
import collections
import importlib
import os
import pathlib
import random
import sys
import tempfile
import time
import traceback

_HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "helpers")]

READERS = ("csv_reader", "label_map_reader", "config_reader", "record_reader")
_MOST_SHOWN = 10
_EACH = 2_000  # cases between two words on how far it is


def run(
    reader: str, cases: int, seed: int, seconds: float = float("inf"), first: int = 0
) -> tuple[collections.Counter, list[str]]:
    """Runs `cases` cases of a reader from number `first` on, or as many as there is time for.

    Returns:
      How many ended in a "value" and in a "UserError"; a text for each that ended otherwise.
    """
    module = importlib.import_module(reader)
    ends, failures = collections.Counter(), []
    until = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, first + cases):
            if (number - first) % _EACH == _EACH - 1:
                print(f"{reader}: {number + 1:,}", file=sys.stderr, flush=True)
            if time.monotonic() > until:
                break
            name = f"{reader} {seed} {number}"
            try:
                case = module.make(random.Random(name))
                ends["value" if module.check(case, folder) else "UserError"] += 1
            except Exception:
                failures.append(f"{name}: {traceback.format_exc()[-3000:]}\n{case!r}"[:4000])
    return ends, failures


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", nargs="+", choices=READERS, default=READERS)
    parser.add_argument("--cases", type=int, default=100_000, help="of each reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at most, of each")
    flags = parser.parse_args()
    os.fsync = lambda file: None  # two thirds of the time; what it is for is tested elsewhere
    failed = False
    for reader in flags.readers:
        begin = time.monotonic()
        ends, failures = run(reader, flags.cases, flags.seed, flags.seconds, flags.first)
        print(
            f"{reader}: {ends.total() + len(failures):,} cases, {ends['value']:,} values, "
            f"{ends['UserError']:,} UserErrors, {len(failures):,} other ends, "
            f"{time.monotonic() - begin:.0f} s",
            flush=True,
        )
        for failure in failures[:_MOST_SHOWN]:
            print(failure, flush=True)
        failed = failed or bool(failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

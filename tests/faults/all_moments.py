"""Kills each program at every one of its file operations, and fills the disk at each that writes.

python tests/faults/all_moments.py [--programs NAME ...] [--every N] [--first N]

Prints a line a moment that fails, and one a program: how many moments, how many went wrong.
"""

import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "helpers"))
import harness
import programs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [program.name for program in programs.ALL]
    parser.add_argument("--programs", nargs="+", choices=names, default=names)
    parser.add_argument("--every", type=int, default=1, help="only each N-th moment")
    parser.add_argument("--first", type=int, default=1, help="from this moment on")
    flags = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve()
        shim = harness.build_shim(folder)
        if shim is None:
            print("there is no C compiler to build the shim with, or no Linux: nothing is tried")
            return 0
        zygote = harness.Zygote(shim, folder, programs.MODULES)
        for program in programs.ALL:
            if program.name in flags.programs:
                wrong += _all_of(zygote, program, folder / program.name, flags)
        zygote.close()
    return int(wrong > 0)


def _all_of(zygote, program, folder, flags) -> int:
    begin = time.monotonic()
    trial = harness.Trial(zygote, program, folder)
    numbers = range(flags.first, len(trial.operations) + 1, flags.every)
    wrong = {}
    for what, attempt in (("killed", trial.kill), ("disk full", trial.fill_disk)):
        wrong[what] = 0
        for tried, at in enumerate(numbers):
            if tried % 10 == 9:
                print(f"{program.name}: {what}, {tried + 1} of {len(numbers)}", file=sys.stderr)
            try:
                attempt(at)
            except AssertionError as error:
                wrong[what] += 1
                print(f"{program.name}: {what} at {at}: {error}", flush=True)
    print(
        f"{program.name}: {len(trial.operations)} operations, {len(numbers)} tried: killed, "
        f"{wrong['killed']} wrong; disk full, {wrong['disk full']} wrong; "
        f"{time.monotonic() - begin:.0f} s",
        flush=True,
    )
    return sum(wrong.values())


if __name__ == "__main__":
    sys.exit(main())

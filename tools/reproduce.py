"""Repeats the paper's comparisons: trains and evaluates the rows of its tables, some seeds each,
and prints its tables with our numbers beside the paper's, and which of its orderings hold.

    python tools/reproduce.py --suite playground
    python tools/reproduce.py --suite playground --rows i3d_gt tx_highres_gt --seeds 1
    python tools/reproduce.py --suite playground --experiments proposals augmentation
    python tools/reproduce.py --suite pets09 --data pets09 --output runs/reproduce_pets09

After ctrl-C or a crash run it again: what is done is kept, what was cut off goes on.
"""

import contextlib
import json
import os
import pathlib
import platform
import subprocess

from avatx import __version__, cli, config
from avatx.errors import UserError
from avatx.reproduction import playground_data, processes, report, runner, suites
from avatx.results import talk_on_stderr

ROOT = pathlib.Path(__file__).resolve().parents[1]  # a checkout, or avatx where it is installed
TOOLS, CONFIGS = ROOT / "tools", ROOT / "configs"
_MOST_SEEDS, _MOST = 100, 1_000_000  # all runs are planned before the first begins


@cli.arguments_are_flags(
    "suite",
    "rows",
    "experiments",
    "output",
    "data",
    "override",
    "train_videos",
    "val_videos",
    "action_clips",
)
def main(argv=None) -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument("--suite", required=True, choices=sorted(suites.SUITES))
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="default: all of the suite")
    parser.add_argument(
        "--experiments",
        nargs="+",
        metavar="NAME",
        help="in place of the paper's rows: "
        + ", ".join(name for suite in suites.SUITES.values() for name in suite.experiments)
        + " (docs/results.md), or all",
    )
    parser.add_argument("--seeds", type=int, default=3, help="1 to this (default 3)")
    parser.add_argument("--output", default="runs/reproduce", metavar="DIR")
    parser.add_argument("--data", metavar="DIR", help="pets09: the folder of its video and csv")
    parser.add_argument("--jobs", type=int, help="runs at once (default: a core each, 2 at most)")
    parser.add_override()
    for name, value in playground_data.Sizes._field_defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"playground ({value})")
    parser.add_argument("--report_only", action="store_true", help="tables of what is done")
    parser.add_json()
    flags = parser.parse_args(argv)
    for name in ("seeds", "jobs", *playground_data.Sizes._fields):
        value, most = getattr(flags, name), _MOST_SEEDS if name == "seeds" else _MOST
        if value is not None and not 1 <= value <= most:
            raise UserError(f"--{name} {value}: expected 1 to {most:,}")

    _check_data(flags)
    cli.check_output_folder(flags)
    suite, output = suites.SUITES[flags.suite], pathlib.Path(flags.output)
    experiments = flags.experiments or []
    if experiments == ["all"]:
        experiments = list(suite.experiments)
    rows = [*(flags.rows or []), *suites.rows_of(suite, experiments)] or list(suite.rows)
    sizes = playground_data.Sizes(*(getattr(flags, name) for name in playground_data.Sizes._fields))
    label_map = suite.label_map(output / "data", flags.data)

    def plan(names, seeds):
        return suites.plan(suite, names, seeds, CONFIGS, output, label_map, tuple(flags.override))

    runs = plan(rows, flags.seeds)
    for run in runs:  # a mistake is told before hours are spent
        config.load(str(run.config_path), run.overrides)
    if not flags.report_only:
        with processes.alone_in(output), talk_on_stderr():
            kinds = tuple(dict.fromkeys(suites.variant(run.row).data for run in runs))
            suite.prepare(TOOLS, CONFIGS, output, flags.data, sizes, kinds)
            jobs = flags.jobs or min(2, os.cpu_count() or 1)
            runner.run_all(runs, lambda run: runner.command(TOOLS, run), jobs, note=describe_here())
    names = [*suite.rows, *suites.rows_of(suite, suite.experiments)]
    everything = plan(names, max(flags.seeds, suites.seeds_in(output)))
    experiments = suite.experiments.values()
    text = report.write_report(runs, everything, output, suite.note, experiments)
    if flags.json:
        results = json.loads((output / "results.json").read_text())
        cli.print_json({"report": f"{output}/results.md", "results": results})
        return 0
    print(f"\n{text}\n{output}/results.md")
    return 0


def _check_data(flags) -> None:
    """Refuses what the suite would not read, as the folder of data of one that makes its own."""
    reads = suites.SUITES[flags.suite].reads
    for name, default in {"data": None, **playground_data.Sizes._field_defaults}.items():
        value = getattr(flags, name)
        if name not in reads and value != default:
            raise UserError(f"--{name} {value}: --suite {flags.suite} does not read it")


def describe_here() -> dict:
    """Commit and machine, for each run's record."""
    commit = f"avatx {__version__}"
    if (ROOT / ".git").exists():  # else git would tell of whatever repository is around ROOT
        git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    return {"commit": commit, "machine": f"{platform.machine()}, {os.cpu_count()} cores"}


if __name__ == "__main__":
    cli.run(main)

"""tools/reproduce.py, with a suite whose data and trainings take no time.

python reproduction.py OUTPUT
"""

import importlib
import pathlib
import sys

from avatx import cli
from avatx.reproduction import suites

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))
reproduce = importlib.import_module("tools.reproduce")


def prepare(tools, configs, output, data, sizes, kinds) -> None:
    (output / "data").mkdir(parents=True, exist_ok=True)


def main() -> int:
    suites.SUITES["tiny"] = suites.Suite(
        "playground",
        ("i3d_r64_from_scratch", "tx_i3d_r300", "tx_i3d_r300_96f"),
        prepare,
        lambda folder, data: folder / "label_map.pbtxt",
    )
    suites._is_fine_tuned = lambda path: False  # no weights are made
    reproduce.TOOLS = HERE / "stub_tools"
    return reproduce.main(["--suite", "tiny", "--output", sys.argv[1], "--seeds", "2"])


if __name__ == "__main__":
    cli.run(main)

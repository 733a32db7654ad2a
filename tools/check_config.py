"""Parses a pipeline.config, builds the model and prints what it amounts to."""

import argparse
import json
from collections.abc import Sequence

from avatx import cli


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline_config_path", required=True, metavar="FILE")
    parser.add_argument("--override", nargs="+", action="extend", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args(argv)

    from avatx import config

    loaded = config.load(arguments.pipeline_config_path, arguments.override)
    cli.import_tensorflow()
    from avatx.builders import summary

    found = summary.summarize(loaded)
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        summary.print_table(found)
    return 0


if __name__ == "__main__":
    cli.run(main)

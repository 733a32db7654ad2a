"""Parses a pipeline.config, builds the model and prints what it amounts to.

    python tools/check_config.py --pipeline_config_path ava/tx_highres_r300

Says of each file that the config names and that is not there what makes it. That is no error, for a
config is often checked before its data are there, unless --require_files is given.
"""

import json
from collections.abc import Sequence

from avatx import cli


@cli.arguments_are_flags("override")
def main(argv: Sequence[str] | None = None) -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument(
        "--pipeline_config_path",
        required=True,
        metavar="FILE",
        help="a file, or the name of a shipped one: ava/tx_highres_r300",
    )
    parser.add_override()
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--require_files", action="store_true", help="exit code 1 where a named file is missing"
    )
    arguments = parser.parse_args(argv)

    from avatx import config

    loaded = config.load(arguments.pipeline_config_path, arguments.override)
    with cli.slow("building the model"):
        cli.import_tensorflow()
        from avatx.builders import missing_files, summary

        found = summary.summarize(loaded)
    missing = missing_files.missing_files(loaded)
    found["missing_files"] = [
        {"field": file.field, "path": file.path, "remedy": file.remedy} for file in missing
    ]
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        summary.print_table(found)
    for note in found.get("notes", ()):
        cli.talk(f"note: {note}")
    for file in missing:
        line = f"missing: {file.field} = {file.path}: {file.remedy}"
        cli.talk(line)
    return 1 if missing and arguments.require_files else 0


if __name__ == "__main__":
    cli.run(main)

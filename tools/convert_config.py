r"""Makes one of our configs of an Object Detection API config of Faster R-CNN.

    python tools/convert_config.py --pipeline_config_path faster_rcnn_resnet50_ava.config \
        --output pipeline.config

Prints what was changed and what was dropped, and why; docs/detection-api.md says what is the same.
"""

import json
import os

from avatx import cli


@cli.arguments_are_flags("output")
def main(argv=None) -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument("--pipeline_config_path", required=True, metavar="FILE", help="theirs")
    parser.add_argument("--output", required=True, metavar="FILE", help="ours, a new file")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    flags = parser.parse_args(argv)
    cli.check_outputs(flags)

    from avatx import config
    from avatx.atomic_file import atomic_text_file
    from avatx.config.detection_api import convert
    from avatx.errors import UserError

    path = flags.pipeline_config_path
    if os.path.exists(flags.output):
        raise UserError(f"output {flags.output}: is there already; give a new file")
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--pipeline_config_path {path}: cannot be read ({error})") from error
    found = convert(text, path)
    with atomic_text_file(flags.output) as file:
        file.write(cli.as_called(found.text))
    problem = ""
    try:
        config.load(flags.output)
    except UserError as error:  # what they left out and ours needs: the user's to fill in
        problem = str(error)
    if flags.json:
        print(json.dumps({**found._asdict(), "still_to_mend": problem}, indent=2))
        return 0
    for field, what in found.changed:
        cli.talk(f"changed: {field}: {what}")
    for field, line, why in found.dropped:
        cli.talk(f"dropped: {field} (line {line}): {why}")
    if problem:
        cli.talk(f"still to mend: {problem}")
    print(f"{flags.output}: {len(found.kept)} fields kept, {len(found.dropped)} dropped")
    return 0


if __name__ == "__main__":
    cli.run(main)

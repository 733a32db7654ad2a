r"""Scores a detection csv as AVA does.

    python tools/evaluate_csv.py --annotations ava_val.csv --detections detections.csv \
        --label_map label_map.pbtxt --output metrics.json
"""

import json

from avatx import cli
from avatx.results import print_result, talk_on_stderr


@cli.arguments_are_flags("protocol", "iou_threshold")
def main(argv=None) -> int:
    parser = cli.Parser(__doc__, older={"--groundtruth": "--annotations"})
    parser.add_argument("--annotations", required=True, help="annotation csv, may be gzipped")
    parser.add_argument("--detections", required=True, help="detection csv, may be gzipped")
    parser.add_argument("--label_map", required=True, help="pbtxt of the evaluated classes")
    parser.add_argument("--excluded", help="csv of keyframes (video, timestamp) to leave out")
    parser.add_argument(
        "--protocol", default="AVA_2020", help="AVA_2020 (default), AVA_2019 or AVA_2018"
    )
    parser.add_argument("--iou_threshold", type=float, default=0.5, help="default 0.5")
    parser.add_argument("--output", required=True, help="JSON file to write")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON, too")
    flags = parser.parse_args(argv)
    cli.check_outputs(flags)

    from avatx.data.annotations.ava_csv import (
        read_annotations,
        read_detections,
        read_excluded_timestamps,
    )
    from avatx.data.annotations.label_map import read_label_map
    from avatx.errors import UserError
    from avatx.evaluation.coverage import unmatched_exclusions
    from avatx.evaluation.diagnosis import diagnose
    from avatx.evaluation.frame_map import evaluate
    from avatx.evaluation.impossible_rows import impossible_rows
    from avatx.evaluation.localization import evaluate_localization
    from avatx.evaluation.protocol import get_protocol
    from avatx.evaluation.report import localization_line, print_report, write_json

    get_protocol(flags.protocol)  # a mistake here is told before large files are read
    label_map = read_label_map(flags.label_map)
    excluded = read_excluded_timestamps(flags.excluded) if flags.excluded else None
    groundtruth = read_annotations(flags.annotations)
    if not len(groundtruth) and not groundtruth.empty_keyframes:
        raise UserError(f"--annotations {flags.annotations} is empty: there is nothing to find")
    detections = read_detections(flags.detections)

    rules = {"protocol": flags.protocol, "excluded": excluded}
    with cli.slow("scoring"):
        result = evaluate(
            groundtruth, detections, label_map, iou_threshold=flags.iou_threshold, **rules
        )
        result.update(evaluate_localization(groundtruth, detections, **rules))
        write_json(flags.output, result)
        findings = [
            *impossible_rows(groundtruth, label_map, flags.annotations),
            *impossible_rows(detections, label_map, flags.detections),
            *unmatched_exclusions(excluded, groundtruth, detections),
            *diagnose(result, groundtruth, detections, label_map, excluded=excluded),
        ]
    with talk_on_stderr(shows_results=not flags.json):
        print_report(result, findings)
        print_result(localization_line(result))
    if flags.json:
        print(json.dumps({**result, "findings": findings}, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    cli.run(main)

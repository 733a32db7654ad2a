r"""Says where the errors of a detection csv are: a page with charts, and the numbers.

    python tools/analyze.py --annotations ava_val.csv --detections detections.csv \
        --label_map label_map.pbtxt --train_annotations ava_train.csv --output analysis/

Writes analysis.html, which holds all it shows and loads nothing, and analysis.json.
"""

import os

from avatx import cli

PAGE_FILE, NUMBERS_FILE = "analysis.html", "analysis.json"


@cli.arguments_are_flags("protocol", "iou_threshold")
def main(argv=None) -> int:
    parser = cli.Parser(
        __doc__,
        older={"--groundtruth": "--annotations", "--train_csv": "--train_annotations"},
    )
    parser.add_argument("--annotations", required=True, help="annotation csv, may be gzipped")
    parser.add_argument("--detections", required=True, help="detection csv, may be gzipped")
    parser.add_argument("--label_map", required=True, help="pbtxt of the evaluated classes")
    parser.add_argument("--train_annotations", help="for how often a class was trained")
    parser.add_argument("--excluded", help="csv of keyframes (video, timestamp) to leave out")
    parser.add_argument(
        "--protocol", default="AVA_2020", help="AVA_2020 (default), AVA_2019 or AVA_2018"
    )
    parser.add_argument("--iou_threshold", type=float, default=0.5, help="default 0.5")
    parser.add_argument("--title", default="Where the errors are", help="heading of the page")
    parser.add_argument("--output", required=True, help="directory, made if it is not there")
    parser.add_json()
    flags = parser.parse_args(argv)
    cli.check_output_folder(flags, PAGE_FILE, NUMBERS_FILE)

    from avatx.atomic_folder import atomic_files
    from avatx.data.annotations.ava_csv import (
        read_annotations,
        read_detections,
        read_excluded_timestamps,
    )
    from avatx.data.annotations.label_map import read_label_map
    from avatx.errors import UserError
    from avatx.evaluation.analysis import analyze
    from avatx.evaluation.coverage import unmatched_exclusions
    from avatx.evaluation.diagnosis import diagnose
    from avatx.evaluation.false_positives import describe_kinds
    from avatx.evaluation.impossible_rows import impossible_rows
    from avatx.evaluation.protocol import get_protocol
    from avatx.evaluation.report import write_json
    from avatx.pictures.analysis_page import analysis_page

    get_protocol(flags.protocol)  # a mistake here is told before large files are read
    label_map = read_label_map(flags.label_map)
    excluded = read_excluded_timestamps(flags.excluded) if flags.excluded else None
    groundtruth = read_annotations(flags.annotations)
    detections = read_detections(flags.detections)
    if not len(groundtruth) and not groundtruth.empty_keyframes:
        raise UserError(f"--annotations {flags.annotations} is empty: there is nothing to find")
    training = read_annotations(flags.train_annotations) if flags.train_annotations else None
    if training is not None and not len(training):
        raise UserError(
            f"--train_annotations {flags.train_annotations} holds no label; expected the training "
            "annotations, or leave it out"
        )
    with cli.slow("analyzing"):
        analysis = analyze(
            groundtruth,
            detections,
            label_map,
            training=training,
            protocol=flags.protocol,
            iou_threshold=flags.iou_threshold,
            excluded=excluded,
        )
        result = {**analysis, "per_class": {str(row["id"]): row for row in analysis["by_class"]}}
        findings = [
            *impossible_rows(groundtruth, label_map, flags.annotations),
            *impossible_rows(detections, label_map, flags.detections),
            *unmatched_exclusions(excluded, groundtruth, detections),
            *diagnose(result, groundtruth, detections, label_map, excluded=excluded),
        ]

    given = {
        "detections": flags.detections,
        "annotations": flags.annotations,
        "label_map": flags.label_map,
        "train_annotations": flags.train_annotations,
        "excluded": flags.excluded,
    }
    sources = {name: path for name, path in given.items() if path}
    kinds = describe_kinds(flags.iou_threshold)
    with cli.slow("drawing the page"):
        page = analysis_page(analysis, flags.title, sources, kinds, findings)
    with cli.arguments_are_flags("output"), atomic_files(flags.output) as folder:
        write_json(os.path.join(folder, NUMBERS_FILE), {**sources, **analysis})
        with open(os.path.join(folder, PAGE_FILE), "w", encoding="utf-8") as file:
            file.write(page)
    for finding in findings:
        cli.talk(f"note: {finding}")
    page_file = os.path.join(flags.output, PAGE_FILE)
    if flags.json:
        cli.print_json({"page": page_file, **sources, **analysis, "findings": findings})
        return 0
    print(page_file)
    return 0


if __name__ == "__main__":
    cli.run(main)

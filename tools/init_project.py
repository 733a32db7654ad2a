r"""From own videos and annotations to an experiment: checks, splits, measures, writes a config.

    python tools/init_project.py --videos videos/ --annotations mine.csv --label_map mine.pbtxt \
        --output mine/

The annotations are AVA's csv, or a file of CVAT, VIA, COCO or MOT, which are read as
tools/import_annotations.py does. Writes to the output folder pipeline.config, whose comments say
why each number is what it is, choices.jpg, which shows it on one of the videos, label_map.pbtxt,
train.csv, val.csv, and README.md with what was measured and the commands to run.
"""

import dataclasses
import json
import os

from avatx import cli


def _measured(measures) -> dict:
    """For a program."""
    found = dataclasses.asdict(measures)
    for name in ("boxes", "box_videos", "people"):
        found.pop(name)
    found["videos"] = {name: facts._asdict() for name, facts in measures.videos.items()}
    return {
        **found,
        "num_boxes": len(measures.boxes),
        "people_at_most": int(measures.people.max()),
        "people_mean": float(measures.people.mean()),
    }


@cli.arguments_are_flags(
    "videos",
    "label_map",
    "num_frames",
    "frame_rate",
    "output",
    "weights",
    "from_scratch",
    "annotations",
    "validation_share",
    "validation_annotations",
    "skip_bad_rows",
    "overwrite",
)
def main(argv=None) -> int:
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add("--videos", required=True, nargs="+", metavar="DIR", help="folders of <video id>.<mp4 ...>")
    add(
        "--annotations",
        required=True,
        metavar="FILE",
        help="AVA csv, or a CVAT, VIA, COCO or MOT file",
    )
    add("--label_map", metavar="PBTXT", help="names of the classes (default: class_1 and so on)")
    add("--output", required=True, metavar="DIR", help="folder of the experiment")
    add(
        "--validation_annotations",
        metavar="FILE",
        help="those of validation, of any such format, where the split is made already",
    )
    add(
        "--validation_share",
        type=float,
        default=0.2,
        help="of the labels, for validation; whole videos (default 0.2)",
    )
    add(
        "--weights",
        metavar="PREFIX",
        help="checkpoint of a trunk (default: the README says how to make it)",
    )
    add("--from_scratch", action="store_true", help="begin with no trained weights")
    add("--num_frames", type=int, help="of a clip (default: 64, 8 without a GPU)")
    add("--frame_rate", type=float, help="of a clip (default: so that it covers an action)")
    add("--skip_bad_rows", action="store_true", help="leave bad rows out rather than refuse them")
    add("--overwrite", action="store_true", help="replace an earlier project's files")
    add("--json", action="store_true", help="print what was measured and decided as JSON")
    flags = parser.parse_args(argv)

    cli.check_output_folder(flags)
    cli.import_tensorflow()
    from avatx.project.create import FILES, README, create_project

    project = create_project(
        flags.videos,
        flags.annotations,
        flags.output,
        label_map=flags.label_map,
        validation_annotations=flags.validation_annotations,
        validation_share=flags.validation_share,
        weights=flags.weights,
        from_scratch=flags.from_scratch,
        num_frames=flags.num_frames,
        frame_rate=flags.frame_rate,
        skip_bad_rows=flags.skip_bad_rows,
        overwrite=flags.overwrite,
        log=cli.talk,
    )
    files = [os.path.join(flags.output, name) for name in FILES]
    if flags.json:
        measured = _measured(project.measures)
        print(json.dumps({"files": files, "measured": measured, "decided": project.told}, indent=2))
        return 0
    for line in project.told:
        cli.talk(line)
    print("\n".join(files))
    cli.talk(f"next: the commands in {os.path.join(flags.output, README)}")
    return 0


if __name__ == "__main__":
    cli.run(main)

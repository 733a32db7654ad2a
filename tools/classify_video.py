r"""Prints the classes that a video classifier gives a video, the likeliest first.

    python tools/classify_video.py --checkpoint weights/i3d --video film.mp4
    python tools/classify_video.py --checkpoint runs/pretrain --video film.mp4 \
        --pipeline_config_path playground/pretrain_i3d --label_map actions.pbtxt

The checkpoint is a training's (a directory or a prefix) or one that tools/import_i3d_weights.py
wrote; without --pipeline_config_path it is I3D as trained on Kinetics-400, whose names are known.
"""

import json

from avatx import cli
from avatx.errors import UserError


@cli.arguments_are_flags("override")
def main(argv=None) -> int:
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add("--checkpoint", required=True, help="prefix, or a directory whose newest is taken")
    add("--pipeline_config_path", metavar="FILE", help="what it was trained with; default I3D")
    parser.add_override()
    add("--video", required=True, help="a video file, or a folder of frames")
    add(
        "--label_map",
        metavar="FILE",
        help="pbtxt, or a list of names, one a line, the first being class 1 (logit 0); "
        "default, without --pipeline_config_path: Kinetics-400's",
    )
    add("--top", type=int, default=5, help="how many classes to print (default 5)")
    add(
        "--max_frames",
        type=int,
        default=250,
        help="longest clip; longer videos are averaged over clips of so many frames (default 250)",
    )
    add("--json", action="store_true", help="print the classes as JSON")
    flags = parser.parse_args(argv)
    for name in ("top", "max_frames"):
        if getattr(flags, name) < 1:
            raise UserError(f"--{name} {getattr(flags, name)}: expected 1 or more")
    if flags.label_map is None and flags.pipeline_config_path is not None:
        raise UserError("--label_map is missing; only of I3D on Kinetics-400 the names are known")

    from avatx.data.video.video_reader import check_video

    check_video(flags.video)
    cli.import_tensorflow()
    from avatx.data.annotations.label_map import LabelMap
    from avatx.data.annotations.labelled_list import read_classes
    from avatx.inference import video_classification
    from avatx.inference.video_bar import video_bar
    from avatx.kinetics.export import class_names
    from avatx.trained.classifier import restore_classifier

    label_map = read_classes(flags.label_map) if flags.label_map else LabelMap(class_names())
    given = flags.label_map or "(Kinetics-400's)"
    names = label_map.names
    with cli.arguments_are_flags("checkpoint"), cli.slow("loading the model"):
        classifier = restore_classifier(
            flags.checkpoint, flags.pipeline_config_path, flags.override
        )
    if label_map.max_id > classifier.model.num_classes:
        raise UserError(
            f"--label_map {given}: its largest class id is {label_map.max_id} and the "
            f"model has {classifier.model.num_classes} classes; expected the model's own"
        )
    if len(label_map) < classifier.model.num_classes:
        cli.talk(
            f"warning: --label_map {given}: names {len(label_map)} of the model's "
            f"{classifier.model.num_classes} classes; the others are printed without a name"
        )
    with video_bar("classifying") as progress:
        scores, num_frames, stopped = video_classification.classify(
            flags.video,
            classifier.scores,
            frame_rate=classifier.frame_rate,
            crop=classifier.model.image_size,
            max_frames=flags.max_frames,
            frame_settings=classifier.trained.frame_settings,
            progress=progress,
        )
    if stopped:
        cli.talk(f"warning: {flags.video}: stopped early: {stopped}")
    order = (-scores).argsort(kind="stable")[: flags.top]  # of equal ones the lower id first
    found = [
        {"id": int(i) + 1, "name": names.get(int(i) + 1, ""), "score": float(scores[i])}
        for i in order
    ]
    if flags.json:
        answer = {"num_frames": num_frames, "stopped": stopped, "classes": found}
        print(json.dumps(answer, indent=2))
        return 0
    for one in found:
        print(f"{one['score']:.5f}  {one['id']:>4}  {one['name']}")
    return 0


if __name__ == "__main__":
    cli.run(main)

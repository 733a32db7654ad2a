r"""Figure 4 for a clip and a person: what the model attends to, and the keys it knows cells by.

    python tools/visualize_attention.py --pipeline_config_path MODEL_DIR/pipeline.config \
        --checkpoint MODEL_DIR --video film.mp4 --timestamp 4 --output OUT

Writes figure4.png, attention.png, keys.png, attention.mp4 and keys.mp4.
"""

import argparse
import os
import signal
import sys

from avatx import cli
from avatx.data.video.frame_flags import add_frame_flags, given_settings, overridden
from avatx.errors import UserError
from avatx.progress import Progress

FILES = ("figure4.png", "attention.png", "keys.png", "attention.mp4", "keys.mp4")


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add("--pipeline_config_path", required=True, help="what the model was trained with")
    add("--checkpoint", required=True, help="prefix, or folder whose newest checkpoint is taken")
    add("--video", help="video file or folder of numbered frames")
    add("--records", nargs="+", metavar="PATTERN", help="or TFRecords, with --video_id")
    add("--video_id", help="which video of the records")
    add("--timestamp", required=True, type=float, help="seconds: the clip's middle")
    add(
        "--person",
        default="1",
        metavar="K or x1,y1,x2,y2",
        help="the K-th of the people found, by score, or a box in fractions of the frame, as in "
        "AVA's csv (default 1)",
    )
    add("--output", required=True, metavar="DIR")
    add_frame_flags(
        parser, default="as the model was trained", defaults={"video_start_seconds": "0"}
    )
    parser.add_override()
    parser.add_json()
    arguments = parser.parse_args(argv)
    if bool(arguments.video) == bool(arguments.records):
        parser.error("give either --video or --records")
    if arguments.records and not arguments.video_id:
        parser.error("--records needs --video_id")
    return arguments


def parse_person(text: str):
    """(number, None) or (1, [4] yxyx box)."""
    try:
        values = [float(part) for part in text.split(",")]
        if len(values) == 1 and values[0] == int(values[0]) >= 1:
            return int(values[0]), None
        x1, y1, x2, y2 = values
        if 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1:
            return 1, [y1, x1, y2, x2]
    except (ValueError, OverflowError):  # int() of infinity
        pass
    raise UserError(
        f"--person {text}: expected a number, 1 or more, or a box x1,y1,x2,y2 in fractions of "
        "the frame with x1 < x2 and y1 < y2"
    )


@cli.arguments_are_flags("override", "optical_flow", "records", "video_start_seconds")
def main(argv=None) -> int:
    flags = parse_arguments(argv)
    number, box = parse_person(flags.person)
    given = given_settings(flags)
    # `kill` cleans up as ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cli.check_output_folder(flags, *FILES)
    if flags.video:
        from avatx.data.video.video_reader import check_video

        check_video(flags.video)
    cli.import_tensorflow()
    from avatx.data.input import clip_source
    from avatx.data.video.clip_sampling import wanted_times
    from avatx.data.video.frame_settings import for_model
    from avatx.pictures.attention_figure import AttentionFigure
    from avatx.trained.attention_model import AttentionModel

    clip_source.check_seconds("--timestamp", flags.timestamp)
    with cli.arguments_are_flags("checkpoint"), cli.slow("loading the model"):
        model = AttentionModel(flags.pipeline_config_path, flags.checkpoint, flags.override)
    trained = model.trained
    shape = trained.clip
    video_id, keyframe = clip_source.moment(flags.video_id or flags.video, flags.timestamp)
    offsets = wanted_times(0, shape.num_frames, shape.frame_rate)
    if flags.video:
        for line in overridden(given, trained.frame_settings):
            cli.talk(line)
        with cli.arguments_are_flags("optical_flow"):
            settings = for_model(trained.frame_settings, shape.has_flow, given)
        clip = clip_source.frames_of_video(flags.video, keyframe, offsets, settings)
    else:
        source = clip_source.RecordClips(flags.records, shape.has_flow)
        with cli.slow("reading the records"):
            source.prepare([(video_id, keyframe)], offsets)
        clip = source.clip(video_id, keyframe, offsets)
    with cli.arguments_are_flags(number="person"), cli.slow("looking at the clip"):
        attended = model.look(clip.frames, number, box)
    actions = ", ".join(f"{action.name} {action.score:.2f}" for action in attended.person.actions)
    name = flags.video_id or os.path.splitext(os.path.basename(flags.video.rstrip("/")))[0]
    title = f"{name}, {flags.timestamp:g} s"
    figure = AttentionFigure(clip, attended, shape.frame_rate, title)
    progress = Progress("drawing", "pictures")
    files = figure.write(flags.output, progress.to)
    progress.end()
    if flags.json:
        person = attended.person
        cli.print_json(
            {
                "step": trained.step,
                "box": [float(value) for value in person.box],
                "actions": [action._asdict() for action in person.actions],
                "files": [os.path.join(flags.output, name) for name in files],
            }
        )
        return 0
    print(f"step {trained.step}: {actions}; wrote {', '.join(files)} in {flags.output}")
    return 0


if __name__ == "__main__":
    cli.run(main)

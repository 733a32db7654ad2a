"""The whole path on the playground, as a user would walk it: generate, make records, train,
evaluate, export, detect on a held-out video, write pictures and a page to look through.

    python tools/demo.py --output runs/demo

Every step is a command line of its own, which is said before it runs. A step whose result is there
already is left out, and training resumes: after ctrl-C run it again.
"""

import functools
import json
import pathlib
import time
from collections.abc import Sequence

from avatx import cli, config
from avatx.playground.dataset import check_arguments
from avatx.reproduction.steps import run_step

TOOLS = pathlib.Path(__file__).resolve().parent
CONFIG = TOOLS.parent / "configs" / "playground" / "demo.config"
step = functools.partial(run_step, TOOLS)
HELD_OUT = "val_0000"


@cli.arguments_are_flags("override")
def main(argv: Sequence[str] | None = None) -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument("--output", required=True, metavar="DIR", help="where everything goes")
    parser.add_argument("--pipeline_config_path", default=str(CONFIG), metavar="FILE")
    parser.add_argument("--train_videos", type=int, default=240)
    parser.add_argument("--val_videos", type=int, default=40)
    parser.add_override()
    parser.add_json()
    arguments = parser.parse_args(argv)
    # A mistake is told before videos are made.
    cli.check_output_folder(arguments)
    config.load(arguments.pipeline_config_path, arguments.override)
    for split in ("train", "val"):
        name = f"{split}_videos"
        with cli.arguments_are_flags("output", num_videos=name):
            check_arguments(arguments.output, split, getattr(arguments, name))

    output = pathlib.Path(arguments.output)
    data, model, export, detections, page = (
        output / name for name in ("data", "model", "export", "detections", "page")
    )
    begin = time.monotonic()
    # More people a clip are more to learn from in the same time; validated is as usual.
    for number, (split, count, cast) in enumerate(
        (("train", arguments.train_videos, "group"), ("val", arguments.val_videos, "few")), start=1
    ):
        step(
            data / f"{split}.csv",
            "make_playground.py",
            "--output",
            data,
            "--split",
            split,
            "--num_videos",
            count,
            "--cast",
            cast,
            "--seed",
            number,
        )
        step(
            None,
            "create_ava_tfrecord.py",
            "--videos",
            data / "videos",
            "--annotations",
            data / f"{split}.csv",
            "--excluded",
            data / f"{split}_excluded_timestamps.csv",
            "--label_map",
            data / "label_map.pbtxt",
            "--output",
            data / split,
            "--num_shards",
            4,
            "--margin_seconds",
            1,
        )
    # The config names the files of `make demo`; here they may lie elsewhere.
    overrides = [
        f"train_input_reader.label_map_path={data / 'label_map.pbtxt'}",
        f"train_input_reader.tf_record_input_reader.input_path={data / 'train-*.tfrecord'}",
        f"eval_input_reader.label_map_path={data / 'label_map.pbtxt'}",
        f"eval_input_reader.tf_record_input_reader.input_path={data / 'val-*.tfrecord'}",
        *arguments.override,
    ]
    step(
        model / "metrics.json",
        "model_main.py",
        "--pipeline_config_path",
        arguments.pipeline_config_path,
        "--model_dir",
        model,
        "--mode",
        "train_and_eval",
        "--override",
        *overrides,
    )
    step(
        export / "saved_model",
        "exporter_main.py",
        "--pipeline_config_path",
        model / "pipeline.config",
        "--checkpoint",
        model,
        "--output",
        export,
        "--attention",
    )
    step(
        detections / "annotated.mp4",
        "detect_video.py",
        "--saved_model",
        export / "saved_model",
        "--video",
        data / "videos" / f"{HELD_OUT}.mp4",
        "--output",
        detections,
        "--annotations",
        data / "val.csv",
        "--attention",
    )
    step(
        page / "index.html",
        "explore.py",
        "--detections",
        detections,
        "--annotations",
        data / "val.csv",
        "--output",
        page,
    )

    metrics = json.loads((model / "metrics.json").read_text())
    minutes = (time.monotonic() - begin) / 60
    pictures = sorted(str(path) for path in detections.glob("*.jpg"))
    if arguments.json:
        names = ("mAP", "num_classes_with_groundtruth", "person_AP")
        places = {"detections": str(detections), "pictures": pictures, "page": str(page)}
        numbers = {name: metrics[name] for name in names}
        cli.print_json({**numbers, "model": str(model), **places, "minutes": round(minutes, 1)})
        return 0
    print(f"\n{minutes:.1f} minutes in all")
    print(
        f"mAP {_shown(metrics['mAP'])}, mean over {metrics['num_classes_with_groundtruth']} "
        f"classes; person AP@0.5 {_shown(metrics['person_AP'])}   "
        f"(per class: {model / 'metrics.json'})"
    )
    names_of_pictures = ", ".join(pathlib.Path(path).name for path in pictures)
    print(f"pictures in {detections}: annotated.mp4, {names_of_pictures}")
    print(f"to look through it, open {page / 'index.html'} in a browser")
    return 0


def _shown(number: float | None) -> str:
    """None: nobody is in the validation videos."""
    return "unknown" if number is None else f"{number:.3f}"


if __name__ == "__main__":
    cli.run(main)

r"""Exports a trained detector as a SavedModel that needs nothing but TensorFlow.

    python tools/exporter_main.py --pipeline_config_path MODEL_DIR/pipeline.config \
        --checkpoint MODEL_DIR --best --output EXPORT
"""

import argparse
import signal
import sys

from avatx import cli
from avatx.results import talk_on_stderr


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = cli.Parser(
        __doc__,
        older={"--trained_checkpoint_dir": "--checkpoint", "--output_directory": "--output"},
    )
    parser.add_argument(
        "--pipeline_config_path", required=True, help="what the model was trained with"
    )
    parser.add_argument(
        "--checkpoint",
        required=True,
        help="a model directory: its newest checkpoint is exported; or the prefix of one",
    )
    parser.add_argument(
        "--best",
        action="store_true",
        help="take the checkpoint of the best evaluation in the model directory",
    )
    parser.add_argument(
        "--output",
        required=True,
        help="new, empty, or an older export, which is replaced",
    )
    parser.add_override()
    parser.add_argument(
        "--attention",
        action="store_true",
        help="also export serving_attention: what each detection attended to",
    )
    parser.add_argument("--json", action="store_true", help="print what was exported as JSON")
    parser.add_argument(
        "--format",
        choices=("saved_model", "onnx"),
        default="saved_model",
        help="onnx: model.onnx for ONNX Runtime, of serving_default (default %(default)s)",
    )
    parser.add_argument(
        "--version",
        type=int,
        help="write the SavedModel into a folder of this number, as TensorFlow Serving wants it; "
        "an older export of the number is replaced, which a running server does not notice",
    )
    return parser.parse_args(argv)


@cli.arguments_are_flags(
    "override", "attention", "version", onnx="format onnx", file_format="format"
)
def main(argv=None) -> int:
    arguments = parse_arguments(argv)
    cli.check_output_folder(arguments)
    # `kill` cleans up as ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cli.import_tensorflow()
    from avatx.export.exporter import export_pipeline

    names = cli.arguments_are_flags(
        "best", trained_checkpoint_dir="checkpoint", output_directory="output"
    )
    with names, talk_on_stderr():
        summary = export_pipeline(
            arguments.pipeline_config_path,
            arguments.checkpoint,
            arguments.output,
            arguments.override,
            arguments.attention,
            best=arguments.best,
            file_format=arguments.format,
            version=arguments.version,
        )
    if arguments.json:
        cli.print_json({"output": arguments.output, **summary._asdict()})
        return 0
    print(
        f"exported step {summary.step} ({summary.checkpoint}), {summary.num_parameters:,} "
        f"parameters, to {arguments.output}"
    )
    if summary.replaced and arguments.version is not None:
        cli.talk(
            f"note: replaced the older version {arguments.version}: a server that has loaded it "
            "serves on what it loaded; a larger number is noticed"
        )
    if summary.other:
        cli.talk(f"note: the best evaluation was of {summary.other}; --best exports that")
    if arguments.format == "onnx":
        print("model.onnx is the signature serving_default: its inputs in, detections out")
    elif not summary.serves_jpeg:
        cli.talk(
            "note: without serving_jpeg: JPEG frames carry no optical flow, which it takes; "
            "serving_default takes clips of 5 channels"
        )
    return 0


if __name__ == "__main__":
    cli.run(main)

"""Exports a trained detector as a SavedModel that needs nothing but TensorFlow.

    python tools/exporter_main.py --pipeline_config_path MODEL_DIR/pipeline.config \
        --trained_checkpoint_dir MODEL_DIR --output_directory EXPORT
"""

import argparse
import signal
import sys

from avatx import cli


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pipeline_config_path", required=True, help="what the model was trained with"
    )
    parser.add_argument(
        "--trained_checkpoint_dir",
        required=True,
        help="its newest checkpoint is exported; or the prefix of one",
    )
    parser.add_argument(
        "--output_directory",
        required=True,
        help="new, empty, or an older export, which is replaced",
    )
    parser.add_argument(
        "--override",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUE",
        help="changes fields of the config",
    )
    parser.add_argument(
        "--attention",
        action="store_true",
        help="also export serving_attention: what each detection attended to",
    )
    parser.add_argument(
        "--format",
        choices=("saved_model", "onnx"),
        default="saved_model",
        help="onnx: model.onnx for ONNX Runtime, of serving_default (default %(default)s)",
    )
    parser.add_argument(
        "--version",
        type=int,
        help="write the SavedModel into a folder of this number, as TensorFlow Serving wants it",
    )
    return parser.parse_args(argv)


@cli.arguments_are_flags(
    "override", "attention", "version", onnx="format onnx", file_format="format"
)
def main(argv=None) -> int:
    arguments = parse_arguments(argv)
    # `kill` cleans up as ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cli.import_tensorflow()
    from avatx.export.exporter import export_pipeline

    with cli.arguments_are_flags("trained_checkpoint_dir", "output_directory"):
        summary = export_pipeline(
            arguments.pipeline_config_path,
            arguments.trained_checkpoint_dir,
            arguments.output_directory,
            arguments.override,
            arguments.attention,
            file_format=arguments.format,
            version=arguments.version,
        )
    print(
        f"exported step {summary.step}, {summary.num_parameters:,} parameters, "
        f"to {arguments.output_directory}"
    )
    if arguments.format == "onnx":
        print("model.onnx is the signature serving_default: clips in, detections out")
    elif not summary.serves_jpeg:
        print(
            "without serving_jpeg: JPEG frames carry no optical flow, which this model takes; "
            "serving_default takes clips of 5 channels"
        )
    return 0


if __name__ == "__main__":
    cli.run(main)

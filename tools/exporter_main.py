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
    return parser.parse_args(argv)


@cli.arguments_are_flags("override", "attention")
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
        )
    print(
        f"exported step {summary.step}, {summary.num_parameters:,} parameters, "
        f"to {arguments.output_directory}"
    )
    if not summary.serves_jpeg:
        print(
            "without serving_jpeg: JPEG frames carry no optical flow, which this model takes; "
            "serving_default takes clips of 5 channels"
        )
    return 0


if __name__ == "__main__":
    cli.run(main)

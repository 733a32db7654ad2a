r"""Trains and evaluates the detector that a pipeline.config describes.

    python tools/model_main.py --pipeline_config_path pipeline.config --model_dir DIR \
        --mode train_and_eval

--mode train           trains; a second start goes on from the newest checkpoint in DIR
--mode train_and_eval  evaluates in between, too, and keeps the best checkpoint in DIR/best
--mode eval            evaluates the newest checkpoint once, or that of --checkpoint
--checkpoint TRAINED   without --mode: evaluates each new checkpoint in TRAINED until training is
                       done; results go to DIR
"""

import json
import os

from avatx import cli
from avatx.results import talk_on_stderr


@cli.arguments_are_flags("override")
def main(argv=None) -> int:
    parser = cli.Parser(__doc__, older={"--checkpoint_dir": "--checkpoint"})
    parser.add_argument("--pipeline_config_path", required=True, help="the experiment")
    parser.add_argument(
        "--model_dir", required=True, help="directory of checkpoints, events and results"
    )
    parser.add_argument("--mode", choices=("train", "eval", "train_and_eval"), help="default train")
    parser.add_argument(
        "--checkpoint",
        help="directory or prefix of checkpoints to evaluate",
    )
    parser.add_argument(
        "--eval_timeout",
        type=cli.not_negative,
        default=3600.0,
        metavar="SECONDS",
        help="with --checkpoint: longest wait for the next checkpoint (default 3600)",
    )
    parser.add_override()
    parser.add_argument(
        "--distribution_strategy",
        default="mirrored",
        help="mirrored (default: all GPUs, else the CPU; where TF_CONFIG names several machines, "
        "theirs), one_device, cpu, mirrored:gpu:0,gpu:1, or multi_worker_mirrored: all GPUs of the "
        "machines that TF_CONFIG or Slurm names",
    )
    parser.add_argument(
        "--peer_timeout",
        type=cli.not_negative,
        default=600.0,
        metavar="SECONDS",
        help="on several machines: longest wait for the others at the start (default 600)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the last evaluation as JSON, no line of each"
    )
    flags = parser.parse_args(argv)
    cli.check_output_folder(flags, by="model_dir")

    cli.import_tensorflow()
    with cli.slow("loading the program"):  # Model Garden's part takes seconds
        from avatx import config as config_lib
        from avatx import file_systems
        from avatx.builders import experiment_builder
        from avatx.data.records.input_errors import explained
        from avatx.errors import UserError
        from avatx.evaluation.evaluation_run import METRICS_FILE
        from avatx.training import distribution, run

    mode = flags.mode or ("eval" if flags.checkpoint else "train")
    if flags.checkpoint and mode != "eval":
        raise UserError(
            f"--checkpoint is for evaluation, and --mode is {mode}; to start from a checkpoint "
            "set train_config.fine_tune_checkpoint"
        )
    config = config_lib.load(flags.pipeline_config_path, flags.override)
    readers = (config.train_input_reader, config.eval_input_reader)
    input_paths = [path for reader in readers for path in reader.tf_record_input_reader.input_path]
    with cli.arguments_are_flags("distribution_strategy"):
        distribution.join(flags.distribution_strategy, flags.peer_timeout)
    with cli.slow("looking at the data"):
        experiment = experiment_builder.build(config, flags.model_dir, flags.distribution_strategy)
    by_flag = cli.arguments_are_flags(
        "model_dir", "distribution_strategy", "checkpoint", checkpoint_dir="checkpoint"
    )
    with by_flag, explained(input_paths), talk_on_stderr(shows_results=not flags.json):
        if mode == "train":
            run.train(experiment)
        elif mode == "train_and_eval":
            run.train_and_eval(experiment)
        elif flags.mode:
            run.evaluate(experiment, flags.checkpoint or "")
        else:
            run.evaluate_continuously(experiment, flags.checkpoint, flags.eval_timeout)
    if flags.json:
        path = os.path.join(flags.model_dir, METRICS_FILE)
        metrics = {}
        if mode != "train":
            with file_systems.open_text(path) as file:
                metrics = json.load(file)
        print(json.dumps({"model_dir": flags.model_dir, **metrics}, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    cli.run(main)

"""`train_and_eval` as tools/model_main.py runs it, of a model that trains in a moment.

python linear_training.py MODEL_DIR
"""

import sys

from linear_evaluated import experiment

from avatx import cli
from avatx.training import run


def main() -> int:
    run.train_and_eval(experiment(sys.argv[1]))
    return 0


if __name__ == "__main__":
    cli.run(main)

"""How many of the people the proposals of a trained detector hold, and how many its detections.

    python benchmarks/measure_proposals.py --model_dir runs/reproduce/rows/crowd_r64/seed1 \
        --num_proposals 8 16 32 64

Recall over the people of the config's evaluation records, at IoU 0.5 and 0.75: the share for whom
one of the first R proposals, by objectness, overlaps as much. What the second stage makes of them
is the mAP's business. Prints a table, a line for each R, and JSON with --json.
"""

import argparse
import json
import os

import numpy as np
import tensorflow as tf

from avatx import cli
from avatx.builders import experiment_builder
from avatx.core import box_ops
from avatx.errors import UserError
from avatx.trained.trained_model import TrainedModel

THRESHOLDS = (0.5, 0.75)


def recalls(overlaps: np.ndarray, numbers: list[int]) -> dict[int, list[float]]:
    """Recall at each of `THRESHOLDS` of the first R proposals.

    Args:
      overlaps: [people, proposals], IoU of each person with each proposal of its keyframe, by
        descending objectness; -1 where there is none.
      numbers: R.
    """
    return {
        number: [
            float((overlaps[:, :number].max(axis=1) >= threshold).mean())
            for threshold in THRESHOLDS
        ]
        for number in numbers
    }


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model_dir", required=True, help="of tools/model_main.py")
    parser.add_argument("--num_proposals", nargs="+", type=int, default=[8, 16, 32, 64])
    parser.add_argument("--override", nargs="+", action="extend", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args(argv)
    if min(flags.num_proposals) < 1:
        raise UserError("num_proposals: expected 1 or more")
    most = f"model.action_faster_rcnn.first_stage_max_proposals={max(flags.num_proposals)}"
    trained = TrainedModel.load(
        os.path.join(flags.model_dir, "pipeline.config"), flags.model_dir, [*flags.override, most]
    )
    if trained.model.needs_groundtruth:
        raise UserError(
            f"{flags.model_dir}: its boxes are the groundtruth's; there are no proposals"
        )
    overlaps = np.concatenate(list(_overlaps(trained)))
    found = recalls(overlaps, flags.num_proposals)
    if flags.json:
        print(json.dumps({"people": len(overlaps), "recall": found}))
        return 0
    print(f"{len(overlaps)} people; recall at IoU " + " and ".join(map(str, THRESHOLDS)))
    for number, values in found.items():
        print(f"{number:5} proposals  " + "  ".join(f"{value:.3f}" for value in values))
    return 0


def _overlaps(trained: TrainedModel):
    """Of each clip with people: [people, proposals]."""
    experiment = experiment_builder.build(trained.config, model_dir="")
    model = trained.model
    predict = tf.function(lambda clips: model.predict(model.preprocess(clips)).proposals)
    for batch in experiment.make_eval_dataset(experiment.eval.batch_size, None):
        proposals = predict(batch.clips)
        overlap = box_ops.iou(batch.groundtruth.boxes, proposals.boxes).numpy()
        for clip in np.flatnonzero(batch.valid):
            people = int(batch.groundtruth.num_boxes[clip])
            overlap[clip, :, int(proposals.num_proposals[clip]) :] = -1.0
            if people:
                yield overlap[clip, :people]


if __name__ == "__main__":
    cli.run(main)

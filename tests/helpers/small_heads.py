"""Every head behind a real, narrow I3D trunk, built as from a pipeline.config."""

import pathlib

from google.protobuf import text_format

from avatx import config
from avatx.builders import model_builder
from avatx.training.seed import set_random_seed

ROOT = pathlib.Path(__file__).parents[2]
TX = "num_layers: 2 num_heads: 2 depth: 8 query_reduction_depth: 8 feed_forward_depth: 16"
HEADS = {
    "Tx HighRes": f"tx_box_predictor {{ {TX} }}",
    "Tx LowRes": f"tx_box_predictor {{ {TX} query: LOW_RES }}",
    "I3D": "i3d_box_predictor {}",
    "Tx + I3D": f"tx_i3d_box_predictor {{ tx {{ {TX} }} i3d {{}} }}",
}
NUM_CLASSES = 5  # as in `small_detector`


def head_model(head, *overrides, seed=0):
    """The playground's detector, narrower and smaller still, with `head` (text of the proto).

    Args:
      head: the message of the box predictor, as text.
      overrides: fields of action_faster_rcnn, "first_stage_max_proposals=8".
      seed: of the weights.
    """
    sizes = (
        f"num_classes={NUM_CLASSES}",
        "image_resizer.fixed_shape_resizer.height=48",
        "image_resizer.fixed_shape_resizer.width=64",
        "trunk.i3d.depth_multiplier=0.05",
        "trunk.i3d.final_endpoint=Mixed_4f",
        "trunk.batch_norm=FROZEN",
        "first_stage_box_predictor_depth=8",
        "first_stage_max_proposals=8",
        "second_stage_batch_size=8",
        *overrides,
    )
    loaded = config.load(
        str(ROOT / "configs/playground/demo.config"),
        [f"model.action_faster_rcnn.{override}" for override in sizes],
    )
    predictor = loaded.model.action_faster_rcnn.second_stage_box_predictor
    predictor.Clear()
    text_format.Parse(head, predictor)
    set_random_seed(seed)
    return model_builder.build(loaded.model)

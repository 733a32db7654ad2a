"""Overrides that make a detector of configs/playground/demo.config that trains in seconds."""

SMALL = [
    "model.action_faster_rcnn.num_classes=3",
    "model.action_faster_rcnn.clip.num_frames=8",
    "model.action_faster_rcnn.image_resizer.fixed_shape_resizer.height=48",
    "model.action_faster_rcnn.image_resizer.fixed_shape_resizer.width=64",
    "model.action_faster_rcnn.trunk.i3d.final_endpoint=MaxPool3d_3a_3x3",
    "model.action_faster_rcnn.trunk.i3d.depth_multiplier=0.0625",
    "model.action_faster_rcnn.first_stage_max_proposals=8",
    "model.action_faster_rcnn.second_stage_box_predictor.tx_box_predictor.num_layers=1",
    "model.action_faster_rcnn.second_stage_box_predictor.tx_box_predictor.num_heads=1",
    "train_config.batch_size=2",
    "train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate.warmup_steps=1",
    "train_config.num_steps=3",
    "train_config.summary_interval=1",
    "train_config.checkpoint_interval=2",
]

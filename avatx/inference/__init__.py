"""A SavedModel over a video. Nothing here knows configs, checkpoints or the model's code."""

"""Training and evaluation of a detection model: the task, the loop, checkpoints and guards."""

"""The AVA metric, and why it is what it is. Needs no TensorFlow, except for the evaluation run."""

"""Strides of the trunks that are cut in one place.

Without TensorFlow, so that a pipeline.config is checked against them at once. A trunk that is not
named here is checked when it is built.
"""

# Name in the config -> input cells to one output cell: (time, height, width).
OUTPUT_STRIDES = {"resnet_3d": (4, 16, 16), "movinet": (1, 16, 16)}

"""How fast this machine runs the trunk's convolutions when it does nothing else.

Each distinct convolution of the trunk runs by itself, with the same precision and batch, and the
times are added: no bias, ReLU, pool, concatenation or cast. A trunk cannot be faster without
other arithmetic, so its share of this says what the rest of it costs.
"""

from collections import Counter
from typing import NamedTuple

import tensorflow as tf

from measuring.flops import Convolution
from measuring.timing import measure


class Ceiling(NamedTuple):
    seconds: float  # of all convolutions of a batch, one after the other
    flops: int
    slowest: tuple[tuple[str, float, float], ...]  # name, seconds, FLOP/s; the three that take most

    @property
    def flops_per_second(self) -> float:
        return self.flops / self.seconds


def measure_ceiling(
    convolutions: list[Convolution], batch_size: int, dtype: tf.DType, warm_up: int, repeats: int
) -> Ceiling:
    """Times the distinct shapes; see the module's docstring."""
    shapes = Counter(one._replace(name="") for one in convolutions)
    names = {one._replace(name=""): one.name for one in reversed(convolutions)}
    seconds, each = 0.0, []
    for shape, count in shapes.items():
        inputs = tf.cast(
            tf.random.normal([batch_size, *shape.input_size, shape.input_depth]), dtype
        )
        kernel = tf.cast(
            tf.random.normal([*shape.kernel, shape.input_depth, shape.depth], stddev=0.01), dtype
        )
        strides = (1, *shape.strides, 1)

        @tf.function(autograph=False)
        def convolve(inputs, kernel, strides=strides):
            return tf.nn.conv3d(inputs, kernel, strides, "SAME")

        def step(convolve=convolve, inputs=inputs, kernel=kernel):
            finish(convolve(inputs, kernel))

        took = measure(step, max(warm_up, 1), repeats).median
        seconds += took * count
        each.append((took * count, names[shape], batch_size * shape.flops * count))
    each.sort(reverse=True)
    return Ceiling(
        seconds,
        batch_size * sum(one.flops for one in convolutions),
        tuple((name, took, flops / took) for took, name, flops in each[:3]),
    )


def finish(outputs) -> None:
    """Waits until every tensor of a structure is there; a GPU only promises them."""
    for tensor in tf.nest.flatten(outputs):
        if tensor.dtype != tf.string and tensor.shape.num_elements() != 0:
            tf.reshape(tensor, [-1])[:1].numpy()

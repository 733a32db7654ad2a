"""Whether a CPU computes a trunk in 16 bits as it does in 32: looked at once, before it matters.

A library's kernel for one shape can be wrong by orders of magnitude: oneDNN's gradient of
`Mixed_4c/Branch_2/Conv3d_0b_3x3` in bfloat16 was 1e27 on a processor with AVX-512, of a loss that
looked right. So the trunk is run, forwards and backwards, on one clip of the training's own shape
in both precisions. Rounding alone made gradients of the demo's trunk up to 3.1 times as long in
bfloat16, 1.2 times in float16; what is refused is one ten times too long or too short, or not
finite.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from avatx.checkpoints.reader import variables_by_path
from avatx.errors import UserError

FACTOR = 10.0  # how many times longer or shorter a gradient may be than in float32
OUTPUT_ERROR = 0.5  # of the features: largest length of the difference, per length in float32
# Below this part of the longest gradient one is rounding itself, and says nothing.
_NEGLIGIBLE = 1e-3
_NUM_FRAMES = 8  # of a clip whose length the data set does not say
_REMEDY = (
    "set train_config.precision to FLOAT32, or start with the environment variable "
    "TF_ENABLE_ONEDNN_OPTS=0"
)


def is_needed(precision: str, strategy: tf.distribute.Strategy) -> bool:
    """Whether 16 bits are computed with on a CPU."""
    devices = strategy.extended.worker_devices
    return precision != "float32" and any("CPU" in device.upper() for device in devices)


def clip_shape_of(dataset) -> list[int | None]:
    """(T, H, W, C) of the clips of a (distributed) dataset of batches."""
    spec = dataset.element_spec.clips
    (spec, *_) = getattr(spec, "_value_specs", (spec,))  # of the replicas, one
    return spec.shape[1:].as_list()


def check_trunk(
    model: tf_keras.Model,
    make_model: Callable[[], tf_keras.Model],
    precision: str,
    clip_shape: Sequence[int | None],
    gradients: bool = True,
) -> None:
    """Compares the trunk in the precision it was built in with the same one in float32.

    Args:
      model: built under the policy of `precision`; nothing of it changes.
      make_model: makes such a model, under whatever policy there is.
      precision: as in `TrainOptions`, for the message.
      clip_shape: (T, H, W, C) of a clip as the data set gives it; None: as the model takes it.
      gradients: whether the gradients are compared, too.

    Raises:
      UserError: features or a gradient are wrong; names the first variable.
    """
    before = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy("float32")
    try:
        reference = make_model()
    finally:
        tf_keras.mixed_precision.set_global_policy(before)
    ours, theirs = (variables_by_path(one.trunk) for one in (model, reference))
    for path, variable in theirs.items():
        variable.assign(ours[path].numpy())
    height, width = model.image_size
    usual = (_NUM_FRAMES, height, width, model.input_channels)
    shape = [size or other for size, other in zip(clip_shape, usual, strict=True)]
    noise = np.random.default_rng(0).integers(0, 256, [1, *shape], np.uint8)
    features, lengths = _run(model, noise, gradients)
    expected, expected_lengths = _run(reference, noise, gradients)
    error = np.linalg.norm(features - expected) / max(float(np.linalg.norm(expected)), 1e-30)
    if not error <= OUTPUT_ERROR:
        raise UserError(
            f"train_config.precision {precision.upper()}: this CPU computes the trunk's features "
            f"wrongly in it: they differ from those in float32 by {error:.2g} of their length; "
            f"{_REMEDY}"
        )
    name = wrong_gradient(lengths, expected_lengths)
    if name:
        raise UserError(
            f"train_config.precision {precision.upper()}: this CPU computes a wrong gradient in "
            f"it: that of trunk/{name} has a length of {lengths[name]:.3g}, in float32 "
            f"{expected_lengths[name]:.3g}; {_REMEDY}"
        )


def wrong_gradient(lengths: Mapping[str, float], expected: Mapping[str, float]) -> str:
    """The variable whose gradient is farthest from what is expected; "" if none is too far.

    Args:
      lengths: of the gradient of each variable, by its path.
      expected: the same in float32.
    """
    negligible = _NEGLIGIBLE * max(expected.values(), default=0.0)
    factors = {}
    for name, length in lengths.items():
        right = expected[name]
        low, high = sorted((max(length, negligible), max(right, negligible)))
        factors[name] = high / low if np.isfinite(length) and low > 0 else np.inf
        if length == right:  # both are 0, where nothing is trained
            factors[name] = 1.0
    worst = max(factors, key=lambda name: factors[name], default="")
    return worst if worst and factors[worst] > FACTOR else ""


def _run(
    model: tf_keras.Model, clips: np.ndarray, gradients: bool
) -> tuple[np.ndarray, dict[str, float]]:
    """Features of the trunk in float32, and the length of each variable's gradient.

    The gradient is that of the features' product with a fixed direction.
    """
    trainable = {
        path: variable
        for path, variable in variables_by_path(model.trunk).items()
        if gradients and variable.trainable
    }

    @tf.function(autograph=False)  # as in training: the graph optimiser chooses kernels, too
    def run(clips: tf.Tensor):
        with tf.GradientTape() as tape:
            features = model.trunk(model.preprocess(clips), training=False)
            features = tf.cast(features, tf.float32)
            direction = tf.random.stateless_normal(tf.shape(features), [1, 2])
            positions = tf.cast(tf.size(features), tf.float32)
            product = tf.reduce_sum(features * direction) / tf.sqrt(positions)
        found = tape.gradient(product, list(trainable.values())) if trainable else []
        return features, [
            tf.zeros([], tf.float64) if one is None else tf.norm(tf.cast(one, tf.float64))
            for one in found
        ]

    features, lengths = run(tf.constant(clips))
    return features.numpy(), {
        path: float(length.numpy()) for path, length in zip(trainable, lengths, strict=True)
    }

"""Inception-v1 I3D: the paper's trunk (to Mixed_4f), its tail, and the Kinetics classifier.

Source: Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics
Dataset", https://arxiv.org/abs/1705.07750, and Section 3.1 of the Video Action Transformer paper:
"we extract the feature map from the Mixed_4f layer". The whole network is trunk, MaxPool3d_5a,
tail (Mixed_5b, Mixed_5c), logits; a detector's head runs the tail without the pool.

Departure: the published classifier pools 2x7x7 cells, which leaves logits of clips of 224x224 only.
Ours pools 2 frames and the whole of their area, the same at 224x224; a map of one frame is its
own mean.
"""

import tensorflow as tf
import tf_keras

from avatx.core.cell_positions import Window
from avatx.errors import UserError
from avatx.layers import batch_norm as batch_norm_lib
from avatx.layers.dropout import Dropout
from avatx.trunks import i3d_blocks, i3d_endpoints, pooling, recomputing
from avatx.trunks.i3d_blocks import Forms
from avatx.trunks.i3d_endpoints import ENDPOINTS, FINAL_ENDPOINT
from avatx.trunks.trunk import Trunk


def _make(
    name: str, depth_multiplier: float, unit_options: dict, forms: Forms, **first_options
) -> tf_keras.layers.Layer:
    """Makes the convolution unit or Inception block of an endpoint.

    first_options: more of `unit_options`, for the first of all.
    """
    kind, *options = ENDPOINTS[name]
    if kind == "conv":
        depth, kernel_size, strides = options
        depth = i3d_blocks.scaled(depth, depth_multiplier)
        if name == next(iter(ENDPOINTS)):
            unit_options = {**unit_options, **first_options}
        return i3d_blocks.make_unit(depth, kernel_size, strides, unit_options, name=name)
    depths = [i3d_blocks.scaled(depth, depth_multiplier) for depth in options[0]]
    second_name = "Conv3d_0a_3x3" if name == "Mixed_5b" else "Conv3d_0b_3x3"
    return i3d_blocks.InceptionBlock(depths, second_name, unit_options, forms, name=name)


def _build_children(parent: tf_keras.layers.Layer, depth: int) -> None:
    """Makes the variables of `parent`'s children, one behind the other, for `depth` channels."""
    for name in parent.child_names:
        child = getattr(parent, name)
        i3d_blocks.build_child(child, depth)
        depth = child.depth


class I3DTail(tf_keras.layers.Layer):
    """Inception blocks behind a trunk, without strides: [N, T, H, W, C] -> [N, T, H, W, depth].

    Args:
      names: endpoints of the blocks, in order.
      depth_multiplier: scales every channel count, see `i3d_blocks.scaled`.
      unit_options: see `i3d_blocks.make_unit`.
      forms: how they are computed.
    """

    def __init__(
        self, names, depth_multiplier: float, unit_options: dict, forms: Forms = Forms(), **kwargs
    ):
        super().__init__(**kwargs)
        self.child_names = tuple(names)
        for name in self.child_names:
            setattr(self, name, _make(name, depth_multiplier, unit_options, forms))

    @property
    def output_depth(self) -> int:
        return getattr(self, self.child_names[-1]).depth

    def build(self, input_shape):
        _build_children(self, input_shape[-1])
        super().build(input_shape)

    @tf.autograph.experimental.do_not_convert
    def call(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        for name in self.child_names:
            features = getattr(self, name)(features, training=training)
        return features


class I3D(Trunk):
    """I3D up to an endpoint: at Mixed_4f, [B, T/4, H/16, W/16, 832], sizes rounded up.

    Args:
      final_endpoint: a key of ENDPOINTS.
      batch_norm: FROZEN, TRAINED or SYNC, see `avatx.layers.batch_norm`.
      batch_norm_momentum: of the moving averages.
      depth_multiplier: scales every channel count (rounded, at least 8); 1.0 is Kinetics I3D.
      separable: every k x k x k convolution as 1 x k x k and then k x 1 x 1, as in S3D.
      max_pool: how pools are computed, one of `pooling.FORMS`.
      stem_as_blocks: the first convolution over blocks of 2x2x2 pixels, see `space_to_depth`.
      joint_1x1: 1x1x1 convolutions that share an input as one.
      recompute: activations within a block, and before the first one between the pools, are
        computed again in the backward pass and not kept.
      jit_compile: the whole trunk is compiled by XLA.
      input_channels: 3 for RGB, 2 for optical flow.

    Raises:
      UserError: an argument is out of its range.
    """

    def __init__(
        self,
        final_endpoint: str = FINAL_ENDPOINT,
        batch_norm: str = batch_norm_lib.FROZEN,
        batch_norm_momentum: float = 0.99,
        depth_multiplier: float = 1.0,
        separable: bool = False,
        max_pool: str = pooling.WINDOW,
        stem_as_blocks: bool = False,
        joint_1x1: bool = False,
        recompute: bool = False,
        jit_compile: bool = False,
        name: str = "i3d",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if final_endpoint not in ENDPOINTS:
            raise UserError(
                f"final_endpoint: {final_endpoint!r} is no endpoint of I3D, "
                f"expected one of {', '.join(ENDPOINTS)}"
            )
        if not depth_multiplier > 0:
            raise UserError(f"depth_multiplier: {depth_multiplier}, expected a number above 0")
        self.final_endpoint = final_endpoint
        self.depth_multiplier = float(depth_multiplier)
        self.separable = separable
        self._unit_options = {
            "batch_norm": batch_norm,
            "batch_norm_momentum": batch_norm_momentum,
            "separable": separable,
        }
        if separable and stem_as_blocks:
            raise UserError(
                "stem_as_blocks: the first convolution of a separable trunk is 1x7x7 and then "
                "7x1x1; expected one of both only"
            )
        self._forms = Forms(max_pool, joint_1x1)
        self.max_pool = max_pool
        self.recompute = recompute
        self.is_compiled = jit_compile
        self._compiled = (
            tf.function(self._forward, jit_compile=True, autograph=False) if jit_compile else None
        )
        self._endpoint_names = i3d_endpoints.up_to(final_endpoint)
        self.child_names = tuple(n for n in self._endpoint_names if ENDPOINTS[n][0] != "pool")
        for child in self.child_names:
            made = _make(
                child,
                depth_multiplier,
                self._unit_options,
                self._forms,
                **({"as_blocks": True} if stem_as_blocks else {}),
            )
            setattr(self, child, made)

    @property
    def strided_windows(self) -> tuple[Window, ...]:
        strided = i3d_endpoints.strided(self.final_endpoint)
        return tuple(Window(kernel, stride) for kernel, stride in strided)

    @property
    def output_depth(self) -> int:
        return getattr(self, self.child_names[-1]).depth

    def build(self, input_shape):
        _build_children(self, input_shape[-1])
        self.built = True  # Model.build would trace `call`, for seconds, to the same end

    @tf.autograph.experimental.do_not_convert
    def call(self, clips: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return (self._compiled or self._forward)(clips, training)

    def _forward(self, clips, training):
        if not (self.recompute and training):
            return self.endpoints(clips, training)[self.final_endpoint]
        features = tf.cast(clips, self.compute_dtype)
        for names in self._segments():
            features = recomputing.call(
                lambda inputs, names=names: self._run(  # type: ignore[misc]
                    names, inputs, training
                )[names[-1]],
                features,
            )
        return features

    def _segments(self) -> list[tuple[str, ...]]:
        """Endpoints of which only the last one's activations are kept.

        Before the Inception blocks from pool to pool: these activations are as much as those of
        all blocks, and the most that is held at once is then the first convolution's output with
        its gradient. Behind them one by one.
        """
        segments: list[tuple[str, ...]] = []
        names: tuple[str, ...] = ()
        for name in self._endpoint_names:
            names += (name,)
            if ENDPOINTS[name][0] in ("pool", "mixed"):
                segments.append(names)
                names = ()
        return [*segments, names] if names else segments

    # Only Python decides the way through the layers, and converting 50 of them costs seconds.
    @tf.autograph.experimental.do_not_convert
    def endpoints(self, clips: tf.Tensor, training: bool | None = None) -> dict[str, tf.Tensor]:
        """Returns every endpoint's activations, in order: name -> [B, T', H', W', C]."""
        features = tf.cast(clips, self.compute_dtype)
        return self._run(self._endpoint_names, features, training)

    def _run(self, names, features, training) -> dict[str, tf.Tensor]:
        activations = {}
        for name in names:
            if ENDPOINTS[name][0] == "pool":
                features = self._pool(name, features)
            else:
                features = getattr(self, name)(features, training=training)
            activations[name] = features
        return activations

    def _pool(self, name: str, features: tf.Tensor) -> tf.Tensor:
        window, strides = ENDPOINTS[name][1:]
        return pooling.max_pool(features, window, strides, self._forms.max_pool)

    def build_tail(self) -> I3DTail:
        """Makes the blocks behind `final_endpoint`: at Mixed_4f, Mixed_5b and Mixed_5c."""
        blocks = i3d_endpoints.tail_blocks(self.final_endpoint)
        if not blocks:
            raise UserError(
                f"final_endpoint: {self.final_endpoint!r} leaves no Inception blocks for a head's "
                "tail; expected an endpoint from Conv3d_2c_3x3 to Mixed_5b (the paper: Mixed_4f)"
            )
        return I3DTail(blocks, self.depth_multiplier, self._unit_options, self._forms, name="tail")

    def before_tail(self, features: tf.Tensor) -> tf.Tensor:
        """The pools behind `final_endpoint`: at Mixed_4f, MaxPool3d_5a."""
        for name in i3d_endpoints.behind(self.final_endpoint):
            if ENDPOINTS[name][0] == "pool":
                features = self._pool(name, features)
        return features

    def average(self, features: tf.Tensor) -> tf.Tensor:
        """Mean over space, then the mean of the means of neighbouring frames."""
        return _average(tf.cast(features, tf.float32))


class I3DClassifier(tf_keras.Model):
    """The whole of I3D: clips [B, T, H, W, 3] to logits [B, num_classes] float32.

    Args:
      num_classes: 400 for Kinetics-400.
      dropout: rate before the logits in training.
      trunk_options: keyword arguments of `I3D`, without final_endpoint.
    """

    def __init__(
        self, num_classes: int = 400, dropout: float = 0.0, name="i3d_classifier", **trunk_options
    ):
        super().__init__(name=name)
        self.trunk = I3D(FINAL_ENDPOINT, **trunk_options)
        self.tail = self.trunk.build_tail()
        self.dropout = Dropout(dropout)
        self.logits = tf_keras.layers.Dense(num_classes, dtype=tf.float32, name="logits")

    def build(self, input_shape):
        i3d_blocks.build_child(self.trunk, input_shape[-1])
        i3d_blocks.build_child(self.tail, self.trunk.output_depth)
        i3d_blocks.build_child(self.logits, self.tail.output_depth)
        self.built = True

    def call(self, clips: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return self.endpoints(clips, training)["logits"]

    def endpoints(self, clips: tf.Tensor, training: bool | None = None) -> dict[str, tf.Tensor]:
        """Returns every endpoint's activations and `logits`."""
        activations = self.trunk.endpoints(clips, training)
        features = self.trunk.before_tail(activations[FINAL_ENDPOINT])
        activations["MaxPool3d_5a_2x2"] = features
        activations["Mixed_5c"] = features = self.tail(features, training=training)
        pooled = self.dropout(self.trunk.average(features), training=training)
        # A linear map and a mean commute, so the 1x1x1 convolution is applied after the mean.
        activations["logits"] = self.logits(pooled)
        return activations


def _average(features: tf.Tensor) -> tf.Tensor:
    """Mean over space, then the mean of the means of neighbouring frames: [B,T,H,W,C] -> [B,C]."""
    frames = tf.reduce_mean(features, [2, 3])  # [B, T, C]
    size = tf.shape(frames)[1]
    earlier, later = frames[:, : tf.maximum(size - 1, 1)], frames[:, tf.minimum(1, size - 1) :]
    return tf.reduce_mean((earlier + later) / 2, axis=1)

"""Model Garden's 3D ResNet and MoViNet as trunks, each cut where its spatial stride is 16.

Sources: `official.vision.modeling.backbones.resnet_3d`, with the temporal kernels of its
ResNet3D50 (Model Garden has none for deeper networks of this kind: they alternate likewise), and
`official.projects.movinet.modeling.movinet`, base. Layers carry Model Garden's endpoint names.

The blocks behind the cut are the tail, without their stride: for the ResNet its last group, for
MoViNet its last group and the projection of its head. Batch norm has offset and scale, both
trained in every mode; FROZEN runs the blocks as in inference, which nothing but batch norm notices.

`official` takes seconds to import, so it is imported where a network is made.
"""

import tensorflow as tf
import tf_keras

from avatx.core.cell_positions import Window
from avatx.errors import UserError
from avatx.layers import batch_norm as batch_norm_lib
from avatx.trunks import movinet_blocks, pooling
from avatx.trunks.trunk import Trunk

RESNET_3D_IDS = (50, 101, 152, 200, 270)
MOVINET_IDS = ("a0", "a1", "a2", "a3", "a4", "a5")


class Blocks(tf_keras.layers.Layer):
    """Layers one after the other: [B, T, H, W, C] -> [B, T', H', W', output_depth].

    Args:
      layers: in order; each is kept under its own name.
      output_depth: channels of the last one.
      frozen: whether batch norm uses its moving statistics in training too.
    """

    def __init__(
        self, layers: list[tf_keras.layers.Layer], output_depth: int, frozen: bool, **kwargs
    ):
        super().__init__(**kwargs)
        self.child_names = tuple(layer.name for layer in layers)
        for layer in layers:
            setattr(self, layer.name, layer)
        self.output_depth = output_depth
        self.frozen = frozen

    # Only Python decides the way through the layers, and converting them costs seconds.
    @tf.autograph.experimental.do_not_convert
    def call(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        for name in self.child_names:
            features = getattr(self, name)(features, training=bool(training) and not self.frozen)
        return features


class ModelGardenTrunk(Trunk):
    """A network of Model Garden up to the spatial stride of 16.

    Args:
      model_id: which network of the family.
      batch_norm: FROZEN, TRAINED or SYNC, see `avatx.layers.batch_norm`.
      batch_norm_momentum: of the moving averages.

    Raises:
      UserError: an argument is out of its range.
    """

    _FAMILY = ""
    _IDS: tuple[int | str, ...] = ()

    def __init__(
        self,
        model_id,
        batch_norm: str = batch_norm_lib.FROZEN,
        batch_norm_momentum: float = 0.99,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if model_id not in self._IDS:
            raise UserError(
                f"{self._FAMILY}: model_id {model_id!r} is unknown, "
                f"expected one of {', '.join(map(str, self._IDS))}"
            )
        if batch_norm not in batch_norm_lib.MODES:
            raise UserError(
                f"batch_norm: unknown mode {batch_norm!r}, expected one of {batch_norm_lib.MODES}"
            )
        self.model_id = model_id
        self.batch_norm = batch_norm
        self.batch_norm_momentum = batch_norm_momentum
        self.blocks = self._make_blocks(self._trunk_layers(), name="blocks")

    def _trunk_layers(self) -> tuple[list[tf_keras.layers.Layer], int]:
        """Returns new layers up to the cut, and the last one's channels."""
        raise NotImplementedError

    def _tail_layers(self) -> tuple[list[tf_keras.layers.Layer], int]:
        """Returns new layers behind the cut, of stride 1, and the last one's channels."""
        raise NotImplementedError

    def _make_blocks(
        self, layers_and_depth: tuple[list[tf_keras.layers.Layer], int], **kwargs
    ) -> Blocks:
        layers, depth = layers_and_depth
        return Blocks(layers, depth, self.batch_norm == batch_norm_lib.FROZEN, **kwargs)

    @property
    def output_depth(self) -> int:
        return self.blocks.output_depth

    @tf.autograph.experimental.do_not_convert
    def call(self, clips: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return self.blocks(tf.cast(clips, self.compute_dtype), training=training)

    def build_tail(self) -> Blocks:
        return self._make_blocks(self._tail_layers(), name="tail")


class Resnet3D(ModelGardenTrunk):
    """3D ResNet to its third group: [B, T/4, H/16, W/16, 1024], sizes rounded up."""

    _FAMILY, _IDS = "resnet_3d", RESNET_3D_IDS
    # The stem's two; then each group's first block strides in its second convolution and, by a
    # 1 x 1 x 1 convolution, in its shortcut.
    strided_windows = (
        Window((5, 7, 7), (2, 2, 2)),
        Window((3, 3, 3), (2, 2, 2)),
        *[Window((1, 3, 3), (1, 2, 2), shortcut=(1, 1, 1))] * 2,
    )

    def _trunk_layers(self):
        layers = [ResnetStem(self._norm_options(), name="stem")]
        return layers + self._group(0) + self._group(1) + self._group(2), self._depth(2)

    def _tail_layers(self):
        return self._group(3, strided=False), self._depth(3)

    def _norm_options(self) -> dict:
        return {
            "momentum": self.batch_norm_momentum,
            "epsilon": 1e-3,
            "synchronized": self.batch_norm == batch_norm_lib.SYNC,
        }

    def _depth(self, group: int) -> int:
        from official.vision.modeling.backbones import resnet_3d

        return 4 * resnet_3d.RESNET_SPECS[self.model_id][group][1]

    def _group(self, group: int, strided: bool = True) -> list[tf_keras.layers.Layer]:
        from official.vision.modeling.backbones import resnet_3d
        from official.vision.modeling.layers import nn_blocks_3d

        _, filters, repeats = resnet_3d.RESNET_SPECS[self.model_id][group]
        # Kernels of 3 frames in all of the first group, and in every other block after that.
        kernels = {0: (3, 3), 1: (3, 1), 2: (3, 1), 3: (1, 3)}[group]
        return [
            nn_blocks_3d.BottleneckBlock3D(
                filters,
                temporal_kernel_size=kernels[index % 2],
                temporal_strides=1,
                spatial_strides=2 if index == 0 and group > 0 and strided else 1,
                use_self_gating=index == repeats - 1,
                use_sync_bn=self.batch_norm == batch_norm_lib.SYNC,
                norm_momentum=self.batch_norm_momentum,
                name=f"block_group_l{group + 2}_{index}",
            )
            for index in range(repeats)
        ]


class ResnetStem(tf_keras.layers.Layer):
    """The ResNet's first layers: [B, T, H, W, C] -> [B, T/4, H/4, W/4, 64], sizes rounded up."""

    def __init__(self, norm_options: dict, **kwargs):
        super().__init__(**kwargs)
        self.conv = tf_keras.layers.Conv3D(
            64,
            (5, 7, 7),
            strides=(2, 2, 2),
            padding="same",
            use_bias=False,
            kernel_initializer="VarianceScaling",
            name="conv",
        )
        self.norm = tf_keras.layers.BatchNormalization(name="norm", **norm_options)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        outputs = tf.nn.relu(self.norm(self.conv(inputs), training=training))
        return pooling.max_pool(outputs, (3, 3, 3), (2, 2, 2))


class Movinet(ModelGardenTrunk):
    """MoViNet base to its fourth group: [B, T, H/16, W/16, 56 (A0) to 120 (A5)], rounded up."""

    _FAMILY, _IDS = "movinet", MOVINET_IDS

    @property
    def strided_windows(self) -> tuple[Window, ...]:
        """None strides in time. The shortcut of a block that strides is an average pool."""
        stem, *groups, _, _ = self._specs()
        layers = [(stem.kernel_size, stem.strides)]
        for spec in groups:
            layers += zip(spec.kernel_sizes, spec.strides, strict=True)
        return tuple(
            Window(tuple(kernel), tuple(stride), None if layer == 0 else (1, 3, 3))
            for layer, (kernel, stride) in enumerate(layers)
            if max(stride) > 1
        )

    def _specs(self):
        from official.projects.movinet.modeling import movinet

        return movinet.BLOCK_SPECS[self.model_id]

    def _norm_options(self) -> dict:
        return {
            "momentum": self.batch_norm_momentum,
            "synchronized": self.batch_norm == batch_norm_lib.SYNC,
        }

    def _trunk_layers(self):
        stem, *groups, _, _ = self._specs()
        layers = [
            movinet_blocks.ConvBlock(
                stem.filters,
                stem.kernel_size,
                stem.strides[1],
                batch_norm_options=self._norm_options(),
                name="stem",
            )
        ]
        for index, spec in enumerate(groups):
            layers += self._group(index, spec)
        return layers, groups[-1].base_filters

    def _tail_layers(self):
        *groups, last, head = self._specs()
        depth = head.project_filters
        projection = movinet_blocks.ConvBlock(
            depth, batch_norm_options=self._norm_options(), name="head"
        )
        return self._group(len(groups) - 1, last, strided=False) + [projection], depth

    def _group(self, group: int, spec, strided: bool = True) -> list[tf_keras.layers.Layer]:
        from official.vision.modeling.layers import nn_layers

        return [
            movinet_blocks.Bottleneck(
                spec.base_filters,
                expanded,
                hidden_depth=nn_layers.make_divisible(0.25 * expanded, divisor=8),
                kernel_size=kernel_size,
                stride=strides[1] if strided else 1,
                batch_norm_options=self._norm_options(),
                name=f"block{group}_layer{index}",
            )
            for index, (expanded, kernel_size, strides) in enumerate(
                zip(spec.expand_filters, spec.kernel_sizes, spec.strides, strict=True)
            )
        ]

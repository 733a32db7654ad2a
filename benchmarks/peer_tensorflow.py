"""Our side of benchmark_peer.py: a resident process that works when it is told to.

Lines of JSON on stdin, an answer each on stdout; see `measuring.resident`.
"""

import argparse
import sys

import numpy as np
from measuring.models import add_flags, loaded, precision, synthetic_batch
from measuring.resident import serve

from avatx import cli


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_flags(parser, batch_size=1)
    parser.add_argument("--weights", required=True, help="file to write: weights and the clips")
    flags = parser.parse_args(argv)

    cli.import_tensorflow()
    import tensorflow as tf
    from measuring.ceiling import finish

    from avatx.trunks.i3d_blocks import ConvUnit

    with loaded(flags) as config, precision(flags.precision):
        model = config.experiment.make_model()
        model.create_variables()
        clips = synthetic_batch(config, flags.batch_size).clips

    @tf.function(autograph=False)
    def forward(clips):
        cells = model.trunk(model.preprocess(clips), training=False)
        stage = model.proposal_stage
        center = cells[:, cells.shape[1] // 2]
        hidden = tf.cast(stage.conv(center), tf.float32)
        return {
            "features": tf.cast(cells, tf.float32),
            "objectness": stage.objectness(hidden),
            "boxes": stage.box_encodings(hidden),
        }

    variables = model.trunk.trainable_variables

    @tf.function(autograph=False)
    def training(clips):
        with tf.GradientTape() as tape:
            total = tf.add_n([tf.reduce_mean(one**2) for one in forward(clips).values()])
        return tape.gradient(total, variables)

    def units(layer):
        if isinstance(layer, ConvUnit):
            yield layer
        else:
            for name in layer.child_names:
                yield from units(getattr(layer, name))

    def export(path: str) -> None:
        arrays = {"clips": clips.numpy()}
        for number, unit in enumerate(units(model.trunk)):
            kernel, bias = unit.folded()
            arrays[f"kernel_{number}"], arrays[f"bias_{number}"] = kernel.numpy(), bias.numpy()
        stage = model.proposal_stage
        for name, layer in (
            ("rpn", stage.conv),
            ("objectness", stage.objectness),
            ("boxes", stage.box_encodings),
        ):
            arrays[f"{name}_kernel"], arrays[f"{name}_bias"] = map(np.asarray, layer.get_weights())
        np.savez(path, **arrays)

    export(flags.weights)
    serve(
        {
            "inference": lambda: finish(forward(clips)),
            "training": lambda: finish([one for one in training(clips) if one is not None]),
        },
        lambda: {name: one.numpy() for name, one in forward(clips).items()},
        f"TensorFlow {tf.__version__}",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

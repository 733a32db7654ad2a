"""What `recompute` is for: less memory in training. Each form in a process of its own."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import avatx.cli
import tensorflow as tf
from avatx.trunks.i3d import I3D

trunk = I3D("Mixed_4b", recompute=sys.argv[1] == "True")

@tf.function(autograph=False)
def step(clips):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(trunk(clips, training=True))
    return [tf.reduce_sum(g) for g in tape.gradient(loss, trunk.trainable_variables)]

def peak():
    (line,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024

trunk(tf.zeros([1, 4, 32, 32, 3]))
clips = tf.zeros([1, 32, 160, 160, 3])
step(clips[:, :4, :32, :32])  # traced
open("/proc/self/clear_refs", "w").write("5")
before = peak()
step(clips)
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is reset on Linux only")
def test_a_recomputed_trunk_holds_less():
    plain, recomputed = (
        int(subprocess.check_output([sys.executable, "-c", PROGRAM, str(recompute)]))
        for recompute in (False, True)
    )
    # Of 0.8 million pixels: plain, outputs of all layers, some 50 floats a pixel. Recomputed, 0.6
    # of that; which operations run at once is not the same each time.
    assert plain > 100e6
    assert recomputed < 0.8 * plain

"""Which weights fill a trunk, by its kind."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_classification import TinyTrunk

from avatx.checkpoints import published
from avatx.checkpoints.report import RestoreReport
from avatx.errors import UserError
from avatx.trunks.i3d import I3D
from avatx.trunks.two_stream import TwoStream

FIELD = "train_config.fine_tune_checkpoint"


def built():
    trunk = TinyTrunk()
    trunk(tf.zeros([1, 2, 4, 4, 3]))
    return trunk


def test_any_trunk_is_filled_by_the_paths_of_its_variables(tmp_path):
    source, trunk = built(), built()
    path = tf.train.Checkpoint(trunk=source).write(str(tmp_path / "ckpt"))
    report = published.fill(trunk, None, path, FIELD)
    assert len(report.loaded) == len(trunk.variables) and not report.new and not report.unused
    for ours, theirs in zip(trunk.variables, source.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_holds_no_trunk_is_said_to_hold_none(tmp_path):
    path = tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(tmp_path / "other"))
    with pytest.raises(UserError, match=f"^{FIELD} = .*holds no trunk.*is TinyTrunk; expected"):
        published.fill(built(), None, path, FIELD)
    with pytest.raises(UserError, match="of the trunk are missing.*Kinetics I3D"):
        published.fill(I3D(depth_multiplier=0.0625), None, path, FIELD)  # by Kinetics names


def test_a_trunk_registers_what_else_fills_it():
    class Published(TinyTrunk):
        pass

    @published.fill.register
    def _(trunk: Published, tail, path, field):
        return RestoreReport([f"{path} {field}"], [], [])

    assert published.fill(Published(), None, "a", "b").loaded == ["a b"]


def test_which_networks_are_trained_before_one_by_one():
    rgb, flow = I3D(depth_multiplier=0.0625), I3D(depth_multiplier=0.0625, input_channels=2)
    assert TwoStream(rgb, flow).streams == {"rgb": rgb, "flow": flow}
    assert rgb.streams == {} and built().streams == {}

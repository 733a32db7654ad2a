import pytest
import tensorflow as tf
from default_options import default

from avatx.errors import UserError
from avatx.training.distribution import check_batch_size, make_strategy
from avatx.training.options import TrainOptions


@pytest.mark.parametrize("name", ["mirrored", "one_device", "cpu", "mirrored:cpu:0"])
def test_one_replica_without_gpus(name):
    if tf.config.list_logical_devices("GPU") and name in ("mirrored", "one_device"):
        pytest.skip("this machine has GPUs")
    strategy = make_strategy(name)
    assert strategy.num_replicas_in_sync == 1
    assert "CPU:0" in strategy.extended.worker_devices[0]


@pytest.mark.parametrize("name", ["tpu", "mirrored:gpu:99", "mirrored:", "multi_worker_mirrored"])
def test_what_is_not_there(name):
    with pytest.raises(UserError, match=name.split(":")[0]):
        make_strategy(name)


def test_batch_size_must_divide():
    check_batch_size(default(TrainOptions, batch_size=12, gradient_accumulation_steps=3), 4)
    with pytest.raises(UserError) as raised:
        check_batch_size(default(TrainOptions, batch_size=10, gradient_accumulation_steps=2), 4)
    message = str(raised.value)
    assert "train_config.batch_size = 10" in message
    assert "train_config.gradient_accumulation_steps = 4 x 2 = 8" in message


def test_a_device_is_named_once():
    with pytest.raises(UserError, match="distribution_strategy .*'cpu:0' 2 times"):
        make_strategy("mirrored:cpu:0, CPU:0")

"""Which devices of this machine a run uses, by name."""

import tensorflow as tf
from official.common import distribute_utils

from avatx.errors import UserError
from avatx.training.options import TrainOptions

NAMES = "mirrored, one_device, cpu or mirrored:DEVICE,DEVICE (as mirrored:gpu:0,gpu:1)"


def make_strategy(name: str = "mirrored") -> tf.distribute.Strategy:
    """Builds the strategy called `name`.

    mirrored: every visible GPU; the CPU where there is none.
    one_device: the first GPU; the CPU where there is none.
    cpu: the CPU, GPUs or not.
    mirrored:cpu:0,cpu:1 or mirrored:gpu:0,gpu:2: exactly these logical devices.

    Raises:
      UserError: `name` is none of these, or names a device that is not there.
    """
    num_gpus = len(tf.config.list_logical_devices("GPU"))
    if name == "mirrored" and num_gpus > 1:
        return distribute_utils.get_distribution_strategy("mirrored", num_gpus=num_gpus)
    if name in ("mirrored", "one_device"):
        # One replica needs no mirroring: the same numbers with less work a step.
        return distribute_utils.get_distribution_strategy("one_device", num_gpus=min(num_gpus, 1))
    if name == "cpu":
        return distribute_utils.get_distribution_strategy("one_device", num_gpus=0)
    if name.startswith("mirrored:"):
        return tf.distribute.MirroredStrategy(_devices(name))
    raise UserError(f"distribution_strategy {name!r}: unknown; expected {NAMES}")


def _devices(name: str) -> list:
    available = {
        device.name[len("/device:") :].lower(): device.name
        for device in tf.config.list_logical_devices()
    }
    wanted = [part.strip().lower() for part in name[len("mirrored:") :].split(",")]
    for device in wanted:
        if device not in available:
            raise UserError(
                f"distribution_strategy {name!r}: there is no device {device!r}; this machine "
                f"has {', '.join(sorted(available))}"
            )
    return [available[device] for device in wanted]


def check_batch_size(options: TrainOptions, num_replicas: int) -> None:
    """Raises UserError unless the batch divides by replicas x micro-batches."""
    parts = num_replicas * options.gradient_accumulation_steps
    if options.batch_size < 1 or options.batch_size % parts:
        raise UserError(
            f"train_config.batch_size = {options.batch_size} does not divide by replicas x "
            f"train_config.gradient_accumulation_steps = {num_replicas} x "
            f"{options.gradient_accumulation_steps} = {parts}; choose a multiple of {parts}"
        )

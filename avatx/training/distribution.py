"""Which devices of this machine, and which machines, a run uses, by name."""

import os

import tensorflow as tf
from official.common import distribute_utils

from avatx.errors import UserError
from avatx.training import cluster, joining
from avatx.training.options import TrainOptions

MULTI_WORKER = "multi_worker_mirrored"
NAMES = (
    f"mirrored, one_device, cpu, {MULTI_WORKER} or mirrored:DEVICE,DEVICE (as mirrored:gpu:0,gpu:1)"
)

# A process joins once: TensorFlow's server stays as long as the process.
_joined: dict[cluster.Cluster, tf.distribute.Strategy] = {}


def make_strategy(name: str = "mirrored") -> tf.distribute.Strategy:
    """Builds the strategy called `name`.

    mirrored: every visible GPU; the CPU where there is none. Where TF_CONFIG names several
        processes, multi_worker_mirrored.
    multi_worker_mirrored: that on several machines, which TF_CONFIG names or the variables of a
        Slurm step; see `join`.
    one_device: the first GPU; the CPU where there is none.
    cpu: the CPU, GPUs or not.
    mirrored:cpu:0,cpu:1 or mirrored:gpu:0,gpu:2: exactly these logical devices.

    Raises:
      UserError: `name` is none of these, or names a device that is not there; or as `join`.
    """
    if (joined := join(name)) is not None:
        return joined
    num_gpus = len(tf.config.list_logical_devices("GPU"))
    if name == "mirrored" and num_gpus > 1:
        return distribute_utils.get_distribution_strategy("mirrored", num_gpus=num_gpus)
    if name in ("mirrored", "one_device", MULTI_WORKER):
        # One replica needs no mirroring: the same numbers with less work a step.
        return distribute_utils.get_distribution_strategy("one_device", num_gpus=min(num_gpus, 1))
    if name == "cpu":
        return distribute_utils.get_distribution_strategy("one_device", num_gpus=0)
    if name.startswith("mirrored:"):
        return tf.distribute.MirroredStrategy(_devices(name))
    raise UserError(f"distribution_strategy {name!r}: unknown; expected {NAMES}")


def join(name: str, timeout: float = 600.0) -> tf.distribute.Strategy | None:
    """Joins the other machines, if there are any; once a process, before any other TensorFlow.

    Args:
      name: as of `make_strategy`.
      timeout: seconds to wait for the others.

    Returns:
      The strategy, or None where this process trains by itself.

    Raises:
      UserError: the environment does not say who the others are, the address is in use, or they do
        not come.
    """
    found = None
    if name in ("mirrored", MULTI_WORKER):
        found = cluster.from_tf_config(os.environ)
    if name == MULTI_WORKER and found is None:
        found = cluster.from_slurm(os.environ)
        if found is None and not ({cluster.TF_CONFIG, "SLURM_STEP_NODELIST"} & set(os.environ)):
            raise UserError(
                f"distribution_strategy {name!r}: nothing says who the workers are; set the "
                f"environment variable {cluster.TF_CONFIG}, or start with Slurm's `srun`"
            )
    if found is None:
        return None
    if found not in _joined:
        _joined[found] = joining.join(found, timeout)
    return _joined[found]


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
        if wanted.count(device) > 1:
            raise UserError(
                f"distribution_strategy {name!r}: names {device!r} {wanted.count(device)} times; "
                "each replica needs a device of its own"
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


def check_compiled_update(options: TrainOptions, num_replicas: int) -> None:
    """Raises UserError where the update is to be compiled and there are several replicas."""
    if options.jit_compile_update and num_replicas > 1:
        raise UserError(
            f"train_config.jit_compile_update is true and there are {num_replicas} replicas; "
            "expected one: leave it out"
        )

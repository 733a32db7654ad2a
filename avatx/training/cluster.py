"""Which processes train together, and which of them this one is: from TF_CONFIG or from Slurm.

TF_CONFIG is TensorFlow's own variable, which Kubeflow sets: {"cluster": {"worker": ["host:port",
...]}, "task": {"type": "worker", "index": 0}}. A `chief` beside the workers is the first of them.

Slurm's variables are read here and not by `tf.distribute.cluster_resolver.SlurmClusterResolver`:
that one asks nvidia-smi, which a machine without GPUs lacks, and sorts host names as texts, so that
n10 comes before n2 while Slurm's ranks go by its own order.
"""

import dataclasses
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from avatx.errors import UserError, shown

TF_CONFIG = "TF_CONFIG"
_TOGETHER = ("chief", "worker")
_SHAPE = (
    '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}, the '
    "same `cluster` on every machine"
)
# Ports of Slurm's jobs: below those that systems give away by themselves, another one each job.
_FIRST_PORT, _NUM_PORTS = 12_000, 20_000


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes of one training.

    Attributes:
      addresses: "host:port" of each; the first is the chief.
      index: of this process among them.
      source: where this is from, for messages.
    """

    addresses: tuple[str, ...]
    index: int
    source: str


def from_tf_config(environment: Mapping[str, str]) -> Cluster | None:
    """What TF_CONFIG says.

    Returns:
      None where it is not set, names one process alone, or says that this process evaluates: then
      it works by itself.

    Raises:
      UserError: it is not what TensorFlow expects.
    """
    text = environment.get(TF_CONFIG, "").strip()
    if not text:
        return None
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _mistake(f"is not JSON ({error}): {shown(text)}") from error
    if not isinstance(config, dict):
        raise _mistake(f"is {shown(text)}")
    cluster, task = config.get("cluster") or {}, config.get("task") or {}
    if not isinstance(cluster, dict) or not isinstance(task, dict):
        raise _mistake(f"is {shown(text)}")
    kind, index = task.get("type"), task.get("index")
    if kind == "evaluator":
        return None
    if cluster.get("ps"):
        raise _mistake('has parameter servers in cluster["ps"], which are not supported')
    addresses = {name: _addresses(cluster.get(name, []), name) for name in _TOGETHER}
    together = tuple(itertools.chain.from_iterable(addresses.values()))
    if not together:
        raise _mistake('names no process in cluster["worker"]')
    twice = [address for address in together if together.count(address) > 1]
    if twice:
        raise _mistake(f"has the address {twice[0]} twice")
    if len(together) == 1:
        return None
    if kind not in _TOGETHER:
        raise _mistake(f"task.type is {shown(kind)}, neither chief, worker nor evaluator")
    # Kubernetes' environment variables are texts, and some write the index as one.
    index = int(index) if isinstance(index, str) and index.isdecimal() else index
    count = len(addresses[kind])
    if type(index) is not int or not 0 <= index < count:
        raise _mistake(
            f'task.index is {shown(index)}, and cluster["{kind}"] has {count} addresses, of 0 to '
            f"{count - 1}"
        )
    first = 0 if kind == "chief" else len(addresses["chief"])
    return Cluster(together, first + index, TF_CONFIG)


def from_slurm(environment: Mapping[str, str]) -> Cluster | None:
    """What the variables of a job step say: each of its tasks is a process of the training.

    Returns:
      None outside of a step (`srun`), and for a step of one task.

    Raises:
      UserError: variables that do not fit each other.
    """
    if "SLURM_STEP_NODELIST" not in environment:
        return None

    def number(name: str) -> int:
        value = environment.get(name, "")
        if not value.isdecimal():
            raise UserError(
                f"{name} is {shown(value)}: expected a number, as `srun` sets it; start the "
                "training with `srun`"
            )
        return int(value)

    node_list = environment["SLURM_STEP_NODELIST"]
    per_node = environment.get("SLURM_STEP_TASKS_PER_NODE", "")
    hosts, counts = expand_hosts(node_list), _expand_counts(per_node)
    if len(hosts) != len(counts):
        raise UserError(
            f"SLURM_STEP_NODELIST {shown(node_list)} names {len(hosts)} machines and "
            f"SLURM_STEP_TASKS_PER_NODE {shown(per_node)} counts {len(counts)}; start the training "
            "with `srun`"
        )
    if sum(counts) == 1:
        return None
    node, local = number("SLURM_NODEID"), number("SLURM_LOCALID")
    if node >= len(hosts) or local >= counts[node]:
        raise UserError(
            f"SLURM_NODEID {node}, SLURM_LOCALID {local}: there is no such task in {node_list} "
            f"({per_node} tasks); start the training with `srun`"
        )
    port = _FIRST_PORT + number("SLURM_JOB_ID") % _NUM_PORTS
    addresses = [
        f"{host}:{port + task}"
        for host, count in zip(hosts, counts, strict=True)
        for task in range(count)
    ]
    # Not SLURM_PROCID, which goes another way round with --distribution=cyclic.
    return Cluster(tuple(addresses), sum(counts[:node]) + local, "Slurm")


def expand_hosts(node_list: str) -> list[str]:
    """The machines of Slurm's short form, in its order: "n[1-2,09-10],m" -> n1, n2, n09, n10, m.

    Raises:
      UserError: it is no such list.
    """
    hosts = []
    for part in re.split(r",(?![^\[]*\])", node_list):
        pieces = re.split(r"\[([^\[\]]*)\]", part)  # text, ranges, text, ranges, ..., text
        choices = [
            _expand_ranges(piece, node_list) if i % 2 else [piece] for i, piece in enumerate(pieces)
        ]
        if not part or any("[" in piece or "]" in piece for piece in pieces):
            raise _not_hosts(node_list)
        hosts += ["".join(chosen) for chosen in itertools.product(*choices)]
    return hosts


def _expand_ranges(ranges: str, node_list: str) -> Sequence[str]:
    numbers: list[str] = []
    for part in ranges.split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not found or int(found[2] or found[1]) - int(found[1]) > 100_000:
            raise _not_hosts(node_list)
        last = int(found[2] or found[1])
        numbers += [f"{n:0{len(found[1])}d}" for n in range(int(found[1]), last + 1)]
    return numbers


def _expand_counts(per_node: str) -> list[int]:
    """Slurm's short form of numbers: "2(x3),1" -> 2, 2, 2, 1."""
    counts: list[int] = []
    for part in per_node.split(","):
        found = re.fullmatch(r"(\d{1,6})(?:\(x(\d{1,6})\))?", part)
        if not found:
            raise UserError(
                f"SLURM_STEP_TASKS_PER_NODE is {shown(per_node)}: expected numbers as 2(x3),1; "
                "start the training with `srun`"
            )
        counts += [int(found[1])] * int(found[2] or 1)
    return counts


def _addresses(given: Any, name: str) -> list[str]:
    if not isinstance(given, list):
        raise _mistake(f'cluster["{name}"] is {shown(given)}, no list of addresses')
    for address in given:
        found = re.fullmatch(r".+:(\d{1,5})", address) if isinstance(address, str) else None
        if not found or not 0 < int(found[1]) < 65_536:
            raise _mistake(f'cluster["{name}"] has {shown(address)}, no "host:port"')
    return given


def _mistake(what: str) -> UserError:
    return UserError(f"environment variable {TF_CONFIG} {what}; expected {_SHAPE}")


def _not_hosts(node_list: str) -> UserError:
    return UserError(
        f"SLURM_STEP_NODELIST is {shown(node_list)}: expected names of machines as n[1-3],m7; "
        "start the training with `srun`"
    )

"""Machines meet before TensorFlow starts on them: each waits for the others, and not for ever.

TensorFlow's own start waits without end for a machine that does not come, does not say which one,
and cannot be interrupted meanwhile. So each worker first says hello to the chief over a plain
connection at the chief's address, and the chief lets all go on when all are there. Then
TensorFlow's server takes the addresses.
"""

import contextlib
import hashlib
import select
import socket
import sys
import time

import tensorflow as tf

from avatx import stderr_noise
from avatx.errors import UserError
from avatx.training.cluster import Cluster
from avatx.training.workers import PeerLost

_GO, _NO = b"go\n", b"no\n"
_BETWEEN_TRIES = 0.2  # seconds


def join(cluster: Cluster, timeout: float) -> tf.distribute.MultiWorkerMirroredStrategy:
    """Waits for the other machines and starts TensorFlow on all of them; once in a process.

    Args:
      cluster: who they are.
      timeout: seconds to wait.

    Raises:
      UserError: the address of this process is in use, or the machines have other lists.
      PeerLost: some did not come within the time.
    """
    meet(cluster, timeout)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": len(tf.config.get_visible_devices("GPU"))},
        rpc_layer="grpc",
    )
    try:
        with stderr_noise.dropped():
            strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:  # TensorFlow has begun in this process
        raise RuntimeError("avatx.training.distribution.join must come first") from error
    except tf.errors.OpError as error:
        raise PeerLost(f"{cluster.source}: the machines cannot work together: {error}") from error
    # Every worker gets as many whole batches (`build_dataset`): none need be asked if it has more.
    strategy.extended.experimental_enable_get_next_as_optional = False
    return strategy


def meet(cluster: Cluster, timeout: float) -> None:
    """Comes back when every process of the cluster has called it.

    Raises:
      UserError, PeerLost: as `join`.
    """
    end = time.monotonic() + timeout
    print(
        f"worker {cluster.index} of {len(cluster.addresses)} ({cluster.source}): waiting for the "
        f"others, {timeout:g} seconds at most",
        file=sys.stderr,
        flush=True,
    )
    with _listening(cluster) as listener:
        if cluster.index == 0:
            _wait_for_all(cluster, listener, end, timeout)
            return
    _wait_for_chief(cluster, end, timeout)


def _listening(cluster: Cluster) -> socket.socket:
    address = cluster.addresses[cluster.index]
    try:
        return socket.create_server(("", int(address.rpartition(":")[2])))
    except OSError as error:
        raise UserError(
            f"{cluster.source}: worker {cluster.index} is to listen at {address}, and cannot "
            f"({error.strerror}); end what uses this port, or give every worker another one"
        ) from error


def _wait_for_all(cluster: Cluster, listener: socket.socket, end: float, timeout: float) -> None:
    """The chief's side: every other worker has said its number."""
    missing = set(range(1, len(cluster.addresses)))
    with contextlib.ExitStack() as stack:
        greeted: dict[int, socket.socket] = {}
        while missing:
            left = end - time.monotonic()
            if left <= 0:
                told = ", ".join(f"{i} ({cluster.addresses[i]})" for i in sorted(missing)[:5])
                more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
                raise PeerLost(
                    f"{cluster.source}: of {len(cluster.addresses)} workers these did not come "
                    f"within {timeout:g} seconds: {told}{more}; see whether they run, and whether "
                    f"they reach this machine at {cluster.addresses[0]}"
                )
            if not select.select([listener], [], [], min(left, 1.0))[0]:
                continue
            connection = stack.enter_context(listener.accept()[0])
            index = _hello_from(connection, cluster)
            if index is not None:
                # One that was started again comes twice: the later one counts.
                greeted[index] = connection
                missing.discard(index)
        for connection in greeted.values():
            with contextlib.suppress(OSError):
                connection.sendall(_GO)


def _wait_for_chief(cluster: Cluster, end: float, timeout: float) -> None:
    """The others' side: the chief has answered."""
    host, _, port = cluster.addresses[0].rpartition(":")
    reason = "it does not answer"
    while (left := end - time.monotonic()) > 0:
        try:
            with socket.create_connection(
                (host.strip("[]"), int(port)), timeout=left
            ) as connection:
                connection.sendall(_hello(cluster))
                answer = connection.recv(len(_GO))
            if answer == _GO:
                return
            if answer == _NO:
                raise UserError(
                    f"{cluster.source}: worker {cluster.index} and the chief at "
                    f"{cluster.addresses[0]} have other lists of workers; give all the same"
                )
        except OSError as error:
            reason = error.strerror or str(error)
        time.sleep(_BETWEEN_TRIES)
    raise PeerLost(
        f"{cluster.source}: worker {cluster.index} of {len(cluster.addresses)} did not get to the "
        f"chief at {cluster.addresses[0]} within {timeout:g} seconds ({reason}), or not all "
        "workers came; see whether it runs and whether this machine reaches it"
    )


def _hello(cluster: Cluster, index: int | None = None) -> bytes:
    names = hashlib.sha256(",".join(cluster.addresses).encode()).hexdigest()[:16]
    return f"avatx {names} {cluster.index if index is None else index}\n".encode()


def _hello_from(connection: socket.socket, cluster: Cluster) -> int | None:
    """The number of who says hello; None for anybody else."""
    connection.settimeout(5.0)
    text = b""
    with contextlib.suppress(OSError):
        while not text.endswith(b"\n") and len(text) < 100 and (more := connection.recv(100)):
            text += more
        for index in range(1, len(cluster.addresses)):
            if text == _hello(cluster, index):
                return index
        if text.startswith(b"avatx "):
            connection.sendall(_NO)
    return None

"""Machines meet before TensorFlow starts: all of them, within a time limit, else one line."""

import contextlib
import socket
import threading

import pytest

from avatx.errors import UserError
from avatx.training.cluster import Cluster
from avatx.training.joining import meet
from avatx.training.workers import PeerLost


def free_addresses(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        return tuple(f"127.0.0.1:{one.getsockname()[1]}" for one in sockets)


def started(cluster, timeout, ends):
    def run():
        try:
            meet(cluster, timeout)
            ends[cluster.index] = "met"
        except UserError as error:
            ends[cluster.index] = error

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_all_go_on_when_the_last_is_there_whoever_comes_first():
    addresses, ends = free_addresses(3), {}
    threads = []
    for index in (2, 0, 1):
        assert not ends
        threads.append(started(Cluster(addresses, index, "TF_CONFIG"), 60.0, ends))
    for thread in threads:
        thread.join()
    assert ends == {0: "met", 1: "met", 2: "met"}


def test_who_did_not_come_is_named_by_the_chief():
    addresses, ends = free_addresses(3), {}
    other = started(Cluster(addresses, 1, "Slurm"), 1.5, ends)
    with pytest.raises(PeerLost) as error:
        meet(Cluster(addresses, 0, "Slurm"), 1.0)
    other.join()
    told = f"Slurm: of 3 workers these did not come within 1 seconds: 2 ({addresses[2]}); "
    assert str(error.value).startswith(told)
    assert "worker 1 of 3 did not get to the chief" in str(ends[1])
    assert error.value.exit_code == ends[1].exit_code == 75


def test_a_chief_that_is_not_there():
    addresses = free_addresses(2)
    with pytest.raises(PeerLost, match=r"within 0.3 seconds \(Connection refused\)"):
        meet(Cluster(addresses, 1, "TF_CONFIG"), 0.3)


def test_a_port_in_use():
    with socket.create_server(("", 0)) as used:
        addresses = (f"127.0.0.1:{used.getsockname()[1]}", "127.0.0.1:1")
        with pytest.raises(UserError, match=r"worker 0 is to listen at .*Address already in use"):
            meet(Cluster(addresses, 0, "TF_CONFIG"), 5.0)


def test_other_lists_of_workers_and_strangers():
    """A stranger at the chief's port, as one who looks for web servers, changes nothing."""
    addresses, ends = free_addresses(2), {}
    chief = started(Cluster(addresses, 0, "TF_CONFIG"), 60.0, ends)
    with pytest.raises(UserError, match="have other lists of workers"):
        meet(Cluster((addresses[0], "127.0.0.1:1024"), 1, "TF_CONFIG"), 30.0)
    port = int(addresses[0].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
    meet(Cluster(addresses, 1, "TF_CONFIG"), 60.0)
    chief.join()
    assert ends == {0: "met"}

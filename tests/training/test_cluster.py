"""Who trains together, as TF_CONFIG and Slurm say it; and mistakes in them, in one line."""

import json

import pytest

from avatx.errors import UserError
from avatx.training import cluster

WORKERS = ["a:1000", "b:1000", "b:1001"]


def tf_config(addresses=None, kind="worker", index=0, **jobs):
    jobs = jobs if addresses is None else {"worker": addresses, **jobs}
    return {"TF_CONFIG": json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})}


@pytest.mark.parametrize("index", [0, 2, "2"])
def test_workers_of_tf_config(index):
    found = cluster.from_tf_config(tf_config(WORKERS, index=index))
    assert found == cluster.Cluster(("a:1000", "b:1000", "b:1001"), int(index), "TF_CONFIG")


@pytest.mark.parametrize(
    "kind, index, expected", [("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)]
)
def test_a_chief_beside_the_workers_is_the_first(kind, index, expected):
    found = cluster.from_tf_config(tf_config(["b:1", "c:1"], kind, index, chief=["a:1"]))
    assert found.addresses == ("a:1", "b:1", "c:1") and found.index == expected


@pytest.mark.parametrize(
    "environment", [{}, {"TF_CONFIG": ""}, tf_config(["a:1"]), tf_config(WORKERS, "evaluator")]
)
def test_one_process_by_itself(environment):
    assert cluster.from_tf_config(environment) is None


@pytest.mark.parametrize(
    "text, told",
    [
        ("{'cluster': {}}", "is not JSON (Expecting property name"),
        ("[1]", "is '[1]'"),
        ("{}", 'names no process in cluster["worker"]'),
        ('{"cluster": {"worker": "a:1,b:1"}}', """cluster["worker"] is 'a:1,b:1', no list"""),
        ('{"cluster": {"worker": ["a:1", "b"]}}', """cluster["worker"] has 'b', no "host:port\""""),
        ('{"cluster": {"worker": ["a:1", "b:70000"]}}', "'b:70000'"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}}', "has the address a:1 twice"),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "boss"}}',
            "task.type is 'boss'",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
            'task.index is 2, and cluster["worker"] has 2 addresses, of 0 to 1',
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": true}}',
            "task.index is True",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker"}}',
            "task.index is None",
        ),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}}', "parameter servers"),
    ],
)
def test_mistakes_in_tf_config(text, told):
    with pytest.raises(UserError) as error:
        cluster.from_tf_config({"TF_CONFIG": text})
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("environment variable TF_CONFIG ")
    assert told in str(error.value) and '"host:port", ...' in str(error.value)


def step(nodes="n[2,10]", tasks="2,1", node="0", local="0", job="70001"):
    return {
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_TASKS_PER_NODE": tasks,
        "SLURM_NODEID": node,
        "SLURM_LOCALID": local,
        "SLURM_JOB_ID": job,
    }


@pytest.mark.parametrize("node, local, index", [("0", "0", 0), ("0", "1", 1), ("1", "0", 2)])
def test_tasks_of_slurm_in_the_order_of_its_machines(node, local, index):
    """Sorted as texts, n10 would come first."""
    found = cluster.from_slurm(step(node=node, local=local))
    # 12000 + 70001 mod 20000
    assert found.addresses == ("n2:22001", "n2:22002", "n10:22001")
    assert (found.index, found.source) == (index, "Slurm")


def test_no_step_of_slurm_and_one_of_one_task():
    assert cluster.from_slurm({"SLURM_JOB_ID": "7"}) is None
    assert cluster.from_slurm(step("n1", "1")) is None


@pytest.mark.parametrize(
    "text, hosts",
    [
        ("m7", ["m7"]),
        ("n[1-2],m5,o[3-4,6]", ["n1", "n2", "m5", "o3", "o4", "o6"]),
        ("n[08-11]", ["n08", "n09", "n10", "n11"]),
        ("r[1-2]c[1-2].local", ["r1c1.local", "r1c2.local", "r2c1.local", "r2c2.local"]),
    ],
)
def test_hosts_in_short_form(text, hosts):
    assert cluster.expand_hosts(text) == hosts


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"nodes": "n[1-"}, "SLURM_STEP_NODELIST is 'n[1-'"),
        ({"nodes": "n[a-b],m"}, "SLURM_STEP_NODELIST is 'n[a-b],m'"),
        ({"nodes": "n[1-999999999]"}, "SLURM_STEP_NODELIST is"),
        ({"tasks": "2(x"}, "SLURM_STEP_TASKS_PER_NODE is '2(x'"),
        ({"tasks": "2(x3)"}, "names 2 machines and SLURM_STEP_TASKS_PER_NODE '2(x3)' counts 3"),
        ({"node": ""}, "SLURM_NODEID is ''"),
        ({"local": "2"}, "SLURM_NODEID 0, SLURM_LOCALID 2: there is no such task"),
        ({"node": "2"}, "SLURM_NODEID 2, SLURM_LOCALID 0: there is no such task"),
    ],
)
def test_variables_of_slurm_that_do_not_fit(changes, told):
    with pytest.raises(UserError) as error:
        cluster.from_slurm(step(**changes))
    assert told in str(error.value) and "srun" in str(error.value)

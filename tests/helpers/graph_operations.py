"""The operations of a traced function, those of the functions that it calls included."""

from collections import Counter

from tensorflow.python.framework import kernels, op_def_registry


def nodes_of(concrete, device: str | None = None):
    """Yields the NodeDef of every node of a ConcreteFunction and its library, each once.

    device: what other devices alone run is left out: branches that `avatx.core.by_device` made.
    """
    graph = concrete.graph.as_graph_def()
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    left_out = {name for body in bodies for name in _branches_of_others(body, device)}
    yield from graph.node
    for function in graph.library.function:
        if function.signature.name not in left_out:
            yield from function.node_def


def _branches_of_others(nodes, device):
    """Names of the functions that run where the device is one that is named, and not `device`."""
    named = {n.name: n.attr["device_names"].list.s for n in nodes if n.op == "DeviceIndex"}
    for node in nodes:
        if node.op in ("Case", "StatelessCase") and device is not None:
            for name, branch in zip(
                named.get(node.input[0].split(":")[0], ()),
                node.attr["branches"].list.func,
                strict=False,  # the last branch is that of all devices that are not named
            ):
                if name.decode() != device:
                    yield branch.name


def count_operations(concrete) -> Counter:
    """How many nodes of each operation there are."""
    return Counter(node.op for node in nodes_of(concrete))


def without_kernel(concrete, device: str = "GPU") -> dict[str, int]:
    """Operations that no kernel of `device` computes for their types -> how many nodes.

    The wheels for Linux are built for GPUs: their kernels are registered where no GPU is, too.
    What the graph runs on other devices only is not among them, nor what has no kernel anywhere:
    that is a function's argument, its result, or a call of one.
    """
    found: Counter = Counter()
    for node in nodes_of(concrete, device):
        registered = kernels.get_registered_kernels_for_op(node.op).kernel
        if not registered:
            continue
        on_device = [k for k in registered if k.device_type in (device, "DEFAULT")]
        if not any(_fits(node, kernel) for kernel in on_device):
            found[node.op] += 1
    return dict(found)


def _fits(node, kernel) -> bool:
    for constraint in kernel.constraint:
        value = node.attr.get(constraint.name)
        if value is None:
            definition = op_def_registry.get(node.op)
            value = next(a.default_value for a in definition.attr if a.name == constraint.name)
        types = value.list.type if value.list.type else [value.type]
        if not set(types) <= set(constraint.allowed_values.list.type):
            return False
    return True

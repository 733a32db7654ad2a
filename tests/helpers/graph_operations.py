"""The operations of a traced function, those of the functions that it calls included."""

from collections import Counter

from tensorflow.python.framework import kernels, op_def_registry


def nodes_of(concrete):
    """Yields the NodeDef of every node of a ConcreteFunction and its library, each once."""
    graph = concrete.graph.as_graph_def()
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def count_operations(concrete) -> Counter:
    """How many nodes of each operation there are."""
    return Counter(node.op for node in nodes_of(concrete))


def without_kernel(concrete, device: str = "GPU") -> dict[str, int]:
    """Operations that no kernel of `device` computes for their types -> how many nodes.

    The wheels for Linux are built for GPUs: their kernels are registered where no GPU is, too.
    What has no kernel anywhere is a function's argument, its result, or a call of one.
    """
    found: Counter = Counter()
    for node in nodes_of(concrete):
        registered = kernels.get_registered_kernels_for_op(node.op).kernel
        if not registered:
            continue
        on_device = [k for k in registered if k.device_type in (device, "DEFAULT")]
        if not any(_fits(node, kernel) for kernel in on_device):
            found[node.op] += 1
    return dict(found)


def _fits(node, kernel) -> bool:
    for constraint in kernel.constraint:
        value = node.attr[constraint.name] if constraint.name in node.attr else None
        if value is None:
            definition = op_def_registry.get(node.op)
            value = next(a.default_value for a in definition.attr if a.name == constraint.name)
        types = value.list.type if value.list.type else [value.type]
        if not set(types) <= set(constraint.allowed_values.list.type):
            return False
    return True

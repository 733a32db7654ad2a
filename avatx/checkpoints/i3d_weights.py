"""Weights into I3D: restore a trunk from a checkpoint, import published weights as one.

An imported checkpoint is object-based with the root `trunk`, `tail`, `logits`, the attributes of
`I3DClassifier`, and Kinetics names below: `trunk/Mixed_3b/Branch_0/Conv3d_0a_1x1/kernel`,
`tail/Mixed_5b/...`, `logits/kernel`. So `tf.train.Checkpoint(trunk=..., tail=...)` restores a
detector's two parts, and `tf.train.Checkpoint(root=classifier)` the whole.
"""

import os
import re

import numpy as np
import tensorflow as tf

from avatx.atomic_folder import move_files, work_folder
from avatx.checkpoints import i3d_sources
from avatx.checkpoints.literal_paths import load_checkpoint
from avatx.checkpoints.report import RestoreReport
from avatx.errors import UserError
from avatx.trunks import i3d, i3d_blocks


def restore_trunk(
    trunk: i3d.I3D, tail: i3d.I3DTail | None, checkpoint_prefix: str
) -> RestoreReport:
    """Fills an I3D trunk, and the tail if there is one, from a checkpoint.

    The checkpoint may be an imported one, DeepMind's own, or that of any model of ours with an
    I3D inside. Nothing is assigned unless everything fits.

    Returns:
      The report, all in Kinetics names (or the checkpoint's own for others); `new` are those of the
      tail alone.

    Raises:
      UserError: no readable checkpoint, a variable of the trunk is missing, or a shape differs.
    """
    if not trunk.built:
        i3d_blocks.build_child(trunk, trunk.input_channels)
    if tail is not None and not tail.built:
        i3d_blocks.build_child(tail, trunk.output_depth)
    weights = i3d_sources.read_checkpoint(checkpoint_prefix)
    check_kind(trunk, checkpoint_prefix)
    trunk_variables = dict(i3d_blocks.named_variables(trunk))
    _check_covered(checkpoint_prefix, "trunk", trunk_variables, weights.tensors)
    variables = dict(trunk_variables)
    if tail is not None:
        variables.update(i3d_blocks.named_variables(tail))
    loaded = _assign(checkpoint_prefix, variables, weights.tensors)
    return RestoreReport(
        loaded=loaded,
        new=[name for name in variables if name not in weights.tensors],
        unused=weights.unused + [name for name in weights.tensors if name not in variables],
    )


def check_kind(trunk: i3d.I3D, checkpoint_prefix: str) -> None:
    """Refuses a readable checkpoint of whole convolutions for a separable trunk.

    Raises:
      UserError: it is one; the names of what is missing would puzzle.
    """
    whole = ("Conv3d_1a_7x7/kernel", "Conv3d_1a_7x7/conv_3d/w")
    names = load_checkpoint(checkpoint_prefix).get_variable_to_shape_map()
    if trunk.separable and any(end in name for name in names for end in whole):
        raise UserError(
            f"{checkpoint_prefix}: its convolutions are whole, as Kinetics I3D's are, and do not "
            "fit a trunk with separable: true; set separable: false, or give a separable I3D's "
            "checkpoint"
        )


def is_cut_elsewhere(trunk: i3d.I3D, tail: i3d.I3DTail | None, checkpoint_prefix: str) -> bool:
    """Whether a readable checkpoint has blocks of this tail in its trunk, or of this trunk in its
    tail: an I3D with another final_endpoint, in which only Kinetics names find them."""
    moved = {("tail", block) for block in trunk.child_names}
    moved |= {("trunk", block) for block in (tail.child_names if tail is not None else ())}
    names = load_checkpoint(checkpoint_prefix).get_variable_to_shape_map()
    found = (re.search(r"(?:^|/)(trunk|tail)/(\w+)/", name) for name in names)
    return any(match and match.groups() in moved for match in found)


def import_weights(source: str, output: str) -> dict:
    """Writes the weights at `source` as an imported checkpoint, whole or not at all.

    Args:
      source: see `i3d_sources.read`.
      output: prefix of the checkpoint: `output`.index and `output`.data-00000-of-00001.

    Returns:
      source, sha256 (of the values' file), output, modality ("rgb" or "flow"), num_classes (None
      without logits), num_parameters and num_moving_statistics (of what was loaded), and the
      variables: loaded, missing (of I3D, not in the source: not written), unused.

    Raises:
      UserError: see `i3d_sources.read`; or the trunk is not fully there, or a part only partly.
    """
    if not os.path.basename(output):
        raise UserError(f"output {output!r} names no file; expected the like of data/kinetics/i3d")
    weights = i3d_sources.read(source)
    classifier = _classifier_for(weights)
    loaded: list[str] = []
    missing: list[str] = []
    written = {}
    for part, variables in _parts(classifier).items():
        if part != "trunk" and not any(name in weights.tensors for name in variables):
            missing += variables
            continue
        _check_covered(weights.source, part, variables, weights.tensors)
        loaded += _assign(weights.source, variables, weights.tensors)
        written[part] = getattr(classifier, part)
    _write(tf.train.Checkpoint(**written), output)
    sizes = {name: weights.tensors[name].size for name in loaded}
    statistics = sum(size for name, size in sizes.items() if "/moving_" in name)
    return {
        "source": weights.source,
        "sha256": weights.sha256,
        "output": output,
        "modality": "flow" if classifier.trunk.Conv3d_1a_7x7.kernel.shape[-2] == 2 else "rgb",
        "num_classes": classifier.logits.units if "logits" in written else None,
        "num_parameters": sum(sizes.values()) - statistics,
        "num_moving_statistics": statistics,
        "loaded": loaded,
        "missing": missing,
        "unused": weights.unused + [name for name in weights.tensors if name not in sizes],
    }


def load_classifier(source: str) -> i3d.I3DClassifier:
    """The whole of I3D with the weights at `source`.

    Raises:
      UserError: see `i3d_sources.read`; or a part is not fully there, as logits often are not.
    """
    weights = i3d_sources.read(source)
    classifier = _classifier_for(weights)
    for part, variables in _parts(classifier).items():
        _check_covered(weights.source, part, variables, weights.tensors)
        _assign(weights.source, variables, weights.tensors)
    return classifier


def _parts(classifier: i3d.I3DClassifier) -> dict[str, dict[str, tf.Variable]]:
    """The variables of each part by their Kinetics names."""
    return {
        "trunk": dict(i3d_blocks.named_variables(classifier.trunk)),
        "tail": dict(i3d_blocks.named_variables(classifier.tail)),
        "logits": {
            f"{i3d_sources.LOGITS}/kernel": classifier.logits.kernel,
            f"{i3d_sources.LOGITS}/bias": classifier.logits.bias,
        },
    }


def _classifier_for(weights: i3d_sources.Weights) -> i3d.I3DClassifier:
    """Makes the classifier with as many input channels and classes as the weights have."""
    first = weights.tensors.get("Conv3d_1a_7x7/kernel")
    if first is None:
        raise UserError(
            f"{weights.source}: holds no Conv3d_1a_7x7 kernel, so these are no weights of I3D; "
            f"its first names are {', '.join([*weights.tensors, *weights.unused][:3]) or 'none'}"
        )
    bias = weights.tensors.get(f"{i3d_sources.LOGITS}/bias")
    classifier = i3d.I3DClassifier(num_classes=400 if bias is None else bias.size)
    channels = first.shape[-2] if first.ndim == 5 and first.shape[-2] == 2 else 3  # flow or RGB
    i3d_blocks.build_child(classifier, channels)
    return classifier


def _check_covered(source: str, part: str, variables: dict, tensors: dict) -> None:
    missing = [name for name in variables if name not in tensors]
    if missing:
        raise UserError(
            f"{source}: {len(missing)} of {len(variables)} variables of the {part} are missing, "
            f"the first is {missing[0]}; expected a checkpoint of Kinetics I3D, such as "
            "tools/import_i3d_weights.py writes"
        )


def _assign(
    source: str, variables: dict[str, tf.Variable], tensors: dict[str, np.ndarray]
) -> list[str]:
    """Assigns every variable that has a tensor, after all shapes were checked."""
    fitting = {}
    for name, variable in variables.items():
        if name not in tensors:
            continue
        tensor, shape = tensors[name], tuple(variable.shape)
        # Sonnet keeps statistics as [1, 1, 1, 1, C], and the logits are a 1x1x1 convolution.
        if tuple(n for n in tensor.shape if n != 1) != tuple(n for n in shape if n != 1):
            raise UserError(
                f"{source}: {name} has shape {list(tensor.shape)}, expected {list(shape)}; "
                "Kinetics weights fit an RGB trunk with depth_multiplier 1.0 only"
            )
        fitting[name] = tensor.reshape(shape)
    for name, tensor in fitting.items():
        variables[name].assign(tensor)
    return list(fitting)


def _write(checkpoint: tf.train.Checkpoint, prefix: str) -> None:
    """Writes a checkpoint that is there whole or not at all: its index comes last."""
    folder, name = os.path.split(os.path.abspath(prefix))
    if not name or os.path.isdir(prefix):
        raise UserError(f"{prefix}: is a directory, expected a prefix such as DIRECTORY/i3d")
    with work_folder(folder, named=prefix) as work:
        checkpoint.write(os.path.join(work, name))
        if os.path.exists(f"{prefix}.index"):
            os.remove(f"{prefix}.index")
        move_files(work, folder, [f"{name}.data-00000-of-00001", f"{name}.index"])

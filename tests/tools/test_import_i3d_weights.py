"""The command line of import_i3d_weights: its report, and one line for every mistake."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import tensorflow as tf

from avatx.checkpoints import i3d_sources
from avatx.trunks import i3d, i3d_blocks

ROOT = pathlib.Path(__file__).parents[2]


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "import_i3d_weights.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def write_tf1(prefix):
    """A checkpoint under DeepMind's names, all values 0.5; returns how many variables it has."""
    model = i3d.I3DClassifier()
    model.build([None, None, None, None, 3])
    named = [*i3d_blocks.named_variables(model.trunk), *i3d_blocks.named_variables(model.tail)]
    tensors = {name.replace("kernel", "conv_3d/w"): v.shape for name, v in named}
    tensors[f"{i3d_sources.LOGITS}/conv_3d/w"] = (1, 1, 1, 1024, 400)
    tensors[f"{i3d_sources.LOGITS}/conv_3d/b"] = (400,)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=[f"RGB/inception_i3d/{name}" for name in tensors],
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.fill(shape, 0.5) for shape in tensors.values()],
    )
    return len(tensors)


def test_report_as_json_and_a_checkpoint_that_loads(tmp_path):
    number = write_tf1(tmp_path / "model.ckpt")
    result = run("--source", tmp_path / "model.ckpt", "--output", tmp_path / "i3d", "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert len(report["loaded"]) == number == 230
    assert report["missing"] == report["unused"] == []
    assert report["source"] == str(tmp_path / "model.ckpt")
    assert len(report["sha256"]) == 64 and report["num_parameters"] == 12_689_984
    trunk = i3d.I3D()
    trunk.build([None, None, None, None, 3])
    tf.train.Checkpoint(trunk=trunk).read(str(tmp_path / "i3d")).assert_existing_objects_matched()
    np.testing.assert_array_equal(trunk.Mixed_4f.Branch_0.Conv3d_0a_1x1.kernel, 0.5)


def test_a_mistake_is_one_line_and_exit_code_two(tmp_path):
    (tmp_path / "notes.ckpt").write_text("no weights")
    output = tmp_path / "out" / "i3d"
    result = run("--source", tmp_path / "notes.ckpt", "--output", output, "--json")
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.returncode == 2 and result.stdout == ""
    assert len(lines) == 1 and "notes.ckpt" in lines[0] and "sha256" in lines[0]
    assert "Traceback" not in result.stderr
    assert not output.parent.exists()

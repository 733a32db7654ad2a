"""Records, checkpoints and exports on S3-speaking storage: a real server on this machine.

Each program is a process, as a user runs it; what lies in the bucket is asked of the server itself.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import s3_server
from s3_server import BUCKET
from small_pipeline import SMALL

from avatx.data.video.video_writer import VideoWriter

ROOT = pathlib.Path(__file__).parents[2]
S3 = f"s3://{BUCKET}"
pytestmark = [s3_server.needs_server, s3_server.needs_plugin]

# Runs the `main` of several tools one after the other, for one start of TensorFlow; ends as each
# tool ends. A line "rc N" follows what each has printed.
TOOLS = """
import importlib.util, json, sys
from avatx import cli

def main():
    for tool, arguments in json.loads(sys.argv[1]):
        spec = importlib.util.spec_from_file_location(tool, f"tools/{tool}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        print("rc", module.main(arguments), flush=True)
    return int(sys.argv[2])

cli.run(main)
"""


@pytest.fixture(scope="module")
def server():
    with s3_server.running() as one:
        yield one


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "videos").mkdir()
    with VideoWriter(str(folder / "videos" / "film.mp4"), 10, 48, 64, num_threads=1) as writer:
        for index in range(60):
            writer.write(np.full([48, 64, 3], 4 * index, np.uint8))
    (folder / "map.pbtxt").write_text(
        "".join(f'item {{ name: "class {i}" id: {i} }}\n' for i in (1, 2, 3))
    )
    (folder / "truth.csv").write_text(
        "".join(f"film,{s:04d},0.1,0.2,0.5,0.9,{1 + s % 3},0\n" for s in range(1, 5))
    )
    return folder


def run(server, *tools, code=0):
    """Runs (tool, its arguments) one after the other in a process that ends with `code`."""
    text = json.dumps([[tool, [str(one) for one in arguments]] for tool, arguments in tools])
    return subprocess.run(
        [sys.executable, "-c", TOOLS, text, str(code)],
        env={
            **os.environ,
            **server.environment,
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
        },
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=1500,
        check=False,
    )


def records(data, output):
    return "create_ava_tfrecord", [
        *("--videos", data / "videos", "--annotations", data / "truth.csv"),
        *("--label_map", data / "map.pbtxt", "--output", output, "--num_shards", 2),
    ]


def training(data, *override, mode="train_and_eval", model_dir=f"{S3}/model"):
    readers = [
        f'{reader}.{field}="{value}"'
        for reader in ("train_input_reader", "eval_input_reader")
        for field, value in (
            ("label_map_path", f"{S3}/map.pbtxt"),
            ("tf_record_input_reader.input_path", f"{S3}/records/train-*.tfrecord"),
        )
    ]
    return "model_main", [
        *("--pipeline_config_path", ROOT / "configs" / "playground" / "demo.config"),
        *("--model_dir", model_dir, "--mode", mode, "--distribution_strategy", "cpu"),
        *("--override", *readers, *SMALL, *override),
    ]


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_records_training_resuming_export_and_detection(server, data, tmp_path):
    server.request("PUT", f"{BUCKET}/map.pbtxt", (data / "map.pbtxt").read_bytes())
    # Records: one of the two shards is empty. Written again, nothing is done again.
    again = records(data, f"{S3}/records/train")
    done = run(
        server, again, again, training(data, "train_config.num_steps=2", mode="train"), code=7
    )
    assert done.returncode == 7, done.stderr[-3000:]  # its own, although the plugin was used
    assert done.stdout.splitlines().count("rc 0") == 3
    assert "4 keyframes of 1 videos in 1 records, 2 shards" in done.stdout
    assert "2 of 2 shards are there and unchanged" in done.stderr
    assert server.names("records/") == [
        "records/.avatx-train/train-00000-of-00002.done.json",
        "records/.avatx-train/train-00001-of-00002.done.json",
        "records/manifest.json",
        "records/train-00000-of-00002.tfrecord",
        "records/train-00001-of-00002.tfrecord",
    ]
    local = run(server, records(data, tmp_path / "records" / "train"))
    assert local.returncode == 0
    for name in ("train-00000-of-00002.tfrecord", "train-00001-of-00002.tfrecord"):
        ours = server.request("GET", f"{BUCKET}/records/{name}")
        assert ours == (tmp_path / "records" / name).read_bytes()

    # Training from them.
    assert f"note: model_dir {S3}/model: this storage has no locks" in done.stderr
    assert "4 keyframes" in done.stderr and "step 2/2" in done.stderr
    names = {name.removeprefix("model/") for name in server.names("model/")}
    assert {"ckpt-2.index", "checkpoint", "pipeline.config", "inputs.json"} <= names
    assert not [name for name in names if "temp" in name or "partial" in name]

    # Resuming, export to there, and detection with what was exported.
    detecting = ["--saved_model", f"{S3}/export", "--score_threshold", 0]
    done = run(
        server,
        training(data),
        (
            "exporter_main",
            [
                *("--pipeline_config_path", f"{S3}/model/pipeline.config"),
                *("--checkpoint", f"{S3}/model"),
                *("--output", f"{S3}/export"),
            ],
        ),
        ("detect_video", [*detecting, "--video", data / "videos/film.mp4", "--output", tmp_path]),
        ("detect_video", [*detecting, "--videos", data / "videos", "--output", f"{S3}/many"]),
        ("detect_video", [*detecting, "--videos", data / "videos", "--output", f"{S3}/many"]),
        ("detect_video", [*detecting, "--video", data / "videos/film.mp4", "--output", f"{S3}/o"]),
    )
    assert done.stdout.splitlines().count("rc 0") == 5, done.stderr[-3000:]
    assert f"resuming at step 2 from {S3}/model/ckpt-2" in done.stderr
    assert "exported step 3" in done.stdout
    assert json.loads(server.request("GET", f"{BUCKET}/model/metrics.json"))["step"] == 3
    assert {"model/best/best_ckpt-3.index", "model/ckpt-3.index", "model/detections.csv"} <= {
        *server.names("model/")
    }
    assert server.names("export/") == [
        "export/label_map.pbtxt",
        "export/pipeline.config",
        "export/saved_model/fingerprint.pb",
        "export/saved_model/saved_model.pb",
        "export/saved_model/variables/variables.data-00000-of-00001",
        "export/saved_model/variables/variables.index",
    ]
    for name in ("detections.csv", "annotated.mp4"):
        ours = server.request("GET", f"{BUCKET}/many/film/{name}")
        assert ours == (tmp_path / name).read_bytes()
    assert "1 of 1 videos are done and unchanged" in done.stderr
    # What cannot be there is said in a line.
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"error: {S3}/o cannot be written: these files take their places by being renamed, which "
        "s3:// storage does not do; give a folder of this machine and copy it"
    )


@pytest.mark.parametrize(
    "tool, expected",
    [
        (
            ("exporter_main", "--checkpoint"),
            "'s3://bucket/nothing': no such checkpoint",
        ),
        (("detect_video", "--saved_model"), "s3://bucket/nothing: no such folder; give the Saved"),
    ],
)
def test_what_is_not_there(server, data, tool, expected):
    others = {
        "exporter_main": ["--pipeline_config_path", "p", "--output", f"{S3}/x"],
        "detect_video": ["--video", str(data / "videos" / "film.mp4"), "--output", "o"],
    }
    done = run(server, (tool[0], [tool[1], f"{S3}/nothing", *others[tool[0]]]))
    assert done.returncode == 2 and expected in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr

"""Patterns of input files, and what needs tensorflow-io."""

import http.server
import importlib.util
import os
import subprocess
import sys
import threading

import pytest
import small_records
import tensorflow as tf

from avatx.data.records import remote_files
from avatx.errors import UserError


def test_patterns_give_sorted_files_once(tmp_path):
    for name in ("b", "a", "c.other"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder").mkdir()
    everything = str(tmp_path / "*")
    assert remote_files.match_files([str(tmp_path / "c*"), everything]) == [
        str(tmp_path / name) for name in ("c.other", "a", "b")
    ]


def test_local_paths_load_nothing(tmp_path):
    code = (
        "import sys; from avatx.data.records import remote_files; "
        "remote_files.match_files([sys.argv[1]]); "
        "sys.exit('tensorflow_io' in sys.modules)"
    )
    (tmp_path / "a").write_bytes(b"")
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")]).returncode == 0


@pytest.mark.parametrize(
    "patterns, expected",
    [
        ([], "input_path is empty"),
        (["/nowhere/*.tfrecord"], r"/nowhere/\*\.tfrecord: no file matches"),
        (
            ["s4://bucket/a"],
            r"s4://bucket/a: unknown scheme s4://; expected a local path or .*s3://",
        ),
    ],
)
def test_mistakes(patterns, expected):
    with pytest.raises(UserError, match=expected):
        remote_files.match_files(patterns)


@pytest.mark.parametrize(
    "failure, expected",
    [
        (ModuleNotFoundError("no", name="tensorflow_io"), "which is not installed"),
        (ImportError("undefined symbol"), "cannot load its plugin on TensorFlow"),
        (NotImplementedError("unable to open file: libtensorflow_io.so"), "cannot load its plugin"),
    ],
)
@pytest.mark.parametrize("path", ["s3://bucket/a-*.tfrecord", "http://host/a.tfrecord"])
def test_without_a_working_plugin(monkeypatch, failure, expected, path):
    class Finder:
        def find_spec(self, name, *_):
            if name == "tensorflow_io":
                raise failure

    monkeypatch.delitem(sys.modules, "tensorflow_io", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    # As where no test before this one loaded the plugin.
    monkeypatch.setattr(tf.io.gfile, "get_registered_schemes", lambda: ["", "file", "ram"])
    with pytest.raises(UserError, match=expected) as caught:
        remote_files.match_files([path])
    assert str(caught.value).startswith(path) and "\n" not in str(caught.value)


READ_OVER_HTTP = """
import sys
from avatx import cli

def main():
    from avatx.data.records.input_errors import explained
    from avatx.data.input.clip_shape import ClipShape
    from avatx.data.input.input_options import InputOptions
    from avatx.data.input.input_pipeline import build_dataset
    from avatx.data.input.keyframe_source import KeyframeSource
    options = InputOptions(
        (sys.argv[1],), num_classes=3, label_map_path="", max_boxes=4, shuffle=False,
        shuffle_buffer_size=1, open_segments=1, num_readers=4, drop_keyframes_without_people=False,
        seed=0, num_parallel_decodes=0, max_skipped_share=0.0,
    )
    source = KeyframeSource(options, ClipShape(2, 25.0, 8, 8))
    with explained(options.input_paths):
        for batch in build_dataset(source, 4, training=False):
            print("valid", int(sum(batch.valid.numpy())))

cli.run(main)
"""


@pytest.mark.skipif(
    not tf.__version__.startswith("2.16.") or not importlib.util.find_spec("tensorflow_io"),
    reason="tensorflow-io's plugins load on TensorFlow 2.16 only",
)
def test_records_over_http(tmp_path):
    small_records.write_set(tmp_path, num_files=1)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def do_GET(self):
            """Serves a byte range, without which the plugin reads nothing."""
            path = self.translate_path(self.path)
            if not os.path.exists(path):
                return self.send_error(404)
            with open(path, "rb") as file:
                content = file.read()
            first, _, last = self.headers.get("Range", "bytes=0-")[6:].partition("-")
            part = content[int(first) : int(last) + 1 if last else None]
            self.send_response(206)
            self.send_header("Content-Length", str(len(part)))
            self.send_header(
                "Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}"
            )
            self.end_headers()
            self.wfile.write(part)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        root = f"http://127.0.0.1:{server.server_port}"

        def read(name):
            return subprocess.run(
                [sys.executable, "-c", READ_OVER_HTTP, f"{root}/{name}"],
                text=True,
                capture_output=True,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                timeout=120,
            )

        good = read("set-00.tfrecord")
        assert (good.returncode, good.stdout) == (0, "valid 4\nvalid 2\n"), good.stderr
        for name, expected in (
            ("absent.tfrecord", "absent.tfrecord: "),
            ("set-*.tfrecord", "a wildcard does not work over http"),
        ):
            bad = read(name)
            assert bad.returncode == 2 and expected in bad.stderr.splitlines()[-1]
    finally:
        server.shutdown()
        server.server_close()

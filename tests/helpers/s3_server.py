"""A server that speaks S3 on this machine's loopback: moto's, a real one over HTTP."""

import contextlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import tensorflow as tf

BUCKET = "bucket"
needs_server = pytest.mark.skipif(
    not importlib.util.find_spec("moto") or not importlib.util.find_spec("flask_cors"),
    reason="moto's server is not installed (pip install 'moto[s3]' flask flask-cors)",
)
needs_plugin = pytest.mark.skipif(
    not tf.__version__.startswith("2.16.") or not importlib.util.find_spec("tensorflow_io"),
    reason="tensorflow-io's plugins load on TensorFlow 2.16 only",
)


class Server:
    """Where it is, and the environment with which TensorFlow finds it."""

    def __init__(self, port: int):
        self.address = f"http://127.0.0.1:{port}"
        self.environment = {
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "S3_ENDPOINT": self.address,
            "S3_USE_HTTPS": "0",
            "S3_VERIFY_SSL": "0",
        }

    def request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """What the server answers, asked without TensorFlow."""
        # Of any key; without one, and of a form, it gives and keeps less.
        headers = {"Authorization": "AWS nobody:nothing", "Content-Type": "binary/octet-stream"}
        request = urllib.request.Request(f"{self.address}/{path}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()

    def names(self, prefix: str) -> list[str]:
        """The objects whose names begin so."""
        listing = self.request("GET", f"{BUCKET}?list-type=2&prefix={prefix}").decode()
        return re.findall("<Key>(.*?)</Key>", listing)


@contextlib.contextmanager
def running():
    """Starts a server with an empty bucket; ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "AWS_EC2_METADATA_DISABLED": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    server = Server(port)
    try:
        for _ in range(600):
            try:
                server.request("PUT", BUCKET)
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, "moto's server ended"
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait()

import gc
import pathlib
import random
import signal
import sys

import avatx.cli  # noqa: F401, for it sets TensorFlow's environment, which tests import by themselves

# Started by nohup or in the background, pytest and all that it starts would ignore ctrl-C, which
# some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Lets all tests import the modules that they share (importlib mode does not).
sys.path.insert(0, str(pathlib.Path(__file__).parent / "helpers"))


def pytest_collection_finish(session):
    """What was imported stays, and a training that collects garbage need not walk it."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item):
    """The same weights, clips and orders in every run, wherever a test asks for no seed itself."""
    random.seed(1)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(1)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(1)

"""avatx: the Video Action Transformer Network (CVPR 2019) in TensorFlow 2."""

import importlib
import importlib.metadata
import os
import warnings

__version__ = "0.1.0"

# Keep TensorFlow's information and warnings out of the terminal unless asked for; errors stay.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# On processors without AVX-512 TensorFlow does not choose oneDNN by itself, and the gradient of its
# own 3D convolution is forty times slower.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# A note about future Python versions, from a package that Model Garden imports.
warnings.filterwarnings("ignore", category=FutureWarning, module="google.api_core")

_SUPPORTED = ((2, 16), (2, 20))  # first and last minor version that the test suite runs on


def _check_tensorflow() -> None:
    """Says in one sentence when TensorFlow is outside the supported range."""
    try:
        version = importlib.metadata.version("tensorflow")
    except importlib.metadata.PackageNotFoundError:
        return  # tensorflow-cpu, a nightly build, or only the TensorFlow-free modules are used
    minor = tuple(int(part) for part in version.split(".")[:2])
    if not _SUPPORTED[0] <= minor <= _SUPPORTED[1]:
        raise ImportError(
            f"avatx {__version__} supports TensorFlow 2.16 to 2.20 and found {version}: "
            "install the locked environment (pip install -r requirements/default.txt)."
        )


_check_tensorflow()

# The Python interface, each imported when it is first asked for: `import avatx` imports no
# TensorFlow, and neither does `avatx.VideoResult`.
_LAZY = {
    "load": "avatx.inference.action_detector",
    "ActionDetector": "avatx.inference.action_detector",
    "VideoResult": "avatx.inference.results",
    "DetectedKeyframe": "avatx.inference.results",
    "DetectedPerson": "avatx.inference.results",
    "LiveKeyframe": "avatx.inference.results",
    "UserError": "avatx.errors",
}


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module 'avatx' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})

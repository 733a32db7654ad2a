"""benchmarks/ is not installed: its programs find `measuring` beside them, and so do its tests."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "benchmarks"))

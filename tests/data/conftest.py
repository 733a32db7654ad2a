"""Lets the tests here import the modules of helpers beside them (importlib mode does not)."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

"""Lets the tests here import the fake detector of tests/export."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(__file__)), "export"))

"""Lets the tests here import the coded videos and small records of tests/data."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(__file__)), "data"))

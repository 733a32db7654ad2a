import os
import sys

# Lets the tests here import the helpers beside them (importlib mode does not).
sys.path.insert(0, os.path.dirname(__file__))

"""Unpacks what an older commit made; each test runs in that folder, which all paths start from."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))  # importlib mode does not


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a copy of made_by_4bebf8a/, its archives unpacked."""
    import reading_artefacts

    folder = tmp_path_factory.mktemp("made")
    reading_artefacts.unpack(folder)
    return folder


@pytest.fixture(autouse=True)
def in_that_folder(made, monkeypatch):
    monkeypatch.chdir(made)

"""A browser, and the page of a small result in it."""

import pytest
from explored_result import LookingDetector, write_result
from page_in_browser import CHROMIUM, FLAGS, Page

from avatx.explorer.explorer import write_explorer
from avatx.explorer.result import read_result


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs a chromium on the PATH")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("explorer")
    (root / "truth.csv").write_text("film,0,0.1,0.25,0.3,0.9,17,4\n")
    result = read_result(str(write_result(root / "found", num_keyframes=6)))
    options = {"detector": LookingDetector(), "groundtruth": str(root / "truth.csv")}
    write_explorer(result, str(root / "page"), **options)
    return root / "page"


@pytest.fixture
def page(browser, folder):
    opened = Page(browser, folder)
    yield opened
    opened.close()

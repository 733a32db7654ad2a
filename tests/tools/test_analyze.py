"""tools/analyze.py as a user runs it: the numbers, the page, mistakes."""

import html.parser
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
NAMES = {11: "sit", 12: "stand", 14: "walk", 17: "carry <b>&amp;</b>", 79: "[talk]"}
GROUNDTRUTH = [
    f"v,{902 + i:04d},{0.1 * j},0.1,{0.1 * j + 0.1},{0.3 + 0.1 * i},{label}"
    for i in range(5)
    for j in range(i + 1)
    for label in (11 + (i + j) % 2, 79)
]
VOID = {"meta", "br", "link", "img", "input", "hr"}


@pytest.fixture
def files(tmp_path):
    detections = [f"{row},{0.9 - 0.01 * i}" for i, row in enumerate(GROUNDTRUTH) if i % 4]
    detections += ["v,0902,0.8,0.8,0.9,0.9,17,0.5", "v,0903,0,0.1,0.1,0.4,17,0.95"]
    (tmp_path / "gt.csv").write_text("\n".join(GROUNDTRUTH))
    (tmp_path / "det.csv").write_text("\n".join(detections))
    (tmp_path / "train.csv").write_text("\n".join(GROUNDTRUTH[:11]))
    items = [f'item {{ name: "{name}" id: {i} }}\n' for i, name in NAMES.items()]
    (tmp_path / "map").write_text("".join(items))
    return tmp_path


def analyze(directory, *flags):
    return subprocess.run(
        [
            sys.executable,
            str(ROOT / "tools/analyze.py"),
            "--annotations",
            "gt.csv",
            "--detections",
            "det.csv",
            "--label_map",
            "map",
            "--output",
            "out",
            *flags,
        ],
        cwd=directory,
        capture_output=True,
        text=True,
    )


class Page(html.parser.HTMLParser):
    """Checks that what is opened is closed, and gathers attributes and text."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.attributes, self.words = [], [], [], ""

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def test_writes_the_numbers_and_a_page_that_loads_nothing(files):
    done = analyze(files, "--train_annotations", "train.csv", "--title", "Mine & <yours>")
    assert done.returncode == 0, done.stderr
    assert "tensorflow" not in done.stderr.lower()
    assert sorted(path.name for path in (files / "out").iterdir()) == [
        "analysis.html",
        "analysis.json",
    ]
    numbers = json.loads((files / "out/analysis.json").read_text())
    counts = [one["num_training_labels"] for one in numbers["by_class"]]
    assert counts == sorted(counts) and sum(counts) == 11
    assert [row["ap"] for row in numbers["by_class"] if row["id"] in (14, 17)] == [None, None]
    for bins in (numbers["by_area"], numbers["by_people"]):
        for name in ("num_groundtruth", "num_detections", "num_true_positives"):
            assert sum(one[name] for one in bins) == numbers[name] > 0
    assert (numbers["annotations"], numbers["train_annotations"]) == ("gt.csv", "train.csv")

    text = (files / "out/analysis.html").read_text()
    page = Page()
    page.feed(text)
    assert not page.open and page.seen.count("svg") == 6 and "script" not in page.seen
    assert "http:" not in text and "https:" not in text and "<link" not in text
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:"))
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    referred = {
        value[1:]
        for name, value in page.attributes
        if name in ("href", "xlink:href") and value.startswith("#")
    }
    assert referred <= set(ids)
    assert "groundtruth:" not in page.words and "train_csv" not in page.words  # older names
    for words in (
        "annotations: gt.csv",
        "train_annotations: train.csv",
        "Mine & <yours>",
        "carry <b>&amp;</b>",
        "[talk]",
        "n/a",
        "training labels",
        "By number of people",
        "similar action",
        "Most frequent confusions",
    ):
        assert words in page.words, words


def test_the_same_input_gives_the_same_files(files):
    texts = set()
    for name in ("one", "two"):
        assert analyze(files, "--output", name).returncode == 0
        texts.add((files / name / "analysis.html").read_text())
    assert len(texts) == 1


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page in")
def test_chromium_draws_the_page(files):
    assert analyze(files).returncode == 0
    subprocess.run(
        [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=600,3000",
            "--virtual-time-budget=2000",
            f"--user-data-dir={files}/profile",
            f"--screenshot={files}/page.png",
            (files / "out/analysis.html").as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    import numpy as np
    from PIL import Image

    with Image.open(files / "page.png") as image:
        picture = np.asarray(image.convert("RGB"))
    assert picture.shape == (3000, 600, 3)
    for colour in ((0x8D, 0x9A, 0xA8), (0x1A, 0x7F, 0x37)):  # bars and the green line
        assert np.all(picture == colour, axis=-1).sum() > 50


def test_nothing_detected_and_no_training_csv(files):
    (files / "det.csv").write_text("")
    done = analyze(files)
    assert done.returncode == 0 and "not a single detection" in done.stderr
    text = (files / "out/analysis.html").read_text()
    assert "not a single detection" in text and "No detection lies on a person" in text
    assert "No training annotations were given" in text


def test_nothing_stands_first_among_what_a_person_is_taken_for(files):
    assert analyze(files).returncode == 0
    text = (files / "out/analysis.html").read_text()
    numbers = json.loads((files / "out/analysis.json").read_text())["confusion"]
    chart = text[text.index('aria-label="confusion chart"') :]
    chart = chart[: chart.index("</svg>")]
    words = re.findall(r"<text[^>]*>([^<]+)</text>", chart)
    assert words[0] == "nothing" and words[1:4] == ["sit", "stand", "[talk]"]
    row = numbers["class_ids"].index(11)
    share, people = numbers["matrix"][row][-1], numbers["num_people"][row]
    own = numbers["matrix"][row][row]
    assert 0 < share < 1
    assert (
        f"<td>sit</td><td>{people}</td><td>{100 * own:.1f} %</td><td>{100 * share:.1f} %</td>"
        in text
    )


def test_a_threshold_below_a_tenth_is_written_as_it_counts(files):
    assert analyze(files, "--iou_threshold", "0.05").returncode == 0
    text = (files / "out/analysis.html").read_text()
    assert "no person with an IoU of 0.05" in text and "0.1 to" not in text


def test_boxes_in_pixels_have_no_share_of_the_frame(files):
    for name in ("gt.csv", "det.csv"):
        rows = [row.split(",") for row in (files / name).read_text().splitlines()]
        (files / name).write_text(
            "\n".join(
                ",".join([*row[:2], *(f"{100 * float(side):g}" for side in row[2:6]), *row[6:]])
                for row in rows
            )
        )
    done = analyze(files)
    assert done.returncode == 0 and "note: boxes are not normalised on either side" in done.stderr
    text = (files / "out/analysis.html").read_text()
    assert "not in fractions of the frame" in text and "100 %" not in text
    assert "has no groups of actions, so none is similar" in text


def test_options_reach_the_metric(files):
    (files / "excluded.csv").write_text("v,0906\n")
    done = analyze(
        files, "--excluded", "excluded.csv", "--protocol", "AVA_2019", "--iou_threshold", "0.75"
    )
    assert done.returncode == 0, done.stderr
    numbers = json.loads((files / "out/analysis.json").read_text())
    assert (numbers["protocol"], numbers["iou_threshold"]) == ("AVA_2019", 0.75)
    assert numbers["num_keyframes"] == 4 and numbers["num_people"] == 10
    assert "IoU of 0.75 or more" in (files / "out/analysis.html").read_text()


@pytest.mark.parametrize(
    "name, content, flags, words",
    [
        ("gt.csv", "", (), "gt.csv is empty"),
        ("det.csv", "v,904,0.1,0.1\n", (), "det.csv, line 1"),
        ("train.csv", "v,904,0.1,0.1\n", ("--train_annotations", "train.csv"), "train.csv, line 1"),
        ("train.csv", "v,904\n", ("--train_annotations", "train.csv"), "train.csv holds no label"),
        ("map", "item {", (), "map, line 1"),
        ("out", "a file", (), "/out is a file; expected a folder, or a name for a new one"),
        ("x", "", ("--protocol", "AVA"), "protocol 'AVA' is unknown"),
        ("x", "", ("--iou_threshold", "2"), "iou_threshold is 2"),
        ("x", "", ("--excluded", "none.csv"), "none.csv cannot be read"),
    ],
)
def test_a_mistake_is_one_line(files, name, content, flags, words):
    (files / name).write_text(content)
    done = analyze(files, *flags)
    assert done.returncode == 2 and words in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (files / "out").is_dir()

"""Times a page of tools/explore.py while it plays: what its script takes of each drawn frame.

    python benchmarks/benchmark_explorer.py
    python benchmarks/benchmark_explorer.py --keyframes 300 --people 40 --width 390
    python benchmarks/benchmark_explorer.py --page PAGE                # one that is there

In headless Chromium without a GPU; needs `pip install playwright` and a chromium on the PATH. A
screen draws 60 frames a second, so a frame has 16.7 ms. "median_ms" is the script's time within a
frame: boxes, labels and, after a new keyframe, timeline or panel. "first_ms" is what it stays below
in 95 % of the frames in which a keyframe begins, where all labels look for a place; "worst_ms" is
the longest of all. "interval_ms" is the median time from a frame to the next, with what Chromium
itself does, and "late" the share of intervals beyond 25 ms: frames that a screen of 60 a second
would have missed.
Pages of different length take turns.
"""

import argparse
import json
import math
import pathlib
import shutil
import statistics
import tempfile

import numpy as np
from measuring.models import add_timing_flags
from measuring.report import publish
from measuring.settings import settings

from avatx import cli

FRAME_MS = 1000 / 60
_EVERY, _FRAME_RATE, _HEIGHT, _WIDTH = 0.25, 8, 360, 640
# The page's own frames only: Chromium and the program that steers it ask for some, too.
_WATCH = """
window.watched = [];
let keyframe = null;
const own = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (work) => own((time) => {
  const begun = performance.now();
  work(time);
  if (work.name !== 'whilePlaying') return;
  const now = avatxExplorer.state.keyframe;
  watched.push([time, performance.now() - begun, now !== keyframe]);
  keyframe = now;
});
"""


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--keyframes", nargs="+", type=int, default=[30, 300], help="of the made pages")
    add("--people", type=int, default=8, help="at each keyframe of the made pages")
    add("--page", help="a page to play in place of made ones")
    add("--width", type=int, default=1280, help="of the window; default %(default)s")
    add("--height", type=int, default=900, help="of the window; default %(default)s")
    add("--seconds", type=float, default=4.0, help="played each time; default %(default)s")
    add_timing_flags(parser, repeats=5)
    flags = parser.parse_args(argv)
    if min(*flags.keyframes, flags.people, flags.repeats) < 1:
        parser.error("--keyframes, --people and --repeats: expected 1 or more")

    with tempfile.TemporaryDirectory() as directory:
        if flags.page:
            pages = {flags.page: pathlib.Path(flags.page).resolve()}
        else:
            pages = {
                f"{number} keyframes": made_page(pathlib.Path(directory), number, flags.people)
                for number in flags.keyframes
            }
        found = _played(pages, flags)
    publish("benchmark_explorer", settings(flags), summary(found), flags.json)
    return 0


def summary(found: dict[str, list[list[tuple[float, float, bool]]]]) -> list[dict]:
    """A row a page.

    Args:
      found: of each page, of each repeat, of each frame: when it began and what its script took,
        milliseconds, and whether a keyframe begins in it.
    """
    rows = []
    for name, repeats in found.items():
        work = [took for frames in repeats for _, took, _ in frames]
        firsts = sorted(took for frames in repeats for _, took, begins in frames if begins)
        intervals = [
            after[0] - before[0]
            for frames in repeats
            for before, after in zip(frames, frames[1:], strict=False)
        ]
        medians = [statistics.median(took for _, took, _ in frames) for frames in repeats]
        rows.append(
            {
                "page": name,
                "frames": len(work),
                "median_ms": statistics.median(work),
                "first_ms": firsts[math.ceil(0.95 * len(firsts)) - 1],
                "worst_ms": max(work),
                "interval_ms": statistics.median(intervals),
                "late": sum(interval > 1.5 * FRAME_MS for interval in intervals) / len(intervals),
                "repeats_ms": medians,
            }
        )
    return rows


def made_page(folder: pathlib.Path, num_keyframes: int, num_people: int) -> pathlib.Path:
    """A page of people who walk, some in front of others, each with two actions."""
    from avatx.data.video.video_writer import VideoWriter
    from avatx.explorer.explorer import write_explorer
    from avatx.explorer.result import read_result

    found = folder / f"found{num_keyframes}"
    found.mkdir()
    with VideoWriter(str(found / "film.mp4"), _FRAME_RATE, _HEIGHT, _WIDTH) as writer:
        for i in range(round(_FRAME_RATE * _EVERY * num_keyframes)):
            frame = np.full([_HEIGHT, _WIDTH, 3], 90, np.uint8)
            frame[:, (4 * i) % _WIDTH :][:, :40] = (200, 60, 20)
            writer.write(frame)
    rng = np.random.default_rng(0)
    starts, speeds = rng.uniform(0, 0.8, [num_people, 2]), rng.uniform(-0.02, 0.02, num_people)
    names = {"1": "walk", "2": "watch (a person)"}

    def person(number: int, keyframe: int) -> dict:
        top, left = starts[number]
        left = abs((left + speeds[number] * keyframe) % 1.8 - 0.9)
        scores = rng.uniform(0.3, 1, 2)
        return {
            "track": number + 1,
            "box": [top, left, top + 0.2, left + 0.07],
            "actions": [
                {"id": int(k), "name": name, "score": float(score)}
                for (k, name), score in zip(names.items(), sorted(scores)[::-1], strict=True)
            ],
        }

    keyframes = [
        {"timestamp": _EVERY * k, "people": [person(n, k) for n in range(num_people)]}
        for k in range(num_keyframes)
    ]
    content = {"video": str(found / "film.mp4"), "video_id": "film", "every": _EVERY}
    content |= {"score_threshold": 0.3, "classes": names, "keyframes": keyframes}
    (found / "detections.json").write_text(json.dumps(content))
    write_explorer(read_result(str(found)), str(folder / f"page{num_keyframes}"))
    return folder / f"page{num_keyframes}"


def _played(
    pages: dict[str, pathlib.Path], flags
) -> dict[str, list[list[tuple[float, float, bool]]]]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    found: dict[str, list[list[tuple[float, float, bool]]]] = {name: [] for name in pages}
    with sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for repeat in range(flags.warm_up + flags.repeats):
            for name, page in pages.items():
                frames = _frames(browser, page, flags)
                if repeat >= flags.warm_up:
                    found[name].append(frames)
        browser.close()
    return found


def _frames(browser, page: pathlib.Path, flags) -> list[tuple[float, float, bool]]:
    context = browser.new_context(viewport={"width": flags.width, "height": flags.height})
    opened = context.new_page()
    opened.add_init_script(_WATCH)
    opened.goto((page / "index.html").as_uri())
    opened.wait_for_function("document.getElementById('video').readyState >= 3")
    opened.keyboard.press("Space")
    opened.wait_for_timeout(1000 * flags.seconds)
    frames = opened.evaluate("watched")
    context.close()
    return frames


if __name__ == "__main__":
    cli.run(main)

"""The page as a person uses it, in headless Chromium from the disk."""

import pytest
from explored_result import LookingDetector, write_result
from page_in_browser import Page

from avatx.explorer.explorer import write_explorer
from avatx.explorer.result import read_result


def test_it_plays_and_the_boxes_move_with_the_video(page):
    page.wait("document.getElementById('attention').hidden === false")
    before = page.pixels("overlay")
    page.page.keyboard.press("Space")
    page.wait("document.getElementById('video').currentTime > 0.6")
    page.page.keyboard.press("Space")
    assert page.run("document.getElementById('video').paused")
    assert page.pixels("overlay") != before
    # Person 1 walks 0.02 to the right in 0.5 s; person 2 stays.
    people = page.run("avatxExplorer.peopleAt(0.75)")
    assert [p["key"] for p in people] == [1, 2] and all(p["between"] for p in people)
    assert people[0]["box"][1] == pytest.approx(0.13)
    page.page.locator("#between").uncheck()
    assert page.run("avatxExplorer.peopleAt(0.74)[0].box[1]") == pytest.approx(0.12)


def test_a_click_on_a_person_shows_what_it_attends_to(page):
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("ArrowRight")
    page.wait("Math.abs(document.getElementById('video').currentTime - 1) < 0.01")
    box = page.page.locator("#overlay").bounding_box()
    x, y = box["x"] + 0.7 * box["width"], box["y"] + 0.6 * box["height"]
    page.page.mouse.click(x, y)  # the person at the right
    page.wait("document.getElementById('person-title').textContent === 'Person 2 at 1 s'")
    page.wait("avatxExplorer.state.looked && document.getElementById('heat').width > 300")
    assert "talk to (e.g., self, a person)" in page.text("actions")
    seen = {page.pixels("heat")}
    page.page.locator("#cell").fill("1")
    seen.add(page.pixels("heat"))
    # The second of four moments has 2 of 6 parts of the attention.
    assert page.text("cell-value").startswith("2 of 4: ") and "33 %" in page.text("cell-value")
    page.page.locator("#unit").select_option(label="layer 1 head 2")
    seen.add(page.pixels("heat"))
    page.page.keyboard.press("]")
    seen.add(page.pixels("heat"))
    assert page.text("cell-value").startswith("3 of 4") and len(seen) == 4
    assert "layer 1 head 2" in page.text("keys-caption")
    page.page.keyboard.press("Escape")
    page.page.mouse.click(box["x"] + 0.2 * box["width"], y)
    page.wait("document.getElementById('person-title').textContent === 'Person 1 at 1 s'")
    page.wait("avatxExplorer.state.looked.box[1] < 0.2")
    assert page.pixels("heat") not in seen


def test_heat_is_where_the_attention_is(page):
    page.wait("avatxExplorer.state.looked")
    page.page.locator("#unit").select_option(label="layer 1 head 1")
    page.page.locator("#cell").fill("2")  # person 1, unit 0: cell 7 + 2 of 15, row 1, column 4
    bright = page.run(
        """(() => { const c = document.getElementById('heat');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        const at = (x, y) => {
          const i = 4 * (Math.floor(y * c.height) * c.width + Math.floor(x * c.width));
          return d[i] + d[i + 1] - d[i + 2]; };
        return [at(0.98, 0.5), at(0.5, 0.5), at(0.98, 0.1), at(0.84, 0.5)]; })()"""
    )
    assert bright[0] > bright[1] + 100 and bright[0] > bright[2] + 100
    # The cell looks at column 159 of 160: at 0.84 of the frame its neighbour is nearer.
    assert bright[0] > bright[3] + 60


def test_filters_leave_out_people_and_actions(page):
    def shown():
        return page.run("avatxExplorer.peopleAt(0).map((p) => p.labels.map((l) => l.text))")

    assert shown() == [
        ["1 · bend/bow (at the waist) 0.90", "carry/hold (an object) 0.20"],
        ["2 · talk to 0.60"],
    ]
    page.page.locator("#score").fill("0.65")
    assert shown() == [["1 · bend/bow (at the waist) 0.90"]]
    assert page.run("avatxExplorer.timeline().rows") == 1
    page.page.locator("#score").fill("0.1")
    page.page.locator("#smooth").check()
    assert shown()[0][1] == "carry/hold (an object) ~0.23"  # a third of 0.3, two of 0.2
    assert "for display only" in page.text("timeline-section")
    page.page.locator("#smooth").uncheck()
    page.page.locator("#class-filter summary").click()
    page.page.locator("#classes input[value='1']").uncheck()
    assert shown()[0] == ["1 · carry/hold (an object) 0.20"]
    page.page.locator("#none").click()
    assert shown() == []
    page.page.locator("#all").click()
    page.page.keyboard.press("Home")
    page.page.locator("#truth").check()
    assert shown()[2] == ["true: carry/hold (an object)"]


def test_keys_and_timeline_choose_keyframes_and_people(page):
    page.wait("avatxExplorer.state.looked")
    page.page.keyboard.press("ArrowDown")
    assert page.state("track") == 2
    page.page.keyboard.press("ArrowRight")
    assert page.state("keyframe") == 1
    page.page.keyboard.press("?")
    assert page.page.locator("#help").is_visible()
    page.page.keyboard.press("t")
    assert page.run("document.documentElement.dataset.theme") == "dark"
    page.page.keyboard.press("t")
    canvas = page.page.locator("#timeline-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    # Names take 170 pixels, a keyframe 48 at most; person 1 is the first row.
    page.page.mouse.click(box["x"] + 170 + 3.5 * 48, box["y"] + 50)
    assert (page.state("keyframe"), page.state("track")) == (3, 1)
    page.wait("document.getElementById('person-title').textContent === 'Person 1 at 1.5 s'")


def test_at_phone_width_nothing_is_wider_than_the_screen(browser, folder):
    page = Page(browser, folder, width=390, height=844, color_scheme="dark")
    page.wait("avatxExplorer.state.looked")
    assert page.run("document.documentElement.scrollWidth") == 390
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    page.close()


def test_of_many_keyframes_only_what_is_near_is_drawn_and_held(browser, tmp_path):
    found = write_result(tmp_path / "found", num_keyframes=300, num_people=40, every=0.25)
    write_explorer(read_result(str(found)), str(tmp_path / "page"), detector=LookingDetector())
    page = Page(browser, tmp_path / "page")
    page.wait("avatxExplorer.state.looked")
    stats = page.run("avatxExplorer.timeline()")
    assert stats["rows"] == 40 and 5 < stats["drawn"] < 15
    page.run("document.getElementById('timeline').scrollTop = 1e6")
    page.wait("avatxExplorer.timeline().drawn < 15")
    for _ in range(20):
        page.page.keyboard.press("ArrowRight")
        page.wait("avatxExplorer.state.looked !== null")
    page.wait("document.getElementById('person-title').textContent === 'Person 1 at 5 s'")
    assert page.run("avatxExplorer.held()") <= 12
    page.close()
    assert len(list((tmp_path / "page" / "keyframes").iterdir())) == 300


def test_the_webm_copy_plays_too(browser, tmp_path):
    result = read_result(str(write_result(tmp_path / "found")))
    write_explorer(result, str(tmp_path / "page"), video_format="webm")
    page = Page(browser, tmp_path / "page")
    assert page.run("document.getElementById('video').currentSrc").endswith("video.webm")
    page.page.keyboard.press("Space")
    page.wait("document.getElementById('video').currentTime > 0.4")
    assert "No attention: made without a model" in page.text("no-attention")
    page.close()

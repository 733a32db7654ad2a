"""What no demonstration has: names that would break a page, nothing found, files that are gone."""

import json

import pytest
from explored_result import write_result
from page_in_browser import Page

from avatx.explorer.explorer import write_explorer
from avatx.explorer.page_data import in_a_line
from avatx.explorer.result import read_result

WIDE = "document.documentElement.scrollWidth"


def made(folder, change=lambda content: None, **facts):
    """A page of a result that was changed by hand."""
    found = write_result(folder / "found", **facts)
    content = json.loads((found / "detections.json").read_text())
    change(content)
    (found / "detections.json").write_text(json.dumps(content))
    write_explorer(read_result(str(found)), str(folder / "page"))
    return folder / "page"


def renamed(names):
    def change(content):
        content["classes"] = {str(number): name for number, name in names.items()}
        for keyframe in content["keyframes"]:
            for person in keyframe["people"]:
                for action in person["actions"]:
                    action["name"] = names[action["id"]]

    return change


@pytest.mark.parametrize(
    "name, expected",
    [
        ("walk", "walk"),
        ("\u202e0.99 klaw\u202c", "0.99 klaw"),  # written from right to left, with all behind it
        ("talk\nto\u2028a\tperson\x00", "talk to a person"),
        ("a\u00adb \u2066c\u2069", "ab c"),
        ("مشي", "مشي"),
        ("می\u200cرود", "می\u200cرود"),  # a joiner is a part of the word
        ("\u202e \n", "class 7"),
        ("", "class 7"),
    ],
)
def test_a_name_stands_in_a_line(name, expected):
    assert in_a_line(name, 7) == expected


@pytest.mark.parametrize("width", [320, 1280])
def test_names_that_are_code_or_long_are_text(browser, tmp_path, width):
    code = "</script><img src=x onerror=alert(1)>\"'&amp;\u202e"
    names = {1: code, 17: "Donaudampfschifffahrtsgesellschaft" * 30, 79: ""}
    options = {"video_id": code * 40, "notes": ["n" * 500]}
    folder = made(tmp_path, renamed(names), **options)
    page = Page(browser, folder, width=width, height=720)
    page.page.on("dialog", lambda dialog: page.wrong.append(dialog.message))
    page.wait("avatxExplorer.state.labels.length > 0")
    assert page.run(WIDE) == width
    assert page.page.locator("header h1").bounding_box()["height"] < 100
    assert page.page.title() == code * 40 and page.run("document.images.length") == 0
    texts = page.run("avatxExplorer.peopleAt(0).map((p) => p.labels[0].text)")
    assert texts[0].endswith(" 0.90") and "\u202e" not in texts[0]
    assert texts[1] == "2 · class 79 0.60"
    drawn = page.run("avatxExplorer.state.labels.flatMap((l) => l.texts.map((t) => t.text))")
    assert all(text[-5:] in (" 0.90", " 0.20", " 0.60") for text in drawn)
    page.close()


def test_hundreds_of_actions_have_a_panel_that_scrolls(browser, tmp_path):
    def many(content):
        content["classes"] = {str(k): f"action {k}" for k in range(1, 3001)}
        for keyframe in content["keyframes"]:
            for person in keyframe["people"]:
                person["actions"] = [
                    {"id": k, "name": f"action {k}", "score": 0.9} for k in range(1, 601)
                ]

    page = Page(browser, made(tmp_path, many))
    page.wait("document.querySelectorAll('#actions .bar').length === 600")
    assert page.run("document.documentElement.scrollHeight") < 2000
    assert page.run("document.querySelectorAll('#classes input').length") == 600
    page.close()


def test_where_nobody_was_found_the_page_says_so(browser, tmp_path):
    def empty(content):
        for keyframe in content["keyframes"]:
            keyframe["people"] = []

    page = Page(browser, made(tmp_path, empty))
    assert page.text("person-hint") == "Nobody was found in the video with a score of 0.1 or more."
    for key in ("ArrowRight", "ArrowDown", "]", "g", " "):
        page.page.keyboard.press(key)
    page.wait("document.getElementById('video').currentTime > 0.7")
    page.close()


def test_a_single_keyframe_is_a_page_too(browser, tmp_path):
    page = Page(browser, made(tmp_path, num_keyframes=1))
    for key in ("ArrowRight", "ArrowLeft", "ArrowDown"):
        page.page.keyboard.press(key)
    assert (page.state("keyframe"), page.state("track")) == (0, 2)
    page.close()


def test_files_that_were_not_copied_are_named(browser, tmp_path):
    folder = made(tmp_path)
    opened = browser.new_context().new_page()
    (folder / "video.mp4").unlink()
    opened.goto((folder / "index.html").as_uri())
    said = opened.locator("#video-error")
    said.wait_for(state="visible")
    assert said.inner_text().startswith("video.mp4 cannot be read: it belongs beside index.html")
    opened.keyboard.press("ArrowRight")
    assert opened.locator("#person-title").inner_text() == "Person 1 at 0.5 s"
    assert opened.evaluate("avatxExplorer.state.keyframe") == 1
    (folder / "data.js").unlink()
    opened.goto((folder / "index.html").as_uri())
    assert opened.locator("h1").inner_text().startswith("data.js is not beside this page")
    assert not opened.locator("main").is_visible()
    opened.context.close()


def test_by_keys_alone_the_chosen_person_s_row_comes_into_sight(browser, tmp_path):
    page = Page(browser, made(tmp_path, num_people=40))
    page.wait("avatxExplorer.state.track === 1")
    for _ in range(20):
        page.page.keyboard.press("ArrowDown")
    assert page.state("track") == 21
    # 40 pixels a row of one action below the axis.
    scrolled, tall = page.run("((t) => [t.scrollTop, t.clientHeight])(Timeline.scroller)")
    assert scrolled < 20 + 15 + 20 * 40 < scrolled + tall
    page.run("Timeline.scroller.scrollTop = 0")
    page.page.keyboard.press("ArrowRight")  # the same person: whoever looks elsewhere stays there
    page.wait("avatxExplorer.state.keyframe === 1")
    assert page.run("Timeline.scroller.scrollTop") == 0
    page.close()


ROLES = {
    "overlay": "img",
    "heat": "img",
    "keys": "img",
    "shares": "img",
    "timeline": "group",
    "video-error": "alert",
}


def test_a_screen_reader_has_names_and_is_not_talked_to_while_it_plays(page):
    page.wait("avatxExplorer.state.looked")
    for name, role in ROLES.items():
        element = page.page.locator(f"#{name}")
        assert element.get_attribute("role") == role
        assert name == "video-error" or element.get_attribute("aria-label")
    unnamed = page.run(
        """[...document.querySelectorAll('button, input, select, video')].filter((e) =>
        !e.getAttribute('aria-label') && !(e.labels || []).length && !e.textContent)
        .map((e) => e.id)"""
    )
    assert unnamed == []
    assert page.page.get_by_role("button", name="Keys").get_attribute("aria-controls") == "help"
    # Outputs are live by themselves, and this one changes sixty times a second.
    assert page.page.locator("#clock").get_attribute("aria-live") == "off"
    assert page.page.locator("#seek").get_attribute("aria-valuetext") == page.text("clock")
    title = page.page.locator("#person-title")
    assert title.get_attribute("aria-live") == "polite"
    page.page.keyboard.press("Space")
    page.wait("document.getElementById('person-title').ariaLive === 'off'")
    page.page.keyboard.press("Space")
    page.wait("document.getElementById('person-title').ariaLive === 'polite'")


@pytest.mark.parametrize(
    "scheme, paper", [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 27)")]
)
def test_the_page_follows_the_system_and_moves_nothing(browser, folder, scheme, paper):
    page = Page(browser, folder, width=320, color_scheme=scheme, reduced_motion="reduce")
    page.wait("avatxExplorer.state.looked")
    assert page.run("getComputedStyle(document.body).backgroundColor") == paper
    assert page.run("document.getAnimations().length") == 0 and page.run(WIDE) == 320
    assert page.run("document.getElementById('video').paused")
    other = {"light": "dark", "dark": "light"}[scheme]
    page.page.emulate_media(color_scheme=other)
    page.wait(f"getComputedStyle(document.body).backgroundColor !== '{paper}'")
    page.close()

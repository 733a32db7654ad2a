"""Sliders, keys and the panel of the page: what a click leaves, and what belongs together."""

import pytest

TITLE = "document.getElementById('person-title').textContent"
PLAYS = "!document.getElementById('video').paused"


def click_slider(page, name, share):
    slider = page.page.locator(f"#{name}")
    box = slider.bounding_box()
    slider.click(position={"x": share * box["width"], "y": box["height"] / 2})
    assert page.run("document.activeElement.id") == name


def is_hidden(page, name):
    return page.run(f"getComputedStyle(document.getElementById('{name}')).visibility") == "hidden"


def test_the_panel_belongs_to_the_keyframe_that_is_sought(page):
    page.wait("avatxExplorer.state.looked")
    before = page.pixels("heat")
    click_slider(page, "seek", 0.7)  # of 3 s
    assert page.state("keyframe") == 4
    assert page.run(TITLE) == "Person 1 at 2 s"
    assert page.state("looked") is None and is_hidden(page, "heat")
    page.wait("avatxExplorer.state.looked")
    # Person 1 walks 0.02 to the right a keyframe, and its attention is of where it is then.
    assert page.run("avatxExplorer.state.looked.box[1]") == pytest.approx(0.18)
    assert page.pixels("heat") != before and not is_hidden(page, "heat")
    assert "0.60" in page.text("actions")  # action 17 has 0.2 + 0.1 for each keyframe


def test_a_slider_that_is_drawn_along_reads_the_attention_where_it_stays(page):
    page.wait("avatxExplorer.state.looked")
    page.run(
        """(() => { const seek = document.getElementById('seek');
        for (let t = 0; t < 2.7; t += 0.05) {
          seek.value = t; seek.dispatchEvent(new Event('input')); } })()"""
    )
    page.wait("avatxExplorer.state.looked")
    assert page.run(TITLE) == "Person 1 at 2.5 s"
    assert page.run("avatxExplorer.held()") == 2  # the first and the last


def test_the_panel_follows_a_video_that_plays_and_has_attention_when_it_stands(page):
    page.wait("avatxExplorer.state.looked")
    height = page.run("document.getElementById('attention').clientHeight")
    page.page.keyboard.press("Space")
    page.wait(f"{TITLE} === 'Person 1 at 1 s'")
    assert page.run(PLAYS) and page.state("looked") is None
    assert is_hidden(page, "heat") and page.page.locator("#attention-wait").is_visible()
    assert page.run("document.getElementById('attention').clientHeight") == height
    page.page.keyboard.press("Space")
    page.wait("avatxExplorer.state.looked")
    keyframe = page.state("keyframe")
    assert page.run(TITLE) == f"Person 1 at {0.5 * keyframe:g} s"
    assert page.run("avatxExplorer.state.looked.box[1]") == pytest.approx(0.1 + 0.02 * keyframe)
    assert not is_hidden(page, "heat") and not page.page.locator("#attention-wait").is_visible()


@pytest.mark.parametrize("slider", ["seek", "score", "cell"])
def test_after_a_click_on_a_slider_the_keys_work(page, slider):
    page.wait("avatxExplorer.state.looked")
    click_slider(page, slider, 0.1)
    page.page.keyboard.press("Space")
    page.wait(PLAYS)
    page.page.keyboard.press("Space")
    page.wait(f"!({PLAYS})")
    page.page.keyboard.press("g")
    assert page.page.locator("#truth").is_checked()
    page.page.keyboard.press("t")
    assert page.run("document.documentElement.dataset.theme") == "dark"
    page.page.keyboard.press("?")
    assert page.page.locator("#help").is_visible()
    page.run("avatxExplorer.choose(2, 1)")
    page.wait("avatxExplorer.state.looked")
    before = page.page.locator(f"#{slider}").input_value()
    page.page.keyboard.press("ArrowRight")
    if slider == "seek":
        assert page.state("keyframe") == 3
        page.wait("document.getElementById('video').currentTime === 1.5")
        page.page.keyboard.press("ArrowDown")
        assert page.state("track") == 2
    else:  # its own: a step
        step = {"score": 0.01, "cell": 1}[slider]
        value = float(page.page.locator(f"#{slider}").input_value())
        assert value == pytest.approx(float(before) + step)
        assert page.state("keyframe") == 2


def test_after_other_controls_the_keys_that_are_not_theirs_work(page):
    page.page.locator("#speed").select_option("2")
    page.page.locator("#speed").focus()
    page.page.keyboard.press("t")
    assert page.run("document.documentElement.dataset.theme") == "dark"
    page.page.locator("#smooth").click()
    page.page.keyboard.press("ArrowRight")
    assert page.state("keyframe") == 1
    page.page.keyboard.press("Space")  # a checkbox's own
    assert not page.page.locator("#smooth").is_checked() and not page.run(PLAYS)
    page.page.locator("#next").click()
    page.page.keyboard.press("Space")  # a button's own
    assert page.state("keyframe") == 3 and not page.run(PLAYS)


@pytest.mark.parametrize("focused", ["help-button", "seek", "smooth", "unit", "timeline"])
def test_escape_closes_the_help(page, focused):
    page.page.locator("#help-button").click()
    assert page.page.locator("#help").is_visible()
    page.page.locator(f"#{focused}").focus()
    page.page.keyboard.press("Escape")
    assert not page.page.locator("#help").is_visible()
    assert page.page.locator("#help-button").get_attribute("aria-expanded") == "false"
    page.page.keyboard.press("Escape")  # which does not open it
    assert not page.page.locator("#help").is_visible()


def test_who_is_filtered_out_is_so_in_the_panel_too(page):
    page.wait("avatxExplorer.state.looked")
    page.page.locator("#score").fill("1")
    assert page.run("avatxExplorer.peopleAt(0)") == [] and page.state("labels") == []
    assert page.text("actions") == "" and "filters leave out" in page.text("person-hint")
    assert not page.page.locator("#attention").is_visible() and page.state("looked") is None
    page.page.locator("#score").fill("0.5")
    page.wait("avatxExplorer.state.looked")
    assert page.page.locator("#attention").is_visible()
    assert not page.page.locator("#person-hint").is_visible()

"""Window, level and local contrast of the film before the reader."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_grey_values_change_by_key_and_by_button_and_come_back(reading_room) -> None:
    page: Page = reading_room.page
    reading_room.sign_in()
    reading_room.enter()
    slope = page.locator("feFuncR")
    contrast = page.get_by_role("button", name="Contrast")
    page.keyboard.press("Digit0")
    as_it_is = picture(page)

    page.keyboard.press("KeyA")
    expect(slope).not_to_have_attribute("slope", "1")
    assert float(slope.get_attribute("slope") or 0) > 1, "the phantom does not use all greys"
    page.keyboard.press("KeyR")
    expect(slope).to_have_attribute("slope", "1")
    page.get_by_role("button", name="Auto window").click()
    expect(slope).not_to_have_attribute("slope", "1")
    page.keyboard.press("KeyR")

    page.keyboard.press("KeyC")
    expect(contrast).to_have_attribute("aria-pressed", "true")
    assert picture(page) != as_it_is
    contrast.click()
    expect(contrast).to_have_attribute("aria-pressed", "false")
    assert picture(page) == as_it_is

    page.keyboard.down("KeyW")
    page.keyboard.press("ArrowLeft")
    page.keyboard.up("KeyW")
    assert float(slope.get_attribute("slope") or 0) == pytest.approx(1 / 0.96)
    page.keyboard.down("KeyL")
    page.keyboard.press("ArrowUp")
    page.keyboard.up("KeyL")
    assert float(slope.get_attribute("intercept") or 0) == pytest.approx(0.5 - 0.46 / 0.96)
    page.keyboard.press("ArrowUp")
    assert float(slope.get_attribute("slope") or 0) == pytest.approx(1 / 0.96), "an arrow alone pans"
    assert not reading_room.complaints


def test_a_browser_that_computes_no_grey_values_says_so_and_goes_on(reading_room) -> None:
    page: Page = reading_room.page
    reading_room.sign_in()
    page.route("**/greyworker-*.js", lambda route: route.abort())
    reading_room.enter()
    page.keyboard.press("KeyC")
    expect(page.get_by_text("This browser does not let the page compute that.").first).to_be_visible()
    page.unroute("**/greyworker-*.js")
    page.keyboard.press("KeyV")
    expect(page.locator(".stage .pane")).to_have_count(6)


def picture(page: Page) -> bytes:
    """The film's pane as it is painted, after the frame that is due."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(".pane .film").first.screenshot()

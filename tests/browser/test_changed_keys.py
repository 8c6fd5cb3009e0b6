"""Readers change keys, and work without any on a tablet."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def page(reading_room):
    """The reading screen; changed keys are forgotten afterwards."""
    reading_room.sign_in()
    reading_room.enter()
    yield reading_room.page
    reading_room.page.evaluate("localStorage.removeItem('overread.keys')")
    assert reading_room.complaints == []


def test_a_changed_key_works_and_stands_on_the_screen_and_a_taken_one_is_refused(page, assert_accessible) -> None:
    page.keyboard.press("F1")
    page.get_by_role("button", name="Change keys").click()
    dialog = page.get_by_role("dialog", name="Keys", exact=True)
    dialog.get_by_role("button", name="deny all and redraw").click()
    page.keyboard.press("KeyN")
    expect(dialog.get_by_role("status")).to_contain_text('N is the key for "no infection"')
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("status")).to_contain_text("always means the same")
    assert_accessible(page)
    page.keyboard.press("KeyY")
    expect(dialog.get_by_role("button", name="deny all and redraw: Y")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    deny = page.get_by_role("button", name="Deny all, redraw")
    expect(deny.locator("kbd")).to_have_text("Y")
    page.reload()
    expect(deny.locator("kbd")).to_have_text("Y")
    page.keyboard.press("KeyV")
    expect(page.get_by_text("All candidates were shown")).to_be_visible()
    page.keyboard.press("KeyD")
    page.keyboard.press("F1")
    expect(page.get_by_role("dialog")).to_be_visible()  # the old key did nothing: the candidates are there still
    page.get_by_role("button", name="Change keys").click()
    page.keyboard.press("Escape")
    page.keyboard.press("KeyY")
    expect(page.get_by_role("heading", name="Redraw")).to_be_visible()

    page.keyboard.press("F1")
    page.get_by_role("button", name="Change keys").click()
    dialog.get_by_role("button", name="Usual keys").click()
    expect(dialog.get_by_role("button", name="deny all and redraw: D")).to_be_visible()


def test_without_a_keyboard_one_finger_changes_the_grey_values_and_two_still_zoom(page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    devtools.send(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "pointer", "value": "coarse"}, {"name": "any-pointer", "value": "coarse"}]},
    )

    def touch(kind: str, *points: tuple[int, int]) -> None:
        places = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    def slope() -> float:
        return float(page.locator("feFuncR").get_attribute("slope"))

    bar = page.get_by_role("group", name="Grey values")
    try:
        expect(bar).to_be_visible()
        for button in bar.get_by_role("button").all():
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 44, button.inner_text()
        before = slope()
        touch("touchStart", (400, 300))
        touch("touchMove", (250, 300))
        touch("touchEnd")
        assert slope() == before
        bar.get_by_role("button", name="Drag greys").click()
        touch("touchStart", (400, 300))
        touch("touchMove", (250, 300))
        touch("touchEnd")
        narrowed = slope()
        assert narrowed > before
        touch("touchStart", (400, 300), (500, 300))
        touch("touchMove", (300, 300), (600, 300))
        touch("touchEnd")
        assert slope() == narrowed
        bar.get_by_role("button", name="Invert").click()
        assert slope() < 0
        expect(bar.get_by_role("button", name="Drag greys")).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".toast")).to_have_text(re.compile("One finger"))
    finally:
        devtools.send("Emulation.setEmulatedMedia", {"features": []})
        devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
        devtools.detach()

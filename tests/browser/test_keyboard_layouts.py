"""A reading session by keyboard alone where the letters lie elsewhere: keys count by place, undo and help by print."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db.domain.verdict import VerdictKind
from db.models import Verdict

pytestmark = pytest.mark.browser

STROKE = [(420, 200), (470, 330), (610, 360)]
SHIFT, CONTROL = 8, 2  # as the DevTools protocol counts modifiers

# What a key of the US keyboard gives on another one: plain, and with Shift. Only what a session needs and what differs.
GERMAN = {
    **{f"Digit{i}": (str(i), shifted) for i, shifted in enumerate('="!§$%', start=0)},
    "KeyY": ("z", "Z"),
    "KeyZ": ("y", "Y"),
    "Minus": ("ß", "?"),
}
FRENCH = {
    **{f"Digit{i}": (plain, str(i)) for i, plain in enumerate("à&é\"'(", start=0)},
    "KeyQ": ("a", "A"),
    "KeyA": ("q", "Q"),
    "KeyW": ("z", "Z"),
    "KeyZ": ("w", "W"),
    "KeyM": (",", "?"),
}
NAMED = {"Enter", "Escape", "Backspace"}

Press = Callable[..., None]


@pytest.mark.parametrize(
    ("layout", "undo", "help_key"),
    [(GERMAN, "KeyY", "Minus"), (FRENCH, "KeyW", "KeyM")],
    ids=["german", "french"],
)
def test_a_session_by_keyboard_alone(reading_room, layout, undo, help_key) -> None:
    room, page = reading_room, reading_room.page
    press = keyboard(page, layout)
    room.sign_in()
    room.enter()

    press(help_key, shift=True)
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()

    show_all(page, press)
    press("Digit3")
    press("Digit2", shift=True)
    press("Enter")
    expect(page.locator(".count")).to_have_text("2 of 7")

    show_all(page, press)
    press("KeyN")
    expect(page.locator(".count")).to_have_text("3 of 7")

    press("KeyF")
    press("Digit2")
    expect(page.locator(".count")).to_have_text("4 of 7")

    # The printed Z takes the last verdict back, and another one replaces it.
    press(undo, control=True)
    expect(page.locator(".banner")).to_contain_text("flagged")
    show_all(page, press)
    press("KeyN")
    expect(page.locator(".toast")).to_have_text("Saved: verdict revised.")
    expect(page.locator(".banner")).to_be_hidden()

    show_all(page, press)
    press("KeyD")
    expect(page.locator("#brush-size")).to_be_visible()
    save = page.get_by_role("button", name="Save drawing")
    for stroke in (STROKE, [(700, 300), (700, 420)]):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*point, steps=4)
        page.mouse.up()
    press(undo, control=True)
    press(undo, control=True)
    expect(save).to_have_attribute("aria-disabled", "true")
    press(undo, control=True, shift=True)
    expect(save).not_to_have_attribute("aria-disabled", "true")
    press("Enter")
    expect(page.locator(".count")).to_have_text("5 of 7")

    with room.record.database.read() as session:
        verdicts = session.scalars(select(Verdict).order_by(Verdict.id)).all()
        assert [(v.kind, v.slot) for v in verdicts] == [
            (VerdictKind.PICK, 2),
            (VerdictKind.NO_INFECTION, None),
            (VerdictKind.UNREADABLE, None),
            (VerdictKind.NO_INFECTION, None),
            (VerdictKind.DENY_ALL, None),
        ]
        assert verdicts[0].also_acceptable == [1]
    assert room.complaints == []


def keyboard(page: Page, layout: dict[str, tuple[str, str]]) -> Press:
    """Presses a key as the browser reports it under a layout: the code of the place, the key of the print."""
    devtools = page.context.new_cdp_session(page)

    def press(code: str, *, shift: bool = False, control: bool = False) -> None:
        if code in NAMED:
            page.keyboard.press(code)
            return
        plain = code[-1].lower()
        key = layout.get(code, (plain, plain.upper()))[shift]
        modifiers = SHIFT * shift + CONTROL * control
        for kind in ("rawKeyDown", "keyUp"):
            devtools.send("Input.dispatchKeyEvent", {"type": kind, "code": code, "key": key, "modifiers": modifiers})

    return press


def show_all(page: Page, press: Press) -> None:
    """Show every candidate; the last one stays selected."""
    for slot in range(1, 6):
        press(f"Digit{slot}")
        expect(page.locator(".candidates .option").nth(slot)).to_have_class(re.compile("seen"))

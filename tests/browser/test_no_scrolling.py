"""Nothing scrolls at 1280x720, in no state of the reading room; but a long guide does, in its own frame."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from annotation_server.services.guiding import publish_guide
from db.models import Account, Campaign

pytestmark = pytest.mark.browser

PARTS = "html, body, #reading, #reading > :not(.visually-hidden), .stage, .banner, dialog[open]"
OVERFLOWING = f"""() => [...document.querySelectorAll("{PARTS}")]
  .filter((one) => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight)
  .map((one) => [one.tagName, one.className, one.scrollWidth, one.scrollHeight, one.clientWidth, one.clientHeight])"""


@pytest.fixture
def stands(page_of_browser: Page) -> Callable[[str], None]:
    """`stands("grid")` fails if something of the page has no room; the state is named in the message."""

    def stands(state: str) -> None:
        assert page_of_browser.viewport_size == {"width": 1280, "height": 720}
        assert page_of_browser.evaluate(OVERFLOWING) == [], state

    return stands


def test_reading_in_each_of_its_states(asking_room, stands) -> None:
    room, page = asking_room, asking_room.page
    room.sign_in()
    room.enter()
    with room.record.database.write() as session:
        lines = "\n".join(f"- finding {i}, and what it looks like on a film" for i in range(60))
        campaign, author = session.scalars(select(Campaign)).one(), session.scalars(select(Account)).first()
        publish_guide(session, campaign, f"# Infection\n{lines}", author=author)
    expect(page.locator(".banner")).to_contain_text("Practice")
    stands("practice")
    show_all(page)
    page.keyboard.press("Enter")
    expect(page.locator(".banner")).to_contain_text("Dice")
    stands("feedback")
    page.keyboard.press("Enter")
    expect(page.locator(".count")).to_have_text("2 of 8")
    stands("choice")
    page.keyboard.press("Backspace")
    expect(page.locator(".banner")).to_contain_text("Earlier case")
    stands("an earlier practice case")
    page.keyboard.press("Escape")
    expect(page.locator(".banner")).to_be_hidden()

    page.keyboard.press("KeyV")
    expect(page.get_by_text("All candidates were shown")).to_be_visible()
    stands("grid")
    page.keyboard.press("KeyV")
    dialogs = {"KeyH": "Annotation guide", "KeyF": "Why can this film not be read?", "F1": "Keys and mouse"}
    for key, name in dialogs.items():
        page.keyboard.press(key)
        expect(page.get_by_role("dialog", name=name)).to_be_visible()
        stands(name)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("F1")
    page.get_by_role("button", name="Change keys").click()
    expect(page.get_by_role("dialog", name="Keys", exact=True)).to_be_visible()
    stands("keys")
    page.keyboard.press("Escape")

    page.keyboard.press("Digit2")
    for key, name in {"KeyE": "Touch up 2", "KeyD": "Redraw"}.items():
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        draw(page)
        expect(page.locator(".kept")).to_contain_text("Draft kept")
        stands(name)
        page.keyboard.press("Escape")
        expect(page.locator(".candidates")).to_be_visible()
    page.evaluate("localStorage.setItem('overread.active', '0')")
    expect(page.get_by_role("dialog", name="Locked")).to_be_visible()
    stands("locked")


def test_drawing_in_stage_one(asking_drawing_room, stands) -> None:
    room, page = asking_drawing_room, asking_drawing_room.page
    room.sign_in()
    room.enter()
    stands("a film to draw")
    draw(page)
    expect(page.locator(".kept")).to_contain_text("Draft kept")
    stands("a drawing")


def test_the_end(reading_room, stands) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    for _ in range(7):
        page.keyboard.press("KeyF")
        page.keyboard.press("Digit1")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator(".toast")).to_contain_text("flagged")
        page.evaluate("document.querySelector('.toast').textContent = ''")
    expect(page.get_by_role("heading", name="All cases are read")).to_be_visible()
    stands("all cases are read")


def show_all(page: Page) -> None:
    """Show every candidate; the last one stays selected."""
    for slot in range(5):
        page.keyboard.press(f"Digit{slot + 1}")
        expect(page.locator(".candidates .option").nth(slot + 1)).to_have_class(re.compile("seen"))


def draw(page: Page) -> None:
    """One stroke."""
    page.mouse.move(420, 200)
    page.mouse.down()
    page.mouse.move(610, 360, steps=8)
    page.mouse.up()

"""The reading screen locks when nobody is there: no film is left on it, and everything is there again afterwards."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db.domain.verdict import VerdictKind
from db.models import AuditEntry, Verdict

pytestmark = pytest.mark.browser

PASSWORD = "a quiet dark room"
STROKE = [(420, 200), (470, 330), (610, 360)]


def test_an_idle_screen_locks_here_and_on_the_server_and_goes_on_where_it_was(reading_room, assert_accessible) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    with page.expect_response("**/film") as film:
        room.enter()
    show_all(page)
    page.keyboard.press("KeyD")
    paint(page, STROKE)
    expect(page.locator(".kept")).to_contain_text("Draft kept")

    let_time_pass(page)
    lock = page.get_by_role("dialog", name="Locked")
    expect(lock).to_be_visible()
    expect(page.locator("#reading")).to_be_hidden()
    assert_accessible(page)
    wait_until_signed_out(page, film.value.url)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(lock).to_be_visible()

    locked_ms = 1500
    page.wait_for_timeout(locked_ms)
    unlock(page, "not the password")
    expect(lock).to_contain_text("This is not the password.")
    unlock(page, PASSWORD)
    expect(lock).to_be_hidden()
    expect(page.locator(".count")).to_have_text("1 of 7")
    page.get_by_role("button", name="Undo").click()  # the drawing, and its history too
    expect(page.get_by_role("button", name="Save drawing")).to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name="Redo").click()
    page.keyboard.press("Enter")
    expect(page.locator(".count")).to_have_text("2 of 7")
    with room.record.database.read() as session:
        verdict = session.scalars(select(Verdict)).one()
        actions = [str(entry.action) for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]
    assert verdict.kind is VerdictKind.DENY_ALL
    elapsed_ms = page.evaluate("performance.now()")
    assert verdict.visible_ms < elapsed_ms - locked_ms
    assert actions[-4:] == ["signed_in", "signed_out", "sign_in_failed", "signed_in"]


def test_a_session_that_ended_elsewhere_begins_again_over_the_same_case_and_the_verdict_is_sent(reading_room) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    show_all(page)
    page.context.clear_cookies()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Your session has ended")).to_be_visible()
    unlock(page, PASSWORD)
    expect(page.locator(".count")).to_have_text("2 of 7")
    show_all(page)
    page.keyboard.press("Enter")
    expect(page.locator(".count")).to_have_text("3 of 7")
    with room.record.database.read() as session:
        assert len(session.scalars(select(Verdict)).all()) == 2


def test_two_tabs_lock_and_open_together(reading_room) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    with page.expect_popup() as popup:
        page.evaluate("window.open(location.href)")
    other = popup.value
    expect(other.locator(".panel .primary")).to_be_visible()
    let_time_pass(page)
    for tab in (page, other):
        expect(tab.get_by_role("dialog", name="Locked")).to_be_visible()
    unlock(page, PASSWORD)
    for tab in (page, other):
        expect(tab.get_by_role("dialog")).to_have_count(0)
    for tab in (other, page):
        show_all(tab)
        with tab.expect_response("**/verdict") as answer:
            tab.keyboard.press("KeyN")
        assert answer.value.status == 200
    other.close()


def let_time_pass(page: Page) -> None:
    """Nobody has touched the browser for long."""
    page.evaluate("localStorage.setItem('overread.active', '0')")


def wait_until_signed_out(page: Page, film_url: str) -> None:
    """The server gives the page's browser no film any more."""
    page.wait_for_function("async (url) => (await fetch(url)).status === 401", arg=film_url)


def unlock(page: Page, password: str) -> None:
    """Type the password on the lock screen."""
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def show_all(page: Page) -> None:
    """Show every candidate; the last one stays selected."""
    for slot in range(5):
        page.keyboard.press(f"Digit{slot + 1}")
        expect(page.locator(".candidates .option").nth(slot + 1)).to_have_class(re.compile("seen"))


def paint(page: Page, points: list[tuple[int, int]]) -> None:
    """One stroke through `points` of the screen."""
    expect(page.locator("#brush-size")).to_be_visible()
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()

"""What goes wrong at a reader's browser, or is tried there: a clear message, nothing lost, nothing let in.

Lost networks, stale drafts and reloads are in `test_editor` and `test_reading_session`.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect
from sqlalchemy import delete, select, update

from annotation_server.services.guiding import publish_guide
from annotation_server.services.inviting import Host, set_active
from annotation_server.services.reading import ReadingService
from db.accounts import add_account
from db.domain.provenance import Role
from db.models import Campaign, Comparison, Verdict, now

pytestmark = pytest.mark.browser

PASSWORD = "a quiet dark room"
STROKE = [(420, 200), (470, 330), (610, 360)]
SCRIPT = "\"'><img src=x onerror=alert(1)><script>alert(1)<\\script>"
"""Without a slash, which names may not have."""

DASHBOARD = [
    "/accounts",
    "/log",
    "/withdrawals",
    "/runs",
    "/new-campaign",
    "/campaigns",
    "/campaigns/pilot",
    "/campaigns/pilot/films",
    "/campaigns/pilot/guide",
    "/campaigns/pilot/exports",
    "/campaigns/pilot/report",
    "/campaigns/pilot/II/ensemble",
    "/campaigns/pilot/II/readers",
    "/campaigns/pilot/II/adjudication",
    "/campaigns/pilot/II/preference",
]


@pytest.fixture
def tabs(reading_room) -> Iterator[list[Page]]:
    """Two tabs of one browser, whose reader has signed in."""
    reading_room.sign_in()
    cookies = reading_room.page.context.cookies()
    context = reading_room.page.context.browser.new_context(
        viewport={"width": 1280, "height": 720}, storage_state={"cookies": cookies, "origins": []}
    )
    yield [context.new_page(), context.new_page()]
    context.close()


def test_a_drawing_whose_lease_ran_out_is_refused_calmly_and_stays_on_the_screen(reading_room) -> None:
    room, page = reading_room, reading_room.page
    begin_redraw(room)
    with room.record.database.write() as session:
        session.execute(delete(Comparison).where(Comparison.account_id.is_(None)))
        session.execute(update(Comparison).values(leased_until=now() - timedelta(minutes=1)))
        other, stage_id = add_account(session, "r2", Role.READER).id, 1
    service = ReadingService(room.record)
    while view := service.next_comparison(other, stage_id):
        with room.record.database.read() as session:
            if not session.scalars(select(Comparison).where(Comparison.account_id != other)).all():
                break
        service.postpone(other, view.token)

    page.keyboard.press("Enter")
    expect(page.locator(".banner")).to_contain_text("This comparison is not yours, or not any more.")
    expect(page.locator(".banner")).to_contain_text("go on with the next case")
    expect(page.get_by_role("button", name="Save drawing")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).not_to_have_attribute("aria-disabled", "true")
    assert verdicts_of(room) == []
    page.get_by_role("button", name="Next case").click()
    expect(page.get_by_text("There is nothing to read in this stage now.").first).to_be_visible()


def test_a_reader_who_is_deactivated_while_drawing_is_told_and_the_drawing_stays(reading_room) -> None:
    room, page = reading_room, reading_room.page
    begin_redraw(room)
    activate(room, active=False)
    page.keyboard.press("Enter")
    lock = page.get_by_role("dialog", name="Your session has ended")
    expect(lock).to_contain_text("your case waits, and so does what you drew")
    lock.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(lock.get_by_role("status")).to_have_text("This is not the password.")
    assert verdicts_of(room) == []

    activate(room, active=True)  # the seat is free for others by now
    lock.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".banner")).to_contain_text("This comparison is not yours, or not any more.")
    expect(page.get_by_role("button", name="Save drawing")).to_be_visible()
    assert verdicts_of(room) == []


def test_a_verdict_that_waited_too_long_is_said_to_be_too_late(reading_room) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    show_all(page)
    page.context.set_offline(True)
    page.keyboard.press("KeyN")
    expect(page.locator(".banner")).to_contain_text("Your verdict is kept here")
    activate(room, active=False)  # before the page that is being left could hear that the network is back
    activate(room, active=True)
    page.goto("about:blank")
    page.context.set_offline(False)
    room.sign_in()
    room.enter()
    expect(page.locator(".banner")).to_contain_text("came too late")
    expect(page.locator(".shown")).to_contain_text("Still to show")
    assert verdicts_of(room) == []


def test_two_tabs_show_one_case_and_its_last_verdict_counts(reading_room, tabs) -> None:
    room = reading_room
    for tab in tabs:
        tab.goto(f"{room.url}/read/pilot/II")
        expect(tab.locator(".shown")).to_contain_text("Still to show")
    for tab, digit in zip(tabs, ("Digit2", "Digit4"), strict=True):
        tab.bring_to_front()
        show_all(tab)
        tab.keyboard.press(digit)
        tab.keyboard.press("Enter")
        expect(tab.locator(".count")).to_have_text("2 of 7")
    verdicts = verdicts_of(room)
    assert [(one.slot, one.revision) for one in verdicts] == [(1, 1), (3, 2)]
    assert len({one.comparison_id for one in verdicts}) == 1
    assert room.complaints == []


@pytest.mark.parametrize("pause_ms", [0, 250])
def test_a_double_click_decides_one_case(reading_room, pause_ms) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    show_all(page)
    double_click(page, "Accept 5", pause_ms)
    expect(page.locator(".count")).to_have_text("2 of 7")
    expect(page.locator(".shown")).to_contain_text("Still to show")
    page.wait_for_timeout(300)
    assert len(verdicts_of(room)) == 1


@pytest.mark.parametrize("pause_ms", [0, 250])
def test_a_double_click_decides_one_film_that_is_drawn(drawing_room, pause_ms) -> None:
    room, page = drawing_room, drawing_room.page
    room.sign_in()
    room.enter()
    expect(page.locator(".stage")).to_have_class(re.compile("drawing"))
    double_click(page, "No infection", pause_ms)
    expect(page.locator(".count")).to_have_text("2 of 7")
    page.wait_for_timeout(300)
    assert len(verdicts_of(room)) == 1


def test_a_film_that_cannot_be_painted_is_put_off(reading_room) -> None:
    room, page = reading_room, reading_room.page
    page.route("**/film", lambda route: route.fulfill(body=b"no picture", content_type="image/png"), times=1)
    room.sign_in()
    page.goto(f"{room.url}/read/pilot/II")
    expect(page.locator(".banner")).to_contain_text("This film cannot be shown by this browser.")
    page.get_by_role("button", name="Postpone").click()
    expect(page.locator(".shown")).to_contain_text("Still to show")
    expect(page.locator(".banner")).to_be_hidden()
    with room.record.database.read() as session:
        assert session.scalars(select(Comparison).where(Comparison.postponed_at.is_not(None))).one()


def test_a_reader_gets_none_of_the_dashboard(reading_room, assert_accessible) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    for path in DASHBOARD:
        answer = page.goto(room.url + path)
        assert (path, answer.status) == (path, 403)
        expect(page.get_by_role("link", name="Back to the start")).to_be_visible()
    assert_accessible(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("not")


def test_script_in_every_text_field_stays_text(reading_room) -> None:
    room, page = reading_room, reading_room.page
    dialogs: list[str] = []

    def refuse(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    with room.record.database.write() as session:
        chief = add_account(session, "chief", Role.ADMIN, password=PASSWORD)
        campaign = session.scalars(select(Campaign)).one()
        campaign.name = SCRIPT
        session.flush()
        publish_guide(session, campaign, f"# {SCRIPT}\n- {SCRIPT}", author=chief)
    name = page.evaluate("encodeURIComponent", SCRIPT)
    room.sign_in()
    page.goto(f"{room.url}/read/{name}/II")
    expect(page.locator(".shown")).to_contain_text("Still to show")
    page.keyboard.press("KeyH")
    expect(page.get_by_role("dialog", name="Annotation guide")).to_contain_text(SCRIPT)
    assert_inert(page)
    page.context.clear_cookies()

    page.goto(f"{room.url}/login")
    page.get_by_label("Code").fill(SCRIPT)
    page.get_by_label("Password").fill(SCRIPT)
    page.keyboard.press("Enter")
    assert_inert(page)
    page.get_by_label("Code").fill("chief")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()

    n_filled = 0
    for path in ["/account", *DASHBOARD]:
        address = room.url + path.replace("pilot", name)
        page.goto(address)
        assert_inert(page)
        for i in range(page.locator("main form").count()):
            n_fields = page.evaluate(FILL, [i, SCRIPT])
            if not n_fields:
                continue
            n_filled += n_fields
            with page.expect_navigation():
                page.evaluate(
                    "(i) => HTMLFormElement.prototype.submit.call(document.querySelectorAll('main form')[i])", i
                )
            assert_inert(page)
            page.goto(address)
    assert n_filled > 20
    page.remove_listener("dialog", refuse)
    assert dialogs == []
    assert [one for one in room.complaints if "Content Security" in one] == []


FILL = """([i, text]) => {
  const form = document.querySelectorAll("main form")[i];
  const others = "[type=hidden], [type=checkbox], [type=file], [readonly]";
  const fields = [...form.querySelectorAll(`textarea, input:not(${others})`)];
  if (fields.length === 0) return 0;
  for (const field of fields) {
    field.type = field.type === "number" ? "text" : field.type;
    field.value = text;
  }
  return fields.length;
}"""
"""Fills a form of the page, whatever its fields would rather have; how many fields it has."""


def assert_inert(page: Page) -> None:
    """What a stranger wrote made no element."""
    assert page.locator("img, script:not([src])").count() == 0, page.url


def begin_redraw(room: Any) -> None:
    """A redraw of the first case, with one stroke."""
    page = room.page
    room.sign_in()
    room.enter()
    page.keyboard.press("KeyV")
    expect(page.locator(".shown")).to_have_text("All candidates were shown")
    page.keyboard.press("KeyD")
    expect(page.locator("#brush-size")).to_be_visible()
    page.mouse.move(*STROKE[0])
    page.mouse.down()
    for point in STROKE[1:]:
        page.mouse.move(*point)
    page.mouse.up()
    expect(page.locator(".kept")).to_have_text(re.compile(r"^Draft kept \d"))


def activate(room: Any, *, active: bool) -> None:
    """What a coordinator does on the page of accounts."""
    with room.record.database.write() as session:
        set_active(session, Host("chief", Role.ADMIN), "r1", active=active)


def double_click(page: Page, name: str, pause_ms: int) -> None:
    """Two clicks on a button of the panel, as one double click of the mouse."""
    box = page.get_by_role("button", name=name).bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for count in (1, 2):
        page.mouse.down(click_count=count)
        page.mouse.up(click_count=count)
        page.wait_for_timeout(pause_ms)


def show_all(page: Page) -> None:
    """Show every candidate; the last one stays selected."""
    for slot in range(5):
        page.keyboard.press(f"Digit{slot + 1}")
        expect(page.locator(".candidates .option").nth(slot + 1)).to_have_class(re.compile("seen"))


def verdicts_of(room: Any) -> list[Verdict]:
    """All verdicts, oldest first."""
    with room.record.database.read() as session:
        return list(session.scalars(select(Verdict).order_by(Verdict.id)))

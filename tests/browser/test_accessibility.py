"""Every page against WCAG 2.1 AA, for somebody who may open it, and no page asks anybody but the server."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, expect
from sqlalchemy import select

from annotation_server.services.guiding import publish_guide
from db.accounts import add_account, find_account
from db.domain.campaign import RoundState, StageState
from db.domain.provenance import Role
from db.invitations import invite
from db.models import Account, Campaign, Stage, now

pytestmark = pytest.mark.browser

PASSWORD = "a quiet dark room"
COORDINATOR = "c1"
EVERYBODYS = ["/", "/account", "/nowhere"]
COORDINATORS = [
    *EVERYBODYS,
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


@pytest.fixture(autouse=True)
def _only_the_server(page_of_browser: Page) -> Iterator[None]:
    """Fails a test whose pages ask another host than the server: nothing is loaded from elsewhere."""
    asked: set[str] = set()

    def note(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob", "about"}:
            asked.add(address.hostname or request.url)

    page_of_browser.on("request", note)
    yield
    page_of_browser.remove_listener("request", note)
    assert asked == {"127.0.0.1"}


def test_the_pages_before_one_is_signed_in(reading_room, assert_accessible) -> None:
    page = reading_room.page
    with reading_room.record.database.write() as session:
        token = invite(session, find_account(session, "r1"))
    for path in ("/login", f"/invitation/{token}", "/invitation/spoilt"):
        page.goto(reading_room.url + path)
        assert_accessible(page)


def test_a_field_without_a_label_is_found(reading_room, assert_accessible) -> None:
    page = reading_room.page
    page.goto(f"{reading_room.url}/login")
    page.evaluate("document.querySelector('main form').append(document.createElement('textarea'))")
    with pytest.raises(AssertionError, match="label"):
        assert_accessible(page)


def test_the_pages_of_a_reader(reading_room, assert_accessible) -> None:
    reading_room.sign_in()
    for path in EVERYBODYS:
        reading_room.page.goto(reading_room.url + path)
        assert_accessible(reading_room.page)


def test_the_pages_of_a_coordinator(reading_room, assert_accessible) -> None:
    page = reading_room.page
    with reading_room.record.database.write() as session:
        add_account(session, COORDINATOR, Role.COORDINATOR, password=PASSWORD)
        stage = session.query(Stage).one()
        stage.state, stage.unblinded_at = StageState.UNBLINDED, now()
        stage.rounds[0].state = RoundState.DONE
    page.goto(f"{reading_room.url}/login")
    page.get_by_label("Code").fill(COORDINATOR)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: not url.endswith("/login"))
    for path in COORDINATORS:
        page.goto(reading_room.url + path)
        expect(page.locator("h1")).to_be_visible()
        assert_accessible(page)


def test_the_reading_screen_in_each_of_its_views(reading_room, assert_accessible) -> None:
    page = reading_room.page
    reading_room.sign_in()
    reading_room.enter()
    assert_accessible(page)
    page.keyboard.press("KeyV")
    expect(page.get_by_text("All candidates were shown")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("KeyV")
    for key in ("KeyF", "F1"):
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_visible()
        assert_accessible(page)
        page.keyboard.press("Escape")
    page.keyboard.press("KeyD")
    expect(page.get_by_role("button", name="Save drawing")).to_be_visible()
    assert_accessible(page)


def test_the_guide_and_what_goes_wrong_on_the_reading_screen(reading_room, assert_accessible) -> None:
    room, page = reading_room, reading_room.page
    with room.record.database.write() as session:
        author = session.scalars(select(Account)).first()
        publish_guide(session, session.scalars(select(Campaign)).one(), "# Infection\n- ground glass", author=author)
    room.sign_in()
    room.enter()
    page.keyboard.press("KeyH")
    expect(page.get_by_role("dialog", name="Annotation guide")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("Escape")

    page.keyboard.press("KeyV")
    expect(page.locator(".shown")).to_have_text("All candidates were shown")
    page.context.set_offline(True)
    page.keyboard.press("KeyN")
    expect(page.locator(".banner")).to_contain_text("Your verdict is kept here")
    assert_accessible(page)
    page.context.set_offline(False)
    expect(page.locator(".count")).to_have_text("2 of 7")

    expect(page.locator(".shown")).to_have_text("All candidates were shown")  # in the grid
    page.keyboard.press("KeyD")
    expect(page.locator("#brush-size")).to_be_visible()
    page.mouse.move(420, 200)
    page.mouse.down()
    page.mouse.move(470, 330)
    page.mouse.up()
    expect(page.locator(".kept")).to_contain_text("Draft kept")
    page.reload()
    expect(page.get_by_role("button", name="Restore it")).to_be_visible()
    assert_accessible(page)
    with room.record.database.write() as session:
        find_account(session, "r1").active = False
    page.keyboard.press("KeyP")
    expect(page.get_by_role("dialog", name="Your session has ended")).to_be_visible()
    assert_accessible(page)


def test_the_drawing_screen(drawing_room, assert_accessible) -> None:
    drawing_room.sign_in()
    drawing_room.enter()
    assert_accessible(drawing_room.page)

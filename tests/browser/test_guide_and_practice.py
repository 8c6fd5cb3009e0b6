"""What comes before and beside the choice: the guide, practice with feedback, how sure a reader is."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db.domain.study import SeatKind
from db.models import Account, Campaign, Candidate, Comparison, Verdict
from db.repository.checks import is_right

pytestmark = pytest.mark.browser


def show_all(page: Page) -> None:
    """Show every candidate; the last one stays selected."""
    for slot in range(5):
        page.keyboard.press(f"Digit{slot + 1}")
        expect(page.locator(".candidates .option").nth(slot + 1)).to_have_class(re.compile("seen"))


def right_slot_of(room) -> int:
    """Where the right mask stands in the practice case."""
    with room.record.database.read() as session:
        seat = session.scalars(select(Comparison).where(Comparison.kind == SeatKind.PRACTICE)).one()
        of_case = select(Candidate).where(Candidate.case_id == seat.case_id)
        masks = {candidate.position: candidate.mask for candidate in session.scalars(of_case)}
        return next(slot for slot, position in enumerate(seat.order) if is_right(masks[position]))


def test_practice_comes_first_and_teaches_and_the_reader_says_how_sure(asking_room, assert_accessible) -> None:
    room, page = asking_room, asking_room.page
    room.sign_in()
    room.enter()
    expect(page.locator(".banner")).to_contain_text("Practice")
    show_all(page)
    page.keyboard.press("Alt+Digit4")
    expect(page.get_by_role("radio", name="4 of 5")).to_be_checked()
    assert page.evaluate(
        "(({ scrollHeight, clientHeight }) => scrollHeight <= clientHeight)(document.querySelector('.panel'))"
    )
    page.keyboard.press("Enter")
    right = right_slot_of(room)
    told = "Right. Dice" if right == 4 else f"Candidate {right + 1} was right. Dice"
    expect(page.locator(".banner")).to_contain_text(told)
    expect(page.locator(".large .caption")).to_have_text(f"{right + 1}")
    assert_accessible(page)
    page.keyboard.press("Space")  # hides the overlays while held, and presses no button
    page.keyboard.press("Digit2")  # the others can still be looked at
    expect(page.locator(".large .caption")).to_have_text("2")
    page.keyboard.press("KeyD")
    expect(page.locator(".banner")).to_contain_text(told)
    with room.record.database.read() as session:
        seat = session.scalars(select(Comparison).where(Comparison.kind == SeatKind.PRACTICE)).one()
        assert [verdict.confidence for verdict in seat.verdicts] == [4]
    page.get_by_role("button", name="Next case").first.click()  # the main button says what it does
    expect(page.locator(".banner")).to_be_hidden()
    expect(page.locator(".shown")).to_contain_text("Still to show: 1")
    page.keyboard.press("Backspace")
    expect(page.locator(".banner")).to_contain_text("5 accepted")
    expect(page.locator(".banner")).to_contain_text(told)
    page.get_by_role("button", name="Return to the current case").click()
    expect(page.locator(".banner")).to_be_hidden()
    show_all(page)
    page.keyboard.press("KeyD")
    expect(page.get_by_role("button", name="Save drawing")).to_be_visible()
    page.keyboard.press("Alt+Digit2")
    expect(page.get_by_role("radio", name="2 of 5")).to_be_checked()
    page.get_by_role("radio", name="3 of 5").check(force=True)
    page.mouse.move(420, 200)
    page.mouse.down()
    page.mouse.move(520, 300, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Save drawing").click()
    expect(page.locator(".shown")).to_contain_text("Still to show: 1")
    with room.record.database.read() as session:
        verdicts = session.scalars(select(Verdict).order_by(Verdict.id)).all()
        kinds = [(verdict.comparison.kind, verdict.confidence) for verdict in verdicts]
    assert kinds == [(SeatKind.PRACTICE, 4), (SeatKind.READING, 3)]
    assert not room.complaints


def test_the_guide_is_one_key_away_and_its_text_is_text(asking_room) -> None:
    from annotation_server.services.guiding import publish_guide

    room, page = asking_room, asking_room.page
    room.sign_in()
    room.enter()
    page.keyboard.press("KeyH")
    expect(page.locator(".toast")).to_contain_text("no annotation guide")
    with room.record.database.write() as session:
        author = session.scalars(select(Account)).first()
        campaign = session.scalars(select(Campaign)).one()
        publish_guide(session, campaign, "# Infection\n- ground glass\n<img src=x onerror=alert(1)>", author=author)
    page.keyboard.press("KeyH")
    dialog = page.get_by_role("dialog", name="Annotation guide")
    expect(dialog.get_by_role("heading", name="Infection")).to_be_visible()
    expect(dialog).to_contain_text("<img src=x")
    assert dialog.locator("img").count() == 0
    page.keyboard.press("KeyH")
    page.wait_for_timeout(300)  # it does not come back
    expect(dialog).to_have_count(0)
    assert not room.complaints

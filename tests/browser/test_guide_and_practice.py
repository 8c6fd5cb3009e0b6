"""What comes before and beside the choice: the guide, practice with feedback, how sure a reader is."""

import json
import re
import shutil
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db.domain.study import SeatKind
from db.models import Account, Campaign, Candidate, CaseRow, Comparison, PhantomTruth, Round, Verdict
from db.record import Record
from db.repository.checks import is_right, make_flawed, offer_flawed
from db.settings import Settings

pytestmark = pytest.mark.browser


@pytest.fixture
def asking_room(page_of_browser, filled_home, tmp_path, serving) -> Any:
    """The reading room of a stage with one practice case for each reader, which asks how sure they are."""
    home = shutil.copytree(filled_home, tmp_path / "asking")
    record = Record.open(Settings(home=home))
    with record.database.write() as session:
        campaign = session.scalars(select(Campaign)).one()
        definition = json.loads(campaign.definition_json)
        definition["stages"][0]["study"] |= {"n_practice_cases": 1, "with_confidence": True}
        campaign.definition_json = json.dumps(definition, sort_keys=True, separators=(",", ":"))
        for case in session.scalars(select(CaseRow)):
            mask = np.zeros((case.height_px, case.width_px), np.bool_)
            mask[150:330, 100:220] = mask[180:300, 330:450] = True
            digest = record.store.put_mask(mask)
            session.add(PhantomTruth(case_id=case.id, infection_digest=digest, lung_digest=digest))
    rng = np.random.default_rng(0)
    sets = make_flawed(record, 1, rng)
    with record.database.write() as session:
        offer_flawed(session, session.get_one(Round, 1), sets, rng)
    record.database.dispose()
    with serving(home, page_of_browser) as room:
        yield room


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
    page.keyboard.press("Enter")
    expect(page.locator(".banner")).to_be_hidden()
    expect(page.locator(".shown")).to_contain_text("Still to show: 1")
    show_all(page)
    page.keyboard.press("Enter")
    expect(page.locator(".shown")).to_contain_text("Still to show: 1")
    with room.record.database.read() as session:
        kinds = [verdict.comparison.kind for verdict in session.scalars(select(Verdict).order_by(Verdict.id))]
    assert kinds == [SeatKind.PRACTICE, SeatKind.READING]
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

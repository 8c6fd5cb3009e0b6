"""The patient's other films, one key away where the stage shows them."""

import json
import re
import shutil
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from db.models import Campaign, CaseRow, Verdict
from db.record import Record
from db.settings import Settings

pytestmark = pytest.mark.browser


@pytest.fixture
def serial_room(page_of_browser, filled_home, tmp_path, serving) -> Any:
    """A stage that shows other films with dates, all of one patient, each two weeks after the last."""
    home = shutil.copytree(filled_home, tmp_path / "serial")
    record = Record.open(Settings(home=home))
    with record.database.write() as session:
        campaign = session.scalars(select(Campaign)).one()
        definition = json.loads(campaign.definition_json)
        definition["stages"][0]["study"] |= {"serial_films": "with_dates"}
        campaign.definition_json = json.dumps(definition, sort_keys=True, separators=(",", ":"))
        for i, case in enumerate(session.scalars(select(CaseRow).order_by(CaseRow.id))):
            film = record.store.get_film(case.film_digest)
            case.film_digest = record.store.put_film(np.roll(film, 12 * i, axis=1))
            case.patient, case.taken_on = "p0", date(2021, 3, 1) + timedelta(days=14 * i)
    record.database.dispose()
    with serving(home, page_of_browser) as room:
        yield room


def test_other_films_stand_beside_this_one_by_days_and_the_verdict_says_that_they_were_seen(
    serial_room, assert_accessible
) -> None:
    room, page = serial_room, serial_room.page
    room.sign_in()
    room.enter()
    expect(page.get_by_role("button", name="6 other films")).to_be_visible()
    page.keyboard.press("KeyS")
    dialog = page.get_by_role("dialog", name="Films of this patient")
    expect(dialog.get_by_role("radio")).to_have_count(6)
    own, other = dialog.locator("figure").nth(0), dialog.locator("figure").nth(1)
    expect(own.locator("figcaption")).to_have_text("This film")
    expect(other.locator("figcaption")).to_have_text(re.compile(r"^14 days (before|after)$"))
    for figure in (own, other):
        expect(figure.locator("img")).to_have_js_property("naturalWidth", 560)
    first = other.locator("img").get_attribute("src")
    assert_accessible(page)
    page.keyboard.press("ArrowRight")
    expect(other.locator("figcaption")).to_have_text(re.compile(r"^\d+ days (before|after)$"))
    expect(other.locator("img")).not_to_have_attribute("src", first)
    page.keyboard.press("KeyS")
    expect(dialog).to_have_count(0)
    for _ in range(2):
        for slot in range(5):
            page.keyboard.press(f"Digit{slot + 1}")
            expect(page.locator(".candidates .option").nth(slot + 1)).to_have_class(re.compile("seen"))
        page.keyboard.press("Enter")
        expect(page.locator(".shown")).to_contain_text("Still to show: 1")
    with room.record.database.read() as session:
        seen = [verdict.saw_serial_films for verdict in session.scalars(select(Verdict).order_by(Verdict.id))]
    assert seen == [True, False]
    assert not room.complaints

"""Every chart has its table, and what tells networks apart waits for the unblinding."""

import re

import pytest
from sqlalchemy import select

from db.domain.campaign import StageState
from db.models import Account, Candidate, Comparison, Stage, Verdict, now

READERS = "/campaigns/pilot/I/readers"
PREFERENCE = "/campaigns/pilot/I/preference"


@pytest.fixture
def coordinator(site):
    return site.visit("coordinator")


def decide_all(record):
    with record.database.write() as session:
        reader = session.scalars(select(Account).where(Account.code == "reader")).one()
        for seat in session.scalars(select(Comparison)).all():
            seat.account_id, seat.token, seat.order, seat.decided_at = reader.id, f"t{seat.id}", [0, 1, 2, 3], now()
            mask = session.scalars(
                select(Candidate).where(Candidate.case_id == seat.case_id, Candidate.position == 0)
            ).one()
            given = {"idempotency_key": "k", "protocol_digest": "p", "visible_ms": 7000, "mask_id": mask.mask_id}
            seat.verdicts.append(Verdict(revision=1, account_id=reader.id, kind="pick", slot=0, **given))


def set_state(record, state):
    with record.database.write() as session:
        session.scalars(select(Stage)).one().state = state


def test_before_any_verdict_there_is_no_chart(coordinator):
    assert "<svg" not in coordinator.get(READERS).text


def test_progress_and_pace_are_drawn_and_stand_in_tables(site, coordinator):
    decide_all(site.record)
    page = coordinator.get(READERS).text
    assert page.count("<svg") == 3
    assert re.search(r"<desc[^>]*>[^<]*reader: 6[^<]*</desc>", page)
    assert "Seats decided on each day" in page
    assert "7.0 s" in page


def test_denials_and_agreement_wait_for_the_lock(site, coordinator):
    decide_all(site.record)
    assert "all denied, reader" not in coordinator.get(READERS).text
    set_state(site.record, StageState.LOCKED)
    page = coordinator.get(READERS).text
    assert "all denied, reader" in page
    assert not re.search("unet|drawing", page.partition("<main")[2])
    assert coordinator.get(PREFERENCE).status_code == 409


def test_every_figure_of_a_chart_is_in_its_table(site, coordinator):
    decide_all(site.record)
    set_state(site.record, StageState.UNBLINDED)
    page = coordinator.get(PREFERENCE).text
    charted = re.findall(r'<text class="name"[^>]*>([^<]+)</text>', page)
    assert "machine picked over drawing" in charted
    for name in charted:
        assert re.search(rf"<th scope=\"row\"[^>]*>{re.escape(name)}", page), name

"""Late films join an open stage by an amendment."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from annotation_server.services.amending import Amendment, admit_late
from annotation_server.services.coordinating import lock_stage, stage_status
from annotation_server.services.readiness import stage_checks
from db import jobs
from db.domain.campaign import Arm
from db.domain.errors import InputError, StateError
from db.models import AuditEntry, CampaignCase, CaseRow, Comparison, Job, now
from db.repository.late import LATE

BECAUSE = Amendment("pilot/I", "c1", "they came late")


def ingest(campaign, *numbers, drawn=False):
    """Infected films, after the stage opened."""
    with campaign.record.database.write() as session:
        stage = campaign.stage(session, "I")
        stage.opened_at = stage.opened_at or now() - timedelta(minutes=1)
        for case in session.scalars(select(CaseRow).where(CaseRow.created_at > stage.opened_at)):
            case.created_at = stage.opened_at - timedelta(minutes=1)
        for i in numbers:
            row = campaign.case(i)
            row.case_class = "infection"
            session.add(row)
            session.flush()
            if drawn:
                session.add(campaign.drawing(row, stage.campaign_id, 1))


def admit(campaign, amendment=BECAUSE):
    with campaign.record.database.write() as session:
        return admit_late(session, amendment)


def stage_films(campaign):
    with campaign.record.database.read() as session:
        stage = campaign.stage(session, "I")
        query = select(CaseRow.key).join(CampaignCase).where(CampaignCase.stage_id == stage.id)
        return set(session.scalars(query))


def unmet(campaign):
    with campaign.record.database.read() as session:
        stage = campaign.stage(session, "I")
        return [check.text for check in stage_checks(session, stage, stage_status(session, stage)) if not check.is_met]


def test_while_a_stage_is_drawn_late_films_get_seats_and_older_ones_stay_out(campaign):
    campaign.open("I")
    before = stage_films(campaign)
    ingest(campaign, 50, 52)
    done = admit(campaign)
    assert (done.n_films, done.n_to_draw, done.job_id) == (2, 2, None)
    assert stage_films(campaign) - before == {"c50", "c52"}
    with campaign.record.database.read() as session:
        seats = session.execute(select(CaseRow.key, Comparison.kind).join(CaseRow)).all()
        assert sorted(seats) == [("c50", "drawing"), ("c52", "drawing")]
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "stage_amended")).one()
        assert entry.detail == {"reason": "they came late", "late_films": 2, "job": None}


def test_while_it_is_read_a_job_asks_its_networks_and_the_stage_is_not_locked_meanwhile(campaign):
    jobs.prepare(campaign.record.database)
    campaign.open("I").train("I").read("I")
    ingest(campaign, 50, drawn=True)
    done = admit(campaign)
    with campaign.record.database.read() as session:
        assert session.get_one(Job, done.job_id).arguments == {LATE: ["c50"]}
    with pytest.raises(StateError, match="being trained"):
        lock_stage(campaign.record, "pilot/I")
    jobs.cancel(campaign.record.database, done.job_id)
    assert "1 films have no candidates yet; admit late films again" in unmet(campaign)
    assert admit(campaign).job_id not in {None, done.job_id}, "what the cancelled job left undone is done again"


def test_a_film_without_a_drawing_cannot_join_a_stage_with_drawings_that_is_read(campaign):
    campaign.open("I").train("I")
    ingest(campaign, 50)
    with pytest.raises(StateError, match="No film came"):
        admit(campaign)


def test_a_late_film_of_a_sentinels_patient_is_set_aside(campaign):
    campaign.open("I")
    ingest(campaign, 50, 52)
    with campaign.record.database.write() as session:
        sentinel = session.scalars(select(CampaignCase).where(CampaignCase.stage_id.is_not(None))).first()
        sentinel.arm = Arm.SENTINEL
        late = session.scalars(select(CaseRow).where(CaseRow.key == "c50")).one()
        late.patient, late.component = sentinel.case.patient, sentinel.case.component
    assert admit(campaign).n_films == 1
    with campaign.record.database.read() as session:
        member = session.scalars(select(CampaignCase).join(CaseRow).where(CaseRow.key == "c50")).one()
        assert (member.arm, member.reason) == (Arm.SET_ASIDE, "shares a patient with a sentinel")


def test_without_late_films_or_a_reason_nothing_happens(campaign):
    campaign.open("I")
    ingest(campaign)
    with pytest.raises(StateError, match="No film came"):
        admit(campaign)
    with pytest.raises(InputError, match="needs a reason"):
        admit(campaign, Amendment("pilot/I", "c1"))
    with pytest.raises(StateError, match="neither drawn nor read"):
        admit(campaign, Amendment("pilot/II", "c1", "why not"))

"""The steps of a stage."""

import pytest
from sqlalchemy import select

from annotation_server.services.coordinating import (
    close_stage,
    create_campaign,
    lock_stage,
    open_stage,
    request_training,
    stage_status,
    unblind_stage,
)
from db import audit, jobs
from db.domain.campaign import RoundState, StageState
from db.domain.errors import InputError, NotFoundError, StateError
from db.domain.provenance import JobState
from db.domain.verdict import VerdictKind
from db.models import AuditEntry, CaseRow, Comparison, FinalMask, Job
from db.repository.cases import find_stage


@pytest.fixture
def ready(campaign):
    """A campaign whose database can take jobs."""
    jobs.prepare(campaign.record.database)
    return campaign


def do(campaign, verb, address, **options):
    with campaign.record.database.write() as session:
        return verb(session, address, **options)


def status(campaign, address):
    with campaign.record.database.read() as session:
        return stage_status(session, find_stage(session, address))


def end_job(campaign, state):
    with campaign.record.database.write() as session:
        session.scalars(select(Job)).one().state = state


def test_a_new_campaign_has_its_stages_in_draft(campaign):
    assert status(campaign, "pilot/I").state is StageState.DRAFT
    assert status(campaign, "pilot/I").next_verb == "open"


@pytest.mark.parametrize("name", ["pilot", "", "a/b"])
def test_a_campaign_needs_a_name_of_its_own(campaign, name):
    with campaign.record.database.write() as session, pytest.raises(InputError):
        create_campaign(session, name, find_stage(session, "pilot/I").campaign.definition)


def test_what_does_not_exist_is_not_found_and_the_hint_lists_what_does(campaign):
    with campaign.record.database.read() as session:
        with pytest.raises(NotFoundError) as caught:
            find_stage(session, "polit/I")
        assert "pilot" in caught.value.hint
        with pytest.raises(NotFoundError) as caught:
            find_stage(session, "pilot/IV")
        assert "pilot/I, pilot/II" in caught.value.hint


def test_opening_twice_is_refused_and_changes_nothing(campaign):
    do(campaign, open_stage, "pilot/I")
    with pytest.raises(StateError, match="is open"):
        do(campaign, open_stage, "pilot/I")
    assert status(campaign, "pilot/I").round_number == 1


def test_stage_two_waits_until_stage_one_is_closed(campaign):
    do(campaign, open_stage, "pilot/I")
    with pytest.raises(StateError, match="cannot open while pilot/I is open"):
        do(campaign, open_stage, "pilot/II")


def test_training_is_enqueued_once(ready):
    do(ready, open_stage, "pilot/I")
    job_id = request_training(ready.record, "pilot/I")
    assert status(ready, "pilot/I").round_state is RoundState.TRAINING
    with pytest.raises(StateError, match=f"being trained already \\(job {job_id}, queued\\)"):
        request_training(ready.record, "pilot/I")
    with ready.record.database.read() as session:
        assert len(session.scalars(select(Job)).all()) == 1


def test_training_that_failed_can_be_asked_for_again(ready):
    do(ready, open_stage, "pilot/I")
    first = request_training(ready.record, "pilot/I")
    end_job(ready, JobState.FAILED)
    assert request_training(ready.record, "pilot/I") > first
    assert status(ready, "pilot/I").round_number == 1


def test_only_an_open_stage_is_trained(campaign):
    with pytest.raises(StateError, match="is draft") as caught:
        request_training(campaign.record, "pilot/I")
    assert "overread stage open pilot/I" in caught.value.hint


def test_training_after_reading_settles_the_round_and_begins_another(ready):
    ready.open("I").train("I").read("I")
    request_training(ready.record, "pilot/I")
    found = status(ready, "pilot/I")
    assert (found.round_number, found.round_state) == (2, RoundState.TRAINING)
    with ready.record.database.read() as session:
        assert len(session.scalars(select(FinalMask)).all()) == 11


def test_training_again_with_open_comparisons_is_refused(ready):
    ready.open("I").train("I").read("I", all_but=2)
    with pytest.raises(StateError, match="cannot be trained again: 2 comparisons are open"):
        request_training(ready.record, "pilot/I")


def test_locking_makes_the_final_masks_and_can_be_repeated(campaign):
    campaign.open("I").train("I").read("I")
    assert lock_stage(campaign.record, "pilot/I") == 11
    assert lock_stage(campaign.record, "pilot/I") == 0
    assert status(campaign, "pilot/I").state is StageState.LOCKED


def test_locking_with_open_comparisons_names_them(campaign):
    campaign.open("I").train("I").read("I", all_but=2)
    with pytest.raises(StateError, match="2 comparisons are open") as caught:
        lock_stage(campaign.record, "pilot/I")
    with campaign.record.database.read() as session:
        query = select(CaseRow.key).join(Comparison).where(Comparison.decided_at.is_(None))
        assert all(key in caught.value.message for key in session.scalars(query))
    assert status(campaign, "pilot/I").state is StageState.OPEN


def test_locking_can_leave_open_comparisons_behind(campaign):
    campaign.open("I").train("I").read("I", all_but=2)
    assert lock_stage(campaign.record, "pilot/I", leave_open=True) == 9


def test_a_stage_that_was_not_read_cannot_be_locked(campaign):
    campaign.open("I")
    with pytest.raises(StateError, match="in its drawing round"):
        lock_stage(campaign.record, "pilot/I")


def test_closing_with_open_comparisons_names_them_whatever_the_state(campaign):
    campaign.open("I").train("I").read("I", all_but=1)
    with pytest.raises(StateError, match="cannot be closed: 1 comparisons are open"):
        do(campaign, close_stage, "pilot/I")


def test_the_steps_lead_to_a_closed_stage(campaign):
    campaign.open("I").train("I").read("I")
    lock_stage(campaign.record, "pilot/I")
    with pytest.raises(StateError, match="is locked"):
        do(campaign, close_stage, "pilot/I")
    unblind_stage(campaign.record, "pilot/I")
    do(campaign, close_stage, "pilot/I")
    assert status(campaign, "pilot/I").state is StageState.CLOSED
    assert do(campaign, open_stage, "pilot/II").state is StageState.OPEN


def test_readers_who_differ_keep_the_stage_open_so_that_one_can_revise(campaign):
    campaign.open("I").train("I").read("I")
    with campaign.record.database.write() as session:
        first, other = session.scalars(select(Comparison).order_by(Comparison.id).limit(2)).all()
        second = Comparison(round_id=1, case_id=first.case_id, seat=1)
        session.add(second)
        campaign.decide(session, second, VerdictKind.PICK, other.verdicts[0].mask_id)
    with pytest.raises(StateError, match="differ"):
        lock_stage(campaign.record, "pilot/I")
    assert status(campaign, "pilot/I").round_state is RoundState.READING


def test_each_step_stands_in_the_log_by_who_took_it(campaign):
    campaign.open("I").train("I").read("I")
    record = campaign.record
    lock_stage(record, "pilot/I", actor="c1")
    unblind_stage(record, "pilot/I", actor="c2")
    with record.database.write() as session:
        close_stage(session, "pilot/I", actor="c3")
    with record.database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        assert audit.verify(session) is None
    assert [(entry.actor, entry.action, entry.subject) for entry in entries] == [
        ("c1", "stage_locked", "pilot/I"),
        ("c2", "stage_unblinded", "pilot/I"),
        ("c3", "stage_closed", "pilot/I"),
    ]

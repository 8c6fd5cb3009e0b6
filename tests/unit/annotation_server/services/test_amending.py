"""What may change about an open stage, and what the log says of it."""

import pytest
from sqlalchemy import func, select

from annotation_server.services.amending import Amendment, assign, decide_verdicts, let_go, raise_overlap
from db.domain.campaign import RoundState, StageState
from db.domain.errors import InputError, NotFoundError, StateError
from db.models import AuditEntry, Comparison, Stage, StageReader

BECAUSE = Amendment("pilot/I", "c1", "a colleague is ill")


@pytest.fixture
def record(build_room):
    return build_room(n_cases=3, readers=["r1", "r2"])


def entries(record):
    with record.database.read() as session:
        query = select(AuditEntry).where(AuditEntry.subject.startswith("pilot/")).order_by(AuditEntry.id)
        found = session.scalars(query).all()
        return [(entry.actor, entry.action, entry.subject, entry.detail) for entry in found]


def test_every_amendment_stands_in_the_log_with_its_reason(record):
    with record.database.write() as session:
        assign(session, BECAUSE, "r1", quota=2)
    with record.database.write() as session:
        let_go(session, BECAUSE, "r1", counts=True)
    with record.database.write() as session:
        decide_verdicts(session, BECAUSE, "r1", counts=False)
    with record.database.write() as session:
        assert raise_overlap(session, BECAUSE) == 3
    reason = {"reason": "a colleague is ill"}
    assert entries(record) == [
        ("c1", "reader_assigned", "pilot/I", reason | {"reader": "r1", "quota": 2}),
        ("c1", "reader_left", "pilot/I", reason | {"reader": "r1", "counts": True}),
        ("c1", "stage_amended", "pilot/I", reason | {"reader": "r1", "counts": False}),
        ("c1", "stage_amended", "pilot/I", reason | {"seats_added": 3}),
    ]
    with record.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Comparison)) == 6


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_an_open_stage_is_not_amended_without_a_good_reason(record, reason):
    with pytest.raises(InputError, match="reason"), record.database.write() as session:
        assign(session, Amendment("pilot/I", "c1", reason), "r1", quota=None)
    assert entries(record) == []


def test_a_draft_needs_no_reason(record):
    with record.database.write() as session:
        session.get_one(Stage, 1).state = StageState.DRAFT
        assign(session, Amendment("pilot/I", "c1"), "r1", quota=None)
        assert session.get(StageReader, (1, 1)) is not None


def test_a_locked_stage_is_not_amended(record):
    with record.database.write() as session:
        session.get_one(Stage, 1).state = StageState.LOCKED
    with pytest.raises(StateError, match="does not change any more"), record.database.write() as session:
        let_go(session, BECAUSE, "r1", counts=False)


def test_overlap_rises_only_while_the_stage_is_read(record):
    with record.database.write() as session:
        session.get_one(Stage, 1).rounds[0].state = RoundState.TRAINING
    with pytest.raises(StateError, match="not being read"), record.database.write() as session:
        raise_overlap(session, BECAUSE)


def test_nobody_unknown_is_assigned(record):
    with pytest.raises(NotFoundError, match="nobody"), record.database.write() as session:
        assign(session, BECAUSE, "nobody", quota=None)
    with pytest.raises(NotFoundError, match="pilot/X"), record.database.write() as session:
        assign(session, Amendment("pilot/X", "c1", "why not"), "r1", quota=None)

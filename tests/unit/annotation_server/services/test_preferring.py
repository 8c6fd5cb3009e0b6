import pytest
from sqlalchemy import select

from annotation_server.services.preferring import stage_preference
from annotation_server.services.reading import ReadingService
from db.domain.campaign import StageState
from db.domain.errors import StateError
from db.domain.provenance import MaskOrigin
from db.domain.verdict import Decision, VerdictKind
from db.models import Account, Candidate, Comparison, Stage


@pytest.fixture
def record(build_room):
    return build_room(n_cases=6)


@pytest.fixture
def measure(record):
    def measure(state=StageState.UNBLINDED):
        with record.database.write() as session:
            stage = session.scalars(select(Stage)).one()
            stage.state = state
            return stage_preference(session, record.store, stage)

    return measure


def pick_drawings(record, n_drawings):
    """Reader r1 picks the drawing in the first `n_drawings` comparisons and a network's mask in the others."""
    room = ReadingService(record)
    with record.database.read() as session:
        reader, stage = session.scalars(select(Account.id)).one(), session.scalars(select(Stage.id)).one()
    for number in range(6):
        view = room.next_comparison(reader, stage)
        assert view is not None
        token = view.token
        with record.database.read() as session:
            seat = session.scalars(select(Comparison).where(Comparison.token == token)).one()
            masks = session.scalars(select(Candidate).where(Candidate.case_id == seat.case_id))
            drawn = {one.position for one in masks if one.mask.origin is MaskOrigin.DRAWING}
            slot = next(i for i, position in enumerate(seat.order) if (position in drawn) == (number < n_drawings))
        room.decide(reader, token, Decision(VerdictKind.PICK, slot=slot), idempotency_key="k", drawing=None)


def test_picks_are_credited_to_who_made_the_candidate(record, measure):
    pick_drawings(record, 2)
    found = measure()
    assert found.measured.credit["drawing"] == 2
    assert found.measured.machine.value == pytest.approx(4 / 6)
    assert sum(found.bias.n_chosen) == 6
    assert found.chance == pytest.approx(0.75)
    assert not found.is_simulated


def test_one_simulated_reader_marks_the_whole(record, measure):
    pick_drawings(record, 0)
    with record.database.write() as session:
        session.scalars(select(Account)).one().simulated = True
    assert measure().is_simulated


@pytest.mark.parametrize("state", [StageState.OPEN, StageState.LOCKED])
def test_nothing_is_measured_before_unblinding(record, measure, state):
    pick_drawings(record, 2)
    with pytest.raises(StateError, match="hidden"):
        measure(state)

"""What a coordinator sees of the readers of a stage."""

import pytest
from sqlalchemy import select

from annotation_server.services.amending import Amendment, assign, let_go
from annotation_server.services.reading import ReadingService
from annotation_server.services.staffing import SeatState, stage_roster
from db.domain.study import SeatKind
from db.domain.verdict import Decision, VerdictKind
from db.models import Comparison, Stage

PICK, NOTHING = Decision(VerdictKind.PICK, slot=0, visible_ms=3000), Decision(VerdictKind.NO_INFECTION, visible_ms=1000)


@pytest.fixture
def record(build_room):
    """Two readers, four cases with two seats each; r1 judged two, holds a third."""
    record = build_room(n_cases=4, readers=["r1", "r2"], n_seats=2)
    room = ReadingService(record)
    for decision in (PICK, NOTHING):
        view = room.next_comparison(1, 1)
        assert view
        room.decide(1, view.token, decision, idempotency_key="key", drawing=None)
    room.next_comparison(1, 1)
    return record


def roster_of(record, **page):
    with record.database.read() as session:
        return stage_roster(session, session.get_one(Stage, 1), **page)


def test_each_reader_has_a_line_with_what_was_done(record):
    first, second = roster_of(record).lines
    assert (first.code, first.n_decided, first.n_verdicts, first.n_open, first.per_day) == ("r1", 2, 2, 1, 2)
    assert (first.median_visible_s, first.denied_share) == (2.0, 0.0)
    assert (second.code, second.n_decided, second.median_visible_s, second.denied_share) == ("r2", 0, None, None)
    assert not first.is_named
    assert roster_of(record).is_open_to_all


def test_the_matrix_says_how_each_seat_stands(record):
    roster = roster_of(record)
    states = sorted(seat for row in roster.matrix for seat in row.seats.get("r1", ()))
    assert states == [SeatState.DECIDED, SeatState.DECIDED, SeatState.HELD]
    assert sum(row.n_free for row in roster.matrix) == 8 - 3
    assert roster.n_seats_of_kind == {SeatKind.READING: (8, 2)}
    assert roster.n_cases == 4


def test_the_matrix_comes_in_pages(record):
    pages = [roster_of(record, first=first, n_rows=3).matrix for first in (0, 3)]
    assert [len(page) for page in pages] == [3, 1]
    assert len({row.case for page in pages for row in page}) == 4


def test_who_left_is_still_there_and_the_seat_is_free(record):
    with record.database.write() as session:
        assert let_go(session, Amendment("pilot/I", "c1", "moved away"), "r1", counts=False) == 1
    first, second = roster_of(record).lines
    assert (first.code, first.has_left, first.counts, first.n_open) == ("r1", True, False, 0)
    assert (second.code, second.is_named, second.has_left) == ("r2", True, False)
    with record.database.read() as session:
        held = session.scalars(select(Comparison).where(Comparison.decided_at.is_(None), Comparison.account_id == 1))
        assert held.all() == []


def test_a_quota_shows(record):
    with record.database.write() as session:
        assign(session, Amendment("pilot/I", "c1", "a slow month"), "r2", quota=1)
    assert [(line.code, line.quota, line.is_named) for line in roster_of(record).lines] == [
        ("r1", None, False),
        ("r2", 1, True),
    ]

"""Who may read a stage, how much of it, and what leaving it does."""

import pytest
from sqlalchemy import select

from annotation_server.services.coordinating import lock_stage
from annotation_server.services.overview import open_stages
from annotation_server.services.rostering import assign_reader, leave_stage
from db.domain.errors import NotAllowedError, NotFoundError
from db.domain.verdict import Decision, VerdictKind
from db.models import Comparison, Verdict

PICK = Decision(VerdictKind.PICK, slot=0)


class TestAssignment:
    def test_a_stage_that_names_nobody_is_open_to_all_and_then_to_those_it_names(self, record, room, design):
        design().open("I").train("I")
        assert room.next_comparison(3, 1)
        room.staff(assign_reader, 2)
        assert room.next_comparison(2, 1)
        with pytest.raises(NotAllowedError, match="assigned to other readers"):
            room.next_comparison(1, 1)
        with record.database.read() as session:
            assert [len(open_stages(session, reader)) for reader in (1, 2)] == [0, 1]

    def test_a_quota_bounds_what_a_reader_gets_and_is_told(self, room, design):
        design().open("I").train("I")
        room.staff(assign_reader, 2, quota=3)
        assert room.next_comparison(2, 1).n_left == 3
        assert len(room.read_all(2)) == 3

    def test_one_who_leaves_loses_leases_at_once_and_gets_nothing_more(self, room, design):
        design().open("I").train("I")
        held = room.next_comparison(2, 1)
        room.postpone(2, held.token)
        room.next_comparison(2, 1)
        assert room.staff(leave_stage, 2, counts=True) == 2
        with pytest.raises(NotAllowedError, match="left stage"):
            room.next_comparison(2, 1)
        for use in (room.film, room.renew, room.open_comparison):
            with pytest.raises(NotFoundError):
                use(2, held.token)
        assert len(room.read_all(3)) == 11, "the seats are free for the others"

    def test_one_who_left_revises_nothing(self, room, design):
        design().open("I").train("I")
        view = room.next_comparison(2, 1)
        room.say(2, view)
        room.staff(leave_stage, 2, counts=True)
        with pytest.raises(NotAllowedError):
            room.decide(2, view.token, PICK, idempotency_key="later", drawing=None)

    def test_verdicts_that_do_not_count_are_kept_and_their_cases_read_again(self, record, room, design):
        design().open("I").train("I")
        first = [room.next_comparison(2, 1)]
        room.say(2, first[0])
        room.staff(leave_stage, 2, counts=False)
        assert len(room.read_all(3)) == 11
        lock_stage(record, "pilot/I")
        with record.database.read() as session:
            assert len(session.scalars(select(Verdict)).all()) == 12
            seat = session.scalars(select(Comparison).where(Comparison.account_id == 2)).one()
            others = session.scalars(select(Comparison).where(Comparison.case_id == seat.case_id)).all()
            assert len(others) == 2

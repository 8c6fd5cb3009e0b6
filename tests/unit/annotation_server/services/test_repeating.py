"""The cases that come again, for agreement with oneself."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from annotation_server.services.coordinating import lock_stage
from db.domain.errors import StateError
from db.domain.study import SeatKind
from db.domain.verdict import Decision, UnreadableReason, VerdictKind
from db.models import Comparison, now

PICK = Decision(VerdictKind.PICK, slot=0)


class TestRepeats:
    def test_a_sampled_case_comes_again_after_the_washout_under_a_new_token(self, record, room, design):
        design(repeat_share=1.0, repeat_washout_days=3).open("I").train("I")
        view = room.next_comparison(2, 1)
        room.say(2, view)
        after = room.next_comparison(2, 1)
        assert after.n_left == view.n_left - 1, "nobody is told that it will come again"
        room.read_all(2)
        (repeat, *_), count = room.seats(SeatKind.REPEAT), len(room.seats(SeatKind.REPEAT))
        assert count == 11
        assert timedelta(days=2.9) < repeat.available_at - now() < timedelta(days=3)
        with record.database.write() as session:
            for seat in session.scalars(select(Comparison).where(Comparison.kind == SeatKind.REPEAT)):
                seat.available_at = now()
        assert room.next_comparison(3, 1) is None, "the repeat is for the same reader"
        again = room.read_all(2)
        assert len(again) == 11
        assert not {one.token for one in again} & {seat.token for seat in room.seats(SeatKind.READING)}
        pairs = {seat.case_id: seat.order for seat in room.seats(SeatKind.READING)}
        assert any(seat.order != pairs[seat.case_id] for seat in room.seats(SeatKind.REPEAT))

    def test_the_sample_has_about_the_share_that_was_asked_for(self, room, design):
        design(repeat_share=0.3, repeat_washout_days=3, n_drawn=30).open("I").train("I")
        room.read_all(2)
        assert 3 <= len(room.seats(SeatKind.REPEAT)) <= 16

    def test_a_revision_makes_no_second_repeat_and_an_unreadable_film_none(self, room, design):
        design(repeat_share=1.0).open("I").train("I")
        first, bad = room.next_comparison(2, 1), None
        room.say(2, first)
        room.decide(2, first.token, PICK, idempotency_key="again", drawing=None)
        bad = room.next_comparison(3, 1)
        room.say(3, bad, Decision(VerdictKind.UNREADABLE, reason=UnreadableReason.QUALITY))
        assert len(room.seats(SeatKind.REPEAT)) == 1

    def test_the_stage_waits_for_repeats_and_says_until_when(self, record, room, design):
        design(repeat_share=1.0, repeat_washout_days=3).open("I").train("I")
        room.read_all(2)
        due = (now() + timedelta(days=3)).date().isoformat()
        with pytest.raises(StateError, match="11 comparisons are open") as caught:
            lock_stage(record, "pilot/I")
        assert f"comes due on {due}" in caught.value.hint
        assert lock_stage(record, "pilot/I", leave_open=True) == 11

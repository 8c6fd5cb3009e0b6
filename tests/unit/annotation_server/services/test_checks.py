"""Cases whose right mask is known: checks among the others, and practice before them."""

from collections import Counter

import pytest
from sqlalchemy import select

from annotation_server.services.coordinating import lock_stage, request_training
from annotation_server.services.rostering import assign_reader
from db.domain.errors import StateError
from db.domain.provenance import MaskOrigin
from db.domain.study import SeatKind
from db.domain.verdict import Decision, VerdictKind
from db.models import Candidate, CaseRow, MaskRow
from db.repository.checks import is_right
from db.repository.plans import drawings


class TestChecks:
    def test_each_reader_gets_checks_among_the_cases_with_one_right_mask_each(self, record, room, design):
        design(n_check_cases=2).open("I").train("I")
        for reader in (2, 3):
            room.read_all(reader)
        found = room.seats(SeatKind.CHECK)
        assert Counter(seat.account_id for seat in found) == {2: 2, 3: 2}
        with record.database.read() as session:
            for seat in found:
                query = select(Candidate).where(Candidate.case_id == seat.case_id, Candidate.position.in_(seat.order))
                masks = [one.mask for one in session.scalars(query)]
                assert len(masks) == 3 == len(set(seat.order))
                assert {mask.origin for mask in masks} == {MaskOrigin.FLAWED}
                (right,) = [mask for mask in masks if is_right(mask)]
                assert {mask.parent_id for mask in masks if not is_right(mask)} == {right.id}
                assert (
                    right.digest
                    == session.get_one(MaskRow, drawings(session, 1)[session.get_one(CaseRow, seat.case_id).key]).digest
                )

    def test_nobody_is_checked_with_an_own_drawing(self, room, design):
        design(n_check_cases=1).open("I").train("I")
        assert len(room.read_all(1)) == 11, "r1 drew all of them"
        assert room.seats(SeatKind.CHECK) == []

    def test_a_check_looks_like_any_other_case(self, room, design):
        design(n_check_cases=3, repeat_share=1.0, repeat_washout_days=0).open("I").train("I")
        views = room.read_all(2)
        kinds = {room.seat_of(view).kind for view in views}
        assert kinds == {SeatKind.READING, SeatKind.CHECK, SeatKind.REPEAT}
        hidden = {"token", "n_decided", "n_left"}
        shown = [{name: value for name, value in vars(view).items() if name not in hidden} for view in views]
        assert all(one == shown[0] for one in shown)
        sizes = {len(room.bundle(2, view.token)) for view in views}
        assert len(sizes) == 1

    def test_checks_are_spread_over_the_session(self, room, design):
        design(n_check_cases=4, n_drawn=30).open("I").train("I")
        kinds = [room.seat_of(view).kind for view in room.read_all(2)]
        last = max(i for i, kind in enumerate(kinds) if kind is SeatKind.CHECK)
        assert {SeatKind.READING} < set(kinds[: last - 1])

    def test_check_verdicts_become_no_final_mask_and_owe_nothing(self, record, room, design):
        design(n_check_cases=2).open("I").train("I")
        room.read_all(2)
        room.next_comparison(3, 1)  # holds a check
        assert lock_stage(record, "pilot/I") == 11

    def test_too_few_right_masks_are_refused_with_both_numbers(self, record, room, design):
        design(n_check_cases=8, n_practice_cases=4, n_readers=1).open("I")
        room.staff(assign_reader, 1)
        with pytest.raises(StateError, match=r"needs 12 right masks .*\(4 practice and 8 check cases\); there are 0"):
            request_training(record, "pilot/I")


class TestPractice:
    def test_it_comes_first_with_feedback_and_nothing_else_before_it_is_done(self, room, design):
        design(n_practice_cases=2).open("I").train("I")
        first = room.next_comparison(2, 1)
        assert (first.is_practice, first.feedback) == (True, None)
        room.postpone(2, first.token)
        second = room.next_comparison(2, 1)
        assert second.is_practice
        room.say(2, second)
        assert room.next_comparison(2, 1).token == first.token, "a postponed practice case is still practice"
        room.say(2, first)
        assert not room.next_comparison(2, 1).is_practice

    def test_the_feedback_names_the_right_slot_and_the_dice_of_what_was_said(self, record, room, design):
        design(n_practice_cases=1).open("I").train("I")
        view = room.next_comparison(2, 1)
        with record.database.read() as session:
            seat = room.seat_of(view)
            query = select(Candidate).where(Candidate.case_id == seat.case_id, Candidate.position.in_(seat.order))
            right = next(one.position for one in session.scalars(query) if is_right(one.mask))
        right_slot = seat.order.index(right)
        room.say(2, view, Decision(VerdictKind.PICK, slot=right_slot))
        assert vars(room.feedback(2, view.token)) == {"right_slot": right_slot, "dice": 1.0}
        wrong = Decision(VerdictKind.PICK, slot=(right_slot + 1) % 3)
        room.decide(2, view.token, wrong, idempotency_key="wrong", drawing=None)
        assert 0 < room.feedback(2, view.token).dice < 0.95
        assert room.open_comparison(2, view.token).feedback == room.feedback(2, view.token)

    def test_no_other_case_has_feedback(self, room, design):
        design(n_check_cases=1).open("I").train("I")
        for view in room.read_all(2):
            assert room.feedback(2, view.token) is None

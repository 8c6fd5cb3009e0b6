"""What the study's design makes of a stage: which seats there are, who gets them, and what they are for."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.services.coordinating import lock_stage, open_stage, request_training
from annotation_server.services.overview import open_stages
from annotation_server.services.reading import ReadingService
from annotation_server.services.rostering import assign_reader, leave_stage
from db import jobs
from db.accounts import add_account
from db.domain.campaign import Arm, RoundState, StageState
from db.domain.errors import NotAllowedError, NotFoundError, StateError
from db.domain.mask import pack
from db.domain.network import NetworkSpec
from db.domain.provenance import MaskOrigin, Role
from db.domain.study import OwnDrawing, SeatKind, StudyDesign
from db.domain.verdict import Decision, UnreadableReason, VerdictKind
from db.models import Account, CampaignCase, Candidate, CaseRow, Comparison, MaskRow, Stage, Verdict, now
from db.repository.checks import is_right
from db.repository.finals import settle_round
from db.repository.plans import benchmark_plan, drawings, round_plan

PICK = Decision(VerdictKind.PICK, slot=0)
NETWORKS = (NetworkSpec("unet", "tiny"), NetworkSpec("dla", "tiny"))
DRAWING = pack(np.pad(np.ones((20, 20), np.bool_), ((10, 20), (10, 10))))


@pytest.fixture
def design(record, campaign_builder):
    """`design(readers_per_case=2, repeat_share=0.5)`: a campaign whose stages are read so, and readers r1 to r4."""

    def build(*, readers_per_case=1, n_drawn=11, n_readers=4, **study):
        stages = tuple(
            replace(stage, readers_per_case=readers_per_case, study=StudyDesign(**study), networks=NETWORKS)
            for stage in campaign_builder.stages[:2]
        )
        campaign = replace(campaign_builder, stages=stages, n_drawn=n_drawn).create()
        with record.database.write() as session:
            for i in range(2, n_readers + 1):
                add_account(session, f"r{i}", Role.READER)
        jobs.prepare(record.database)
        return campaign

    return build


@pytest.fixture
def room(record):
    return ReadingService(record)


def seats(record, *kinds):
    with record.database.read() as session:
        query = select(Comparison).order_by(Comparison.id)
        return session.scalars(query.where(Comparison.kind.in_(kinds)) if kinds else query).all()


def of(record, view):
    with record.database.read() as session:
        return session.scalars(select(Comparison).where(Comparison.token == view.token)).one()


def decide(room, reader, view, decision=PICK, drawing=None):
    return room.decide(reader, view.token, decision, idempotency_key=f"k{view.token[:20]}", drawing=drawing)


def read_all(room, reader, decision=PICK):
    """Everything that there is for a reader; the views in their order."""
    views = []
    while view := room.next_comparison(reader, 1):
        views.append(view)
        drawing = DRAWING if decision.kind is VerdictKind.DRAWN else None
        decide(room, reader, view, decision, drawing)
    return views


def do(record, step, *arguments, **options):
    with record.database.write() as session:
        stage, account = session.get_one(Stage, 1), session.get_one(Account, arguments[0])
        return step(session, stage, account, **options)


class TestReadersPerCase:
    def test_each_case_is_judged_by_as_many_different_readers(self, record, room, design):
        design(readers_per_case=2).open("I").train("I")
        for reader in (1, 2, 3):
            read_all(room, reader)
        found = seats(record, SeatKind.READING)
        assert Counter(seat.case_id for seat in found) == dict.fromkeys(range(1, 12), 2)
        assert len({(seat.case_id, seat.account_id) for seat in found}) == 22
        assert all(seat.decided_at for seat in found)

    def test_too_few_assigned_readers_are_refused_before_training(self, record, design):
        design(readers_per_case=3).open("I")
        for reader in (1, 2):
            do(record, assign_reader, reader)
        with pytest.raises(StateError, match=r"each case needs 3, and 11 of 11 cases .* \(2 readers are assigned"):
            request_training(record, "pilot/I")
        do(record, assign_reader, 3)
        assert request_training(record, "pilot/I")

    def test_quotas_that_allow_too_few_seats_are_refused(self, record, design):
        design().open("I")
        do(record, assign_reader, 1, quota=4)
        do(record, assign_reader, 2, quota=5)
        with pytest.raises(StateError, match="has 11 seats, and its 2 readers may take 9"):
            request_training(record, "pilot/I")


class TestAssignment:
    def test_a_stage_that_names_nobody_is_open_to_all_and_then_to_those_it_names(self, record, room, design):
        design().open("I").train("I")
        assert room.next_comparison(3, 1)
        do(record, assign_reader, 2)
        assert room.next_comparison(2, 1)
        with pytest.raises(NotAllowedError, match="assigned to other readers"):
            room.next_comparison(1, 1)
        with record.database.read() as session:
            assert [len(open_stages(session, reader)) for reader in (1, 2)] == [0, 1]

    def test_a_quota_bounds_what_a_reader_gets_and_is_told(self, record, room, design):
        design().open("I").train("I")
        do(record, assign_reader, 2, quota=3)
        assert room.next_comparison(2, 1).n_left == 3
        assert len(read_all(room, 2)) == 3

    def test_one_who_leaves_loses_leases_at_once_and_gets_nothing_more(self, record, room, design):
        design().open("I").train("I")
        held = room.next_comparison(2, 1)
        room.postpone(2, held.token)
        room.next_comparison(2, 1)
        assert do(record, leave_stage, 2, counts=True) == 2
        with pytest.raises(NotAllowedError, match="left stage"):
            room.next_comparison(2, 1)
        for use in (room.film, room.renew, room.open_comparison):
            with pytest.raises(NotFoundError):
                use(2, held.token)
        assert len(read_all(room, 3)) == 11, "the seats are free for the others"

    def test_one_who_left_revises_nothing(self, record, room, design):
        design().open("I").train("I")
        view = room.next_comparison(2, 1)
        decide(room, 2, view)
        do(record, leave_stage, 2, counts=True)
        with pytest.raises(NotAllowedError):
            room.decide(2, view.token, PICK, idempotency_key="later", drawing=None)

    def test_verdicts_that_do_not_count_are_kept_and_their_cases_read_again(self, record, room, design):
        design().open("I").train("I")
        first = [room.next_comparison(2, 1)]
        decide(room, 2, first[0])
        do(record, leave_stage, 2, counts=False)
        assert len(read_all(room, 3)) == 11
        lock_stage(record, "pilot/I")
        with record.database.read() as session:
            assert len(session.scalars(select(Verdict)).all()) == 12
            seat = session.scalars(select(Comparison).where(Comparison.account_id == 2)).one()
            others = session.scalars(select(Comparison).where(Comparison.case_id == seat.case_id)).all()
            assert len(others) == 2


class TestRepeats:
    def test_a_sampled_case_comes_again_after_the_washout_under_a_new_token(self, record, room, design):
        design(repeat_share=1.0, repeat_washout_days=3).open("I").train("I")
        view = room.next_comparison(2, 1)
        decide(room, 2, view)
        after = room.next_comparison(2, 1)
        assert after.n_left == view.n_left - 1, "nobody is told that it will come again"
        read_all(room, 2)
        (repeat, *_), count = seats(record, SeatKind.REPEAT), len(seats(record, SeatKind.REPEAT))
        assert count == 11
        assert timedelta(days=2.9) < repeat.available_at - now() < timedelta(days=3)
        with record.database.write() as session:
            for seat in session.scalars(select(Comparison).where(Comparison.kind == SeatKind.REPEAT)):
                seat.available_at = now()
        assert room.next_comparison(3, 1) is None, "the repeat is for the same reader"
        again = read_all(room, 2)
        assert len(again) == 11
        assert not {one.token for one in again} & {seat.token for seat in seats(record, SeatKind.READING)}
        pairs = {seat.case_id: seat.order for seat in seats(record, SeatKind.READING)}
        assert any(seat.order != pairs[seat.case_id] for seat in seats(record, SeatKind.REPEAT))

    def test_the_sample_has_about_the_share_that_was_asked_for(self, record, room, design):
        design(repeat_share=0.3, repeat_washout_days=3, n_drawn=30).open("I").train("I")
        read_all(room, 2)
        assert 3 <= len(seats(record, SeatKind.REPEAT)) <= 16

    def test_a_revision_makes_no_second_repeat_and_an_unreadable_film_none(self, record, room, design):
        design(repeat_share=1.0).open("I").train("I")
        first, bad = room.next_comparison(2, 1), None
        decide(room, 2, first)
        room.decide(2, first.token, PICK, idempotency_key="again", drawing=None)
        bad = room.next_comparison(3, 1)
        decide(room, 3, bad, Decision(VerdictKind.UNREADABLE, reason=UnreadableReason.QUALITY))
        assert len(seats(record, SeatKind.REPEAT)) == 1

    def test_the_stage_waits_for_repeats_and_says_until_when(self, record, room, design):
        design(repeat_share=1.0, repeat_washout_days=3).open("I").train("I")
        read_all(room, 2)
        due = (now() + timedelta(days=3)).date().isoformat()
        with pytest.raises(StateError, match="11 comparisons are open") as caught:
            lock_stage(record, "pilot/I")
        assert f"comes due on {due}" in caught.value.hint
        assert lock_stage(record, "pilot/I", leave_open=True) == 11


class TestChecks:
    def test_each_reader_gets_checks_among_the_cases_with_one_right_mask_each(self, record, room, design):
        design(n_check_cases=2).open("I").train("I")
        for reader in (2, 3):
            read_all(room, reader)
        found = seats(record, SeatKind.CHECK)
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

    def test_nobody_is_checked_with_an_own_drawing(self, record, room, design):
        design(n_check_cases=1).open("I").train("I")
        assert len(read_all(room, 1)) == 11, "r1 drew all of them"
        assert seats(record, SeatKind.CHECK) == []

    def test_a_check_looks_like_any_other_case(self, record, room, design):
        design(n_check_cases=3, repeat_share=1.0, repeat_washout_days=0).open("I").train("I")
        views = read_all(room, 2)
        kinds = {of(record, view).kind for view in views}
        assert kinds == {SeatKind.READING, SeatKind.CHECK, SeatKind.REPEAT}
        hidden = {"token", "n_decided", "n_left"}
        shown = [{name: value for name, value in vars(view).items() if name not in hidden} for view in views]
        assert all(one == shown[0] for one in shown)
        sizes = {len(room.bundle(2, view.token)) for view in views}
        assert len(sizes) == 1

    def test_checks_are_spread_over_the_session(self, record, room, design):
        design(n_check_cases=4, n_drawn=30).open("I").train("I")
        kinds = [of(record, view).kind for view in read_all(room, 2)]
        last = max(i for i, kind in enumerate(kinds) if kind is SeatKind.CHECK)
        assert {SeatKind.READING} < set(kinds[: last - 1])

    def test_check_verdicts_become_no_final_mask_and_owe_nothing(self, record, room, design):
        design(n_check_cases=2).open("I").train("I")
        read_all(room, 2)
        room.next_comparison(3, 1)  # holds a check
        assert lock_stage(record, "pilot/I") == 11

    def test_too_few_right_masks_are_refused_with_both_numbers(self, record, design):
        design(n_check_cases=8, n_practice_cases=4, n_readers=1).open("I")
        do(record, assign_reader, 1)
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
        decide(room, 2, second)
        assert room.next_comparison(2, 1).token == first.token, "a postponed practice case is still practice"
        decide(room, 2, first)
        assert not room.next_comparison(2, 1).is_practice

    def test_the_feedback_names_the_right_slot_and_the_dice_of_what_was_said(self, record, room, design):
        design(n_practice_cases=1).open("I").train("I")
        view = room.next_comparison(2, 1)
        with record.database.read() as session:
            seat = of(record, view)
            query = select(Candidate).where(Candidate.case_id == seat.case_id, Candidate.position.in_(seat.order))
            right = next(one.position for one in session.scalars(query) if is_right(one.mask))
        right_slot = seat.order.index(right)
        decide(room, 2, view, Decision(VerdictKind.PICK, slot=right_slot))
        assert vars(room.feedback(2, view.token)) == {"right_slot": right_slot, "dice": 1.0}
        wrong = Decision(VerdictKind.PICK, slot=(right_slot + 1) % 3)
        room.decide(2, view.token, wrong, idempotency_key="wrong", drawing=None)
        assert 0 < room.feedback(2, view.token).dice < 0.95
        assert room.open_comparison(2, view.token).feedback == room.feedback(2, view.token)

    def test_no_other_case_has_feedback(self, room, design):
        design(n_check_cases=1).open("I").train("I")
        for view in read_all(room, 2):
            assert room.feedback(2, view.token) is None


class TestPairs:
    def test_a_random_subset_is_shown_as_two_panes_to_another_reader(self, record, room, design):
        design(pair_share=0.5).open("I").train("I")
        for reader in (2, 3):
            read_all(room, reader)
        read_all(room, 4)
        pairs = seats(record, SeatKind.PAIR)
        assert len(pairs) == 6
        readers = {seat.case_id: seat.account_id for seat in seats(record, SeatKind.READING)}
        assert all(seat.account_id != readers[seat.case_id] for seat in pairs)
        with record.database.read() as session:
            for seat in pairs:
                query = select(Candidate).where(Candidate.case_id == seat.case_id, Candidate.position.in_(seat.order))
                origins = [one.mask.origin for one in session.scalars(query)]
                assert sorted(origins) == [MaskOrigin.DRAWING, MaskOrigin.NETWORK]

    def test_one_reader_alone_gets_the_pairs_too(self, room, design):
        design(pair_share=0.5, n_readers=1).open("I").train("I")
        views = read_all(room, 1)
        assert Counter(view.n_candidates for view in views) == {3: 11, 2: 6}


class TestOwnDrawing:
    @pytest.fixture
    def drawn_by(self, record):
        """Let r2 have drawn the first four cases, so many days ago."""

        def set_drawer(days):
            with record.database.write() as session:
                masks = session.scalars(select(MaskRow).where(MaskRow.origin == MaskOrigin.DRAWING).limit(4)).all()
                for mask in masks:
                    mask.account_id, mask.created_at = 2, now() - timedelta(days=days)
                return {mask.case_id for mask in masks}

        return set_drawer

    def cases(self, record, room, reader):
        return {of(record, view).case_id for view in read_all(room, reader)}

    def test_never_keeps_own_drawings_from_their_drawer(self, record, room, design, drawn_by):
        campaign = design(own_drawing=OwnDrawing.NEVER)
        own = drawn_by(100)
        campaign.open("I").train("I")
        assert room.next_comparison(2, 1).n_left == 7
        assert self.cases(record, room, 2) == set(range(1, 12)) - own
        assert self.cases(record, room, 3) == own

    def test_only_gives_each_drawing_to_its_drawer_after_the_washout(self, record, room, design, drawn_by):
        campaign = design(own_drawing=OwnDrawing.ONLY, own_washout_days=14)
        own = drawn_by(15)
        campaign.open("I").train("I")
        assert self.cases(record, room, 2) == own
        assert self.cases(record, room, 1) == set(), "drawn just now"
        assert self.cases(record, room, 3) == set()

    def test_allowed_waits_for_the_washout(self, record, room, design, drawn_by):
        campaign = design(own_drawing=OwnDrawing.ALLOWED, own_washout_days=14)
        own = drawn_by(3)
        campaign.open("I").train("I")
        assert self.cases(record, room, 2) == set(range(1, 12)) - own

    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            (OwnDrawing.NEVER, r"11 of 11 cases have fewer .*1 readers .* own drawings are `never` judged"),
            (OwnDrawing.ONLY, "4 of 11 cases have fewer"),
        ],
    )
    def test_a_rule_that_no_set_of_readers_meets_is_refused(self, record, design, drawn_by, rule, message):
        campaign = design(own_drawing=rule)
        if rule is OwnDrawing.ONLY:
            drawn_by(1)
        campaign.open("I")
        do(record, assign_reader, 1)
        with pytest.raises(StateError, match=message):
            request_training(record, "pilot/I")


class TestDrawing:
    def test_films_without_a_drawing_are_drawn_in_the_browser_and_then_trained_on(self, record, room, design):
        design(n_drawn=0)
        with record.database.write() as session:
            open_stage(session, "pilot/I", n_cases=6)
        view = room.next_comparison(2, 1)
        assert (view.task, view.n_candidates, view.verdict) == ("draw", 0, None)
        assert room.bundle(2, view.token) == b""
        with pytest.raises(StateError, match="still has 6 films to draw"):
            request_training(record, "pilot/I")
        decide(room, 2, view, Decision(VerdictKind.DRAWN), DRAWING)
        empty = room.next_comparison(2, 1)
        decide(room, 2, empty, Decision(VerdictKind.NO_INFECTION))
        bad = room.next_comparison(2, 1)
        decide(room, 2, bad, Decision(VerdictKind.UNREADABLE, reason=UnreadableReason.QUALITY))
        read_all(room, 3, Decision(VerdictKind.DRAWN))
        with record.database.read() as session:
            found = drawings(session, 1)
            masks = [session.get_one(MaskRow, id_) for id_ in found.values()]
            assert len(masks) == 5
            assert {mask.account_id for mask in masks} == {2, 3}
            assert sum(not record.store.get_mask(mask.digest).any() for mask in masks) == 1
        assert request_training(record, "pilot/I")
        with record.database.read() as session:
            targets = {key for split in round_plan(session, 1) for key in split.targets}
            assert targets == set(found)
        with pytest.raises(StateError, match="takes no drawings any more"):
            room.decide(2, view.token, Decision(VerdictKind.DRAWN), idempotency_key="late", drawing=DRAWING)

    def test_a_drawing_that_was_taken_back_is_none(self, record, room, design):
        design(n_drawn=0)
        with record.database.write() as session:
            open_stage(session, "pilot/I", n_cases=6)
        view = room.next_comparison(2, 1)
        decide(room, 2, view, Decision(VerdictKind.DRAWN), DRAWING)
        with record.database.read() as session:
            assert len(drawings(session, 1)) == 1
        bad = Decision(VerdictKind.UNREADABLE, reason=UnreadableReason.QUALITY)
        room.decide(2, view.token, bad, idempotency_key="second", drawing=None)
        with record.database.read() as session:
            assert drawings(session, 1) == {}

    def test_undrawn_films_can_be_left(self, record, room, design):
        design(n_drawn=0)
        with record.database.write() as session:
            open_stage(session, "pilot/I", n_cases=12)
        for _ in range(6):
            decide(room, 2, room.next_comparison(2, 1), Decision(VerdictKind.DRAWN), DRAWING)
        assert request_training(record, "pilot/I", leave_open=True)
        assert len(seats(record)) == 6

    def test_the_drawer_of_a_film_may_judge_it_and_the_history_keeps_the_two_apart(self, record, room, design):
        campaign = design(n_drawn=0, n_readers=1)
        with record.database.write() as session:
            open_stage(session, "pilot/I", n_cases=6)
        read_all(room, 1, Decision(VerdictKind.DRAWN))
        assert len(room.history(1, 1)) == 6
        campaign.train("I")
        assert room.history(1, 1) == []
        assert room.next_comparison(1, 1).n_decided == 0
        assert len(read_all(room, 1)) == 6

    def test_a_stage_whose_drawings_came_from_elsewhere_offers_none(self, record, room, design):
        design().open("I")
        with pytest.raises(StateError, match="nothing to read now"):
            room.next_comparison(2, 1)
        with record.database.read() as session:
            assert open_stages(session, 2) == []


class TestSentinels:
    @pytest.fixture
    def second(self, record, design):
        """Stage II with a sentinel arm, opened after stage I was closed."""

        def open_(**options):
            campaign = design(sentinel_share=0.2, **options)
            with record.database.write() as session:
                session.get_one(Stage, 1).campaign.definition_json = replace(
                    session.get_one(Stage, 1).campaign.definition
                ).to_json()
            campaign.open("I").train("I").read("I")
            with record.database.write() as session:
                stage = session.get_one(Stage, 1)
                stage.state, stage.rounds[-1].state = StageState.CLOSED, RoundState.DONE
                for seat in session.scalars(select(Comparison).where(Comparison.decided_at.is_(None))):
                    session.delete(seat)
            settle_round(record, 1)
            with record.database.write() as session:
                open_stage(session, "pilot/II")
            return campaign

        return open_

    def sentinels(self, record, stage_id=2):
        with record.database.read() as session:
            query = select(CampaignCase).where(CampaignCase.arm == Arm.SENTINEL, CampaignCase.stage_id == stage_id)
            return {member.case_id: member.component for member in session.scalars(query)}

    def draw_all(self, room, reader):
        while view := room.next_comparison(reader, 2):
            assert view.task == "draw"
            decide(room, reader, view, Decision(VerdictKind.DRAWN), DRAWING)

    def test_whole_components_are_drawn_before_any_candidate_exists(self, record, room, second):
        second()
        arm = self.sentinels(record)
        with record.database.read() as session:
            members = session.scalars(select(CampaignCase).where(CampaignCase.stage_id == 2)).all()
        of_arm = {member.case_id for member in members if member.component in arm.values()}
        assert set(arm) == of_arm
        assert len(set(arm.values())) == 2, "a fifth of nine patients, rounded up"
        with pytest.raises(StateError, match=f"still has {len(arm)} films to draw"):
            request_training(record, "pilot/II")
        self.draw_all(room, 3)
        with record.database.read() as session:
            masks = session.scalars(select(MaskRow).where(MaskRow.origin == MaskOrigin.SENTINEL)).all()
            assert {mask.case_id for mask in masks} == set(arm)
        assert request_training(record, "pilot/II")

    def test_who_drew_a_sentinel_does_not_read_it(self, record, room, second):
        campaign = second()
        self.draw_all(room, 3)
        campaign.train("II")
        read = set()
        while view := room.next_comparison(3, 2):
            read.add(of(record, view).case_id)
            decide(room, 3, view)
        assert read
        assert not read & set(self.sentinels(record))

    def test_no_mask_of_a_sentinel_case_is_ever_learned_from(self, record, room, second):
        campaign = second()
        self.draw_all(room, 3)
        campaign.train("II").read("II")
        with record.database.write() as session:
            stage = session.get_one(Stage, 2)
            stage.state, stage.rounds[-1].state = StageState.LOCKED, RoundState.DONE
            round_id = stage.rounds[-1].id
        settle_round(record, round_id)
        arm = set(self.sentinels(record)) | set(self.sentinels(record, 1))
        with record.database.read() as session:
            keys = set(session.scalars(select(CaseRow.key).where(CaseRow.id.in_(arm))))
            splits = benchmark_plan(session, 1)
            assert not keys & {one.case for split in splits for one in split.examples}
            assert keys & {key for split in splits for key in split.targets}, "they are predicted like the others"
            assert {one.case for split in splits for one in split.examples}
            campaign.stage(session, "II").rounds[-1].state = RoundState.DRAWING
            again = round_plan(session, round_id)
            assert not keys & {one.case for split in again for one in split.examples}
            assert keys & {key for split in again for key in split.targets}

"""Films that are drawn in the browser: before training, and as sentinels."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.services.coordinating import open_stage, request_training
from annotation_server.services.overview import open_stages
from annotation_server.services.rostering import count_verdicts, leave_stage
from db.domain.campaign import Arm, RoundState, StageState
from db.domain.errors import StateError
from db.domain.mask import pack
from db.domain.provenance import MaskOrigin
from db.domain.verdict import Decision, UnreadableReason, VerdictKind
from db.models import CampaignCase, Candidate, CaseRow, Comparison, MaskRow, Stage
from db.repository.finals import settle_round
from db.repository.plans import benchmark_plan, drawings, round_plan

DRAWING = pack(np.pad(np.ones((20, 20), np.bool_), ((10, 20), (10, 10))))
DRAWN = Decision(VerdictKind.DRAWN)


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
        room.draw(2, view)
        empty = room.next_comparison(2, 1)
        room.say(2, empty, Decision(VerdictKind.NO_INFECTION))
        bad = room.next_comparison(2, 1)
        room.say(2, bad, Decision(VerdictKind.UNREADABLE, reason=UnreadableReason.QUALITY))
        room.read_all(3, DRAWN)
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
            room.decide(2, view.token, DRAWN, idempotency_key="late", drawing=DRAWING)

    def test_a_drawing_that_was_taken_back_is_none(self, record, room, design):
        design(n_drawn=0)
        with record.database.write() as session:
            open_stage(session, "pilot/I", n_cases=6)
        view = room.next_comparison(2, 1)
        room.draw(2, view)
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
            room.draw(2, room.next_comparison(2, 1))
        assert request_training(record, "pilot/I", leave_open=True)
        assert len(room.seats()) == 6

    def test_the_drawer_of_a_film_may_judge_it_and_the_history_keeps_the_two_apart(self, record, room, design):
        campaign = design(n_drawn=0, n_readers=1)
        with record.database.write() as session:
            open_stage(session, "pilot/I", n_cases=6)
        room.read_all(1, DRAWN)
        assert len(room.history(1, 1)) == 6
        campaign.train("I")
        assert room.history(1, 1) == []
        assert room.next_comparison(1, 1).n_decided == 0
        assert len(room.read_all(1)) == 6

    def test_a_stage_whose_drawings_came_from_elsewhere_offers_none(self, record, room, design):
        design().open("I")
        with pytest.raises(StateError, match="nothing to read now"):
            room.next_comparison(2, 1)
        with record.database.read() as session:
            assert open_stages(session, 2) == []


class TestLeavingOut:
    """What a reader drew goes with the verdicts when a coordinator leaves them out."""

    @pytest.fixture(autouse=True)
    def campaign(self, record, room, design):
        """Of six films r2 has drawn two and r3 the others."""
        campaign = design(n_drawn=0)
        with record.database.write() as session:
            open_stage(session, "pilot/I", n_cases=6)
        for _ in range(2):
            room.draw(2, room.next_comparison(2, 1))
        room.read_all(3, DRAWN)
        return campaign

    def drawn_by(self, record):
        with record.database.read() as session:
            return Counter(session.get_one(MaskRow, id_).account_id for id_ in drawings(session, 1).values())

    def test_while_films_are_drawn_others_draw_them_again(self, record, room):
        assert self.drawn_by(record) == {2: 2, 3: 4}
        room.staff(leave_stage, 2, counts=False)
        assert self.drawn_by(record) == {3: 4}
        with pytest.raises(StateError, match="still has 2 films to draw"):
            request_training(record, "pilot/I")
        assert len(room.read_all(4, DRAWN)) == 2
        assert self.drawn_by(record) == {3: 4, 4: 2}
        assert request_training(record, "pilot/I")

    def test_a_decision_that_is_taken_back_brings_them_back(self, record, room):
        room.staff(leave_stage, 2, counts=False)
        room.staff(count_verdicts, 2, counts=True)
        assert self.drawn_by(record) == {2: 2, 3: 4}
        assert request_training(record, "pilot/I"), "the seats made meanwhile are owed no more"

    def test_candidates_on_offer_stay_and_the_next_round_learns_without(self, record, room, campaign):
        campaign.train("I")
        with record.database.read() as session:
            offered = session.execute(select(Candidate.id, Candidate.mask_id).order_by(Candidate.id)).all()
            own = set(session.scalars(select(MaskRow.id).where(MaskRow.account_id == 2)))
        room.staff(leave_stage, 2, counts=False)
        with record.database.read() as session:
            assert session.execute(select(Candidate.id, Candidate.mask_id).order_by(Candidate.id)).all() == offered
            assert own <= {mask_id for _, mask_id in offered}
            splits = round_plan(session, 1)
        assert {one.mask_id for split in splits for one in split.examples}.isdisjoint(own)
        assert len({key for split in splits for key in split.targets}) == 4, "the others have nothing to offer"

    def test_the_decision_waits_while_networks_are_trained(self, record, room):
        job = request_training(record, "pilot/I")
        with pytest.raises(StateError, match=f"Job {job} trains"):
            room.staff(leave_stage, 2, counts=False)
        room.staff(leave_stage, 2, counts=True)
        with pytest.raises(StateError, match=f"Job {job} trains"):
            room.staff(count_verdicts, 2, counts=False)


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
        assert {view.task for view in room.read_all(3, DRAWN, stage_id=2)} == {"draw"}
        with record.database.read() as session:
            masks = session.scalars(select(MaskRow).where(MaskRow.origin == MaskOrigin.SENTINEL)).all()
            assert {mask.case_id for mask in masks} == set(arm)
        assert request_training(record, "pilot/II")

    def test_who_drew_a_sentinel_does_not_read_it(self, record, room, second):
        campaign = second()
        assert {view.task for view in room.read_all(3, DRAWN, stage_id=2)} == {"draw"}
        campaign.train("II")
        read = set()
        while view := room.next_comparison(3, 2):
            read.add(room.seat_of(view).case_id)
            room.say(3, view)
        assert read
        assert not read & set(self.sentinels(record))

    def test_no_mask_of_a_sentinel_case_is_ever_learned_from(self, record, room, second):
        campaign = second()
        assert {view.task for view in room.read_all(3, DRAWN, stage_id=2)} == {"draw"}
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

"""What the study's design makes of a stage: how many readers judge a case, which of them, in how many panes."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from annotation_server.services.coordinating import request_training
from annotation_server.services.rostering import assign_reader
from db.domain.errors import StateError
from db.domain.provenance import MaskOrigin
from db.domain.study import OwnDrawing, SeatKind
from db.models import Candidate, MaskRow, now


class TestReadersPerCase:
    def test_each_case_is_judged_by_as_many_different_readers(self, room, design):
        design(readers_per_case=2).open("I").train("I")
        for reader in (1, 2, 3):
            room.read_all(reader)
        found = room.seats(SeatKind.READING)
        assert Counter(seat.case_id for seat in found) == dict.fromkeys(range(1, 12), 2)
        assert len({(seat.case_id, seat.account_id) for seat in found}) == 22
        assert all(seat.decided_at for seat in found)

    def test_too_few_assigned_readers_are_refused_before_training(self, record, room, design):
        design(readers_per_case=3).open("I")
        for reader in (1, 2):
            room.staff(assign_reader, reader)
        with pytest.raises(StateError, match=r"each case needs 3, and 11 of 11 cases .* \(2 readers are assigned"):
            request_training(record, "pilot/I")
        room.staff(assign_reader, 3)
        assert request_training(record, "pilot/I")

    def test_quotas_that_allow_too_few_seats_are_refused(self, record, room, design):
        design().open("I")
        room.staff(assign_reader, 1, quota=4)
        room.staff(assign_reader, 2, quota=5)
        with pytest.raises(StateError, match="has 11 seats, and its 2 readers may take 9"):
            request_training(record, "pilot/I")


class TestPairs:
    def test_a_random_subset_is_shown_as_two_panes_to_another_reader(self, record, room, design):
        design(pair_share=0.5).open("I").train("I")
        for reader in (2, 3):
            room.read_all(reader)
        room.read_all(4)
        pairs = room.seats(SeatKind.PAIR)
        assert len(pairs) == 6
        readers = {seat.case_id: seat.account_id for seat in room.seats(SeatKind.READING)}
        assert all(seat.account_id != readers[seat.case_id] for seat in pairs)
        with record.database.read() as session:
            for seat in pairs:
                query = select(Candidate).where(Candidate.case_id == seat.case_id, Candidate.position.in_(seat.order))
                origins = [one.mask.origin for one in session.scalars(query)]
                assert sorted(origins) == [MaskOrigin.DRAWING, MaskOrigin.NETWORK]

    def test_one_reader_alone_gets_the_pairs_too(self, room, design):
        design(pair_share=0.5, n_readers=1).open("I").train("I")
        views = room.read_all(1)
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

    def cases(self, room, reader):
        return {room.seat_of(view).case_id for view in room.read_all(reader)}

    def test_never_keeps_own_drawings_from_their_drawer(self, room, design, drawn_by):
        campaign = design(own_drawing=OwnDrawing.NEVER)
        own = drawn_by(100)
        campaign.open("I").train("I")
        assert room.next_comparison(2, 1).n_left == 7
        assert self.cases(room, 2) == set(range(1, 12)) - own
        assert self.cases(room, 3) == own

    def test_only_gives_each_drawing_to_its_drawer_after_the_washout(self, room, design, drawn_by):
        campaign = design(own_drawing=OwnDrawing.ONLY, own_washout_days=14)
        own = drawn_by(15)
        campaign.open("I").train("I")
        assert self.cases(room, 2) == own
        assert self.cases(room, 1) == set(), "drawn just now"
        assert self.cases(room, 3) == set()

    def test_allowed_waits_for_the_washout(self, room, design, drawn_by):
        campaign = design(own_drawing=OwnDrawing.ALLOWED, own_washout_days=14)
        own = drawn_by(3)
        campaign.open("I").train("I")
        assert self.cases(room, 2) == set(range(1, 12)) - own

    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            (OwnDrawing.NEVER, r"11 of 11 cases have fewer .*1 readers .* own drawings are `never` judged"),
            (OwnDrawing.ONLY, "4 of 11 cases have fewer"),
        ],
    )
    def test_a_rule_that_no_set_of_readers_meets_is_refused(self, record, room, design, drawn_by, rule, message):
        campaign = design(own_drawing=rule)
        if rule is OwnDrawing.ONLY:
            drawn_by(1)
        campaign.open("I")
        room.staff(assign_reader, 1)
        with pytest.raises(StateError, match=message):
            request_training(record, "pilot/I")

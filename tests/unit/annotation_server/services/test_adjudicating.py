"""Majority, and what happens where there is none."""

import pytest
from sqlalchemy import select

from annotation_server.services.adjudicating import adjudication_queue, request_adjudication
from annotation_server.services.coordinating import lock_stage
from annotation_server.services.reading import ReadingService
from annotation_server.services.rostering import leave_stage
from db.domain.errors import InputError, StateError
from db.domain.study import SeatKind
from db.domain.verdict import Decision, UnreadableReason, VerdictKind
from db.models import Account, Candidate, Comparison, FinalMask, Stage, Verdict
from db.repository.pixels import Likeness
from db.repository.verdicts import weigh_verdicts

EMPTY = Decision(VerdictKind.NO_INFECTION)
UNREADABLE = Decision(VerdictKind.UNREADABLE, reason=UnreadableReason.OTHER)


@pytest.fixture
def record(build_room):
    return build_room(n_cases=2, readers=("r1", "r2", "r3", "r4", "r5"), n_seats=3)


@pytest.fixture
def room(record):
    return ReadingService(record)


@pytest.fixture
def say(record, room):
    """`say(reader, {case: position or decision})`: the reader decides both cases; of the rest that nobody differs."""

    def say(reader, decisions):
        while view := room.next_comparison(reader, 1):
            with record.database.read() as session:
                seat = session.scalars(select(Comparison).where(Comparison.token == view.token)).one()
            said = decisions.get(seat.case_id, EMPTY)
            decision = said if isinstance(said, Decision) else Decision(VerdictKind.PICK, slot=seat.order.index(said))
            room.decide(reader, view.token, decision, idempotency_key="k", drawing=None)

    return say


def outcome(record):
    with record.database.read() as session:
        found = weigh_verdicts(session, Likeness(record.store), 1)
        return {case: verdict.mask_id for case, verdict in found.agreed.items()}, set(found.disputed)


def queue(record):
    with record.database.read() as session:
        return adjudication_queue(session, Likeness(record.store), session.get_one(Stage, 1))


def request(record, **options):
    with record.database.write() as session:
        if "adjudicator" in options:
            options["adjudicator"] = session.get_one(Account, options["adjudicator"])
        return request_adjudication(session, Likeness(record.store), session.get_one(Stage, 1), **options)


def mask_at(record, case_id, position):
    with record.database.read() as session:
        query = select(Candidate.mask_id).where(Candidate.case_id == case_id, Candidate.position == position)
        return session.scalars(query).one()


def test_what_more_than_half_chose_counts(record, say):
    for reader, position in ((1, 0), (2, 3), (3, 3)):
        say(reader, {1: position})
    agreed, disputed = outcome(record)
    assert agreed[1] == mask_at(record, 1, 3)
    assert disputed == set()


def test_candidates_that_nobody_can_tell_apart_count_as_one(record, say):
    with record.database.write() as session:
        masks = [
            one.mask for one in session.scalars(select(Candidate).where(Candidate.case_id == 1)) if one.mask.map_digest
        ]
        masks[0].map_digest = masks[1].map_digest
        positions = [
            session.scalars(select(Candidate.position).where(Candidate.mask_id == mask.id)).one() for mask in masks
        ]
    for reader, position in zip((1, 2, 3), positions, strict=True):
        say(reader, {1: position})
    agreed, _ = outcome(record)
    assert agreed[1] == masks[0].id


def test_empty_masks_agree_and_so_do_unreadable_films(record, say):
    for reader in (1, 2):
        say(reader, {1: UNREADABLE})
    say(3, {1: 0})
    agreed, disputed = outcome(record)
    assert agreed[1] is None
    assert set(agreed) == {1, 2}
    assert disputed == set()


class TestWithoutMajority:
    @pytest.fixture(autouse=True)
    def _differ(self, say):
        for reader, position in ((1, 0), (2, 1), (3, 2)):
            say(reader, {1: position})

    def test_locking_names_the_case_and_the_command(self, record):
        with pytest.raises(StateError, match=r"readers of 1 cases of stage pilot/I differ \(secret-case-0\)") as caught:
            lock_stage(record, "pilot/I")
        assert "overread stage adjudicate pilot/I" in caught.value.hint

    def test_the_queue_names_neither_votes_nor_readers(self, record):
        (waiting,) = queue(record)
        assert vars(waiting) == {
            "case": "secret-case-0",
            "n_verdicts": 3,
            "n_open": 0,
            "is_seated": False,
            "adjudicator": None,
        }

    def test_any_other_reader_settles_it_without_seeing_anything_of_it(self, record, room):
        assert request(record) == 1
        assert request(record) == 0, "it has a seat"
        assert all(room.next_comparison(reader, 1) is None for reader in (1, 2, 3))
        view = room.next_comparison(4, 1)
        assert (view.n_candidates, view.verdict, view.task) == (4, None, "choose")
        assert queue(record)[0].adjudicator == "r4"
        with pytest.raises(StateError, match="differ"):
            lock_stage(record, "pilot/I")
        room.decide(4, view.token, Decision(VerdictKind.PICK, slot=0), idempotency_key="k", drawing=None)
        assert queue(record) == []
        assert lock_stage(record, "pilot/I") == 2
        with record.database.read() as session:
            seat = session.scalars(select(Comparison).where(Comparison.kind == SeatKind.ADJUDICATION)).one()
            final = session.scalars(select(FinalMask).where(FinalMask.case_id == 1)).one()
            assert final.mask_id == mask_at(record, 1, seat.order[0])
            assert final.verdict.account.code == "r4"
            assert len(session.scalars(select(Verdict)).all()) == 7, "all votes are kept"

    def test_a_named_adjudicator_alone_gets_it(self, record, room):
        request(record, adjudicator=5, cases=["secret-case-0"])
        assert room.next_comparison(4, 1) is None
        assert room.next_comparison(5, 1)

    def test_nobody_adjudicates_an_own_case(self, record):
        with pytest.raises(InputError, match="r2 has read 1 of these 1 cases"):
            request(record, adjudicator=2)

    def test_a_case_that_is_not_disputed_is_refused(self, record):
        with pytest.raises(InputError, match="secret-case-1 are not disputed"):
            request(record, cases=["secret-case-1"])

    def test_a_revision_that_settles_it_takes_the_seat_back(self, record, room):
        request(record)
        token = room.history(1, 1)
        with record.database.read() as session:
            seats = session.scalars(select(Comparison).where(Comparison.case_id == 1)).all()
            (seat,) = [seat for seat in seats if seat.account_id == 1]
            assert seat.token in {one.token for one in token}
            decision = Decision(VerdictKind.PICK, slot=seat.order.index(1))
        room.decide(1, seat.token, decision, idempotency_key="revised", drawing=None)
        assert lock_stage(record, "pilot/I") == 2

    def test_without_one_who_left_and_does_not_count_the_others_decide(self, record, say):
        with record.database.write() as session:
            leave_stage(session, session.get_one(Stage, 1), session.get_one(Account, 3), counts=False)
        say(4, {1: 1})
        agreed, disputed = outcome(record)
        assert (agreed[1], disputed) == (mask_at(record, 1, 1), set())

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from annotation_server.services import claiming
from annotation_server.services.claiming import Claimant, claim, count_free, count_own, find_held
from db.models import Account, Comparison, Round, now

READERS = ("r1", "r2", "r3")


@pytest.fixture
def record(build_room):
    return build_room(n_cases=12, readers=READERS, n_seats=2)


@pytest.fixture
def session(record):
    with record.database.write() as session:
        yield session


@pytest.fixture
def claimant(session):
    def claimant(code):
        account = session.scalars(select(Account).where(Account.code == code)).one()
        return Claimant(account, session.scalars(select(Round)).one(), now() + timedelta(minutes=15))

    return claimant


def claim_all(session, reader):
    return list(iter(lambda: claim(session, reader), None))


def claim_cases(session, reader):
    return [seat.case_id for seat in claim_all(session, reader)]


def test_a_reader_gets_every_case_once_and_never_both_of_its_seats(session, claimant):
    cases = claim_cases(session, claimant("r1"))
    assert len(cases) == len(set(cases)) == 12
    assert count_free(session, claimant("r1")) == 0
    assert count_free(session, claimant("r2")) == 12


def test_few_free_places_are_counted_anew_and_many_after_some_seconds(build_room, tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("annotation_server.services.claiming.time.monotonic", lambda: clock[0])
    record = build_room(n_cases=12, readers=("r1",), home=tmp_path / "one seat")
    with record.database.write() as session:
        reader = Claimant(session.scalars(select(Account)).one(), session.scalars(select(Round)).one(), now())
        claim(session, reader)
        assert count_free(session, reader) == 11
        claim(session, reader)
        assert count_free(session, reader) == 10
        monkeypatch.setattr(claiming, "MANY", 5)
        claim(session, reader)
        assert count_free(session, reader) == 10
        clock[0] += claiming.KEEP_S + 0.1
        assert count_free(session, reader) == 9


def test_all_seats_go_to_different_readers_of_a_case(session, claimant):
    taken: Counter[int] = Counter()
    for code in READERS:
        taken.update(claim_cases(session, claimant(code)))
    assert set(taken.values()) == {2}
    assert count_free(session, claimant("r3")) == 0


def test_each_reader_has_an_order_of_cases_that_is_neither_the_others_nor_that_of_the_rows(session, claimant):
    orders = [claim_cases(session, claimant(code)) for code in ("r1", "r2")]
    assert orders[0] != orders[1]
    assert all(order != sorted(order) for order in orders)


def test_the_first_case_is_any_case_alike(build_room, tmp_path):
    record = build_room(n_cases=5, readers=[f"r{i}" for i in range(100)], n_seats=1, home=tmp_path / "many")
    first: Counter[int] = Counter()
    for i in range(100):
        with record.database.read() as session:  # what is claimed here is dropped
            account = session.scalars(select(Account).where(Account.code == f"r{i}")).one()
            reader = Claimant(account, session.scalars(select(Round)).one(), now())
            seat = claim(session, reader)
            assert seat
            first[seat.case_id] += 1
    assert len(first) == 5
    assert max(first.values()) < 40


def test_a_claim_brings_a_token_a_lease_and_an_order_of_slots(session, claimant):
    reader = claimant("r1")
    seats = claim_all(session, reader)
    assert len(seats) == 12
    assert len({seat.token for seat in seats}) == 12
    assert all(len(seat.token) == 32 and seat.leased_until == reader.leased_until for seat in seats)
    assert all(sorted(seat.order) == [0, 1, 2, 3] for seat in seats)
    for slot in range(4):  # four comparisons are one Williams square
        assert Counter(seat.order[slot] for seat in seats) == {0: 3, 1: 3, 2: 3, 3: 3}


def test_a_seat_is_free_again_when_its_lease_is_over_unless_it_is_decided(session, claimant):
    seats = claim_all(session, claimant("r1"))
    rest = claim_all(session, claimant("r2"))
    assert len(rest) == 12
    for seat in seats:
        seat.leased_until = now() - timedelta(seconds=1)
    seats[0].decided_at = now()
    session.flush()
    tokens = {seat.token for seat in seats}
    assert len(claim_all(session, claimant("r3"))) == 11
    assert sum(seat.token in tokens for seat in session.scalars(select(Comparison))) == 1


def test_a_postponed_seat_is_held_apart(session, claimant):
    reader = claimant("r1")
    first, second = claim(session, reader), claim(session, reader)
    assert first
    assert second
    first.postponed_at = now()
    second.decided_at = now()
    session.flush()
    assert find_held(session, reader, postponed=False) is None
    assert find_held(session, reader, postponed=True) is first
    own = count_own(session, reader)
    assert (own.n_own, own.n_decided, own.n_waiting) == (2, 1, 0)

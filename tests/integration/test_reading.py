"""Readers at once on one record, on SQLite and on PostgreSQL: no seat is given twice, no verdict lost or doubled."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from annotation_server.services import reading
from annotation_server.services.coordinating import lock_stage, request_training
from annotation_server.services.reading import ReadingService
from db import jobs
from db.domain.errors import NotFoundError, OverreadError, StateError
from db.domain.provenance import MaskOrigin
from db.domain.verdict import Decision, UnreadableReason, VerdictKind
from db.models import Account, Candidate, Comparison, FinalMask, MaskRow, Stage, Verdict, now

N_THREADS = 24
PICK = Decision(VerdictKind.PICK, slot=0)


@pytest.fixture
def open_room(build_room, database_url):
    """A reading room on this database: the record, its service, the stage's id and the readers' ids."""

    def open_(n_cases, n_readers, n_seats=1):
        codes = [f"r{i}" for i in range(n_readers)]
        record = build_room(n_cases=n_cases, readers=codes, n_seats=n_seats, url=database_url)
        with record.database.read() as session:
            stage_id = session.scalars(select(Stage.id)).one()
            readers = session.scalars(select(Account.id).order_by(Account.id)).all()
        return record, ReadingService(record), stage_id, readers

    return open_


def at_once(work, arguments):
    """Run `work` with each argument in a thread of its own, all beginning together; what they return, in order."""
    gate = threading.Barrier(len(arguments))

    def run(argument):
        gate.wait()
        return work(argument)

    with ThreadPoolExecutor(len(arguments)) as threads:
        return list(threads.map(run, arguments))


def seats(record):
    with record.database.read() as session:
        return session.scalars(select(Comparison).order_by(Comparison.id)).all()


def test_readers_at_once_take_every_seat_exactly_once(open_room):
    record, room, stage_id, readers = open_room(n_cases=60, n_readers=N_THREADS, n_seats=2)

    def read(reader):
        taken = []
        while view := room.next_comparison(reader, stage_id):
            room.decide(reader, view.token, PICK, idempotency_key="key", drawing=None)
            taken.append(view.token)
        return taken

    tokens = [token for taken in at_once(read, readers) for token in taken]
    found = seats(record)
    assert Counter(tokens) == Counter(seat.token for seat in found)
    assert len(tokens) == 120
    assert all(seat.decided_at for seat in found)
    pairs = Counter((seat.account_id, seat.case_id) for seat in found)
    assert max(pairs.values()) == 1, "a reader had both seats of a case"
    assert len({seat.account_id for seat in found}) > 2
    with record.database.read() as session:
        assert len(session.scalars(select(Verdict)).all()) == 120


def test_one_reader_in_many_windows_holds_one_seat(open_room):
    record, room, stage_id, (reader,) = open_room(n_cases=30, n_readers=1)
    views = at_once(lambda _: room.next_comparison(reader, stage_id), range(N_THREADS))
    assert len({view.token for view in views}) == 1
    assert sum(seat.account_id is not None for seat in seats(record)) == 1


def test_one_submission_sent_many_times_at_once_is_one_row(open_room):
    record, room, stage_id, (reader,) = open_room(n_cases=2, n_readers=1)
    token = room.next_comparison(reader, stage_id).token
    decision = Decision(VerdictKind.NO_INFECTION)
    revisions = at_once(
        lambda _: room.decide(reader, token, decision, idempotency_key="same", drawing=None), range(N_THREADS)
    )
    assert revisions == [1] * N_THREADS
    with record.database.read() as session:
        assert len(session.scalars(select(Verdict)).all()) == 1
        assert len(session.scalars(select(MaskRow).where(MaskRow.origin == MaskOrigin.EMPTY)).all()) == 1


def test_different_submissions_at_once_are_numbered_without_a_gap(open_room):
    _, room, stage_id, (reader,) = open_room(n_cases=2, n_readers=1)
    token = room.next_comparison(reader, stage_id).token
    revisions = at_once(
        lambda i: room.decide(reader, token, PICK, idempotency_key=f"key-{i}", drawing=None), range(N_THREADS)
    )
    assert sorted(revisions) == list(range(1, N_THREADS + 1))


def test_expiry_against_submission_has_one_outcome(open_room):
    """Whoever wins, the verdict belongs to the seat's present reader, and the loser learns that it is gone."""
    record, room, stage_id, readers = open_room(n_cases=1, n_readers=2)
    first, second = readers
    outcomes: Counter[int | None] = Counter()
    for i in range(30):
        with record.database.write() as session:
            session.query(Verdict).delete()
            session.execute(
                update(Comparison).values(account_id=None, token=None, decided_at=None, leased_until=None, order=None)
            )
        token = room.next_comparison(first, stage_id).token
        with record.database.write() as session:
            session.execute(update(Comparison).values(leased_until=now() - timedelta(seconds=1)))

        def submit(token=token):
            try:
                return room.decide(first, token, PICK, idempotency_key="key", drawing=None)
            except NotFoundError:
                return None

        def take():
            return room.next_comparison(second, stage_id)

        jobs = [submit, take] if i % 2 else [take, submit]
        done = dict(zip([job.__name__ for job in jobs], at_once(lambda job: job(), jobs), strict=True))
        (seat,) = seats(record)
        assert (done["submit"] is None) == (done["take"] is not None)
        assert seat.account_id == (second if done["take"] else first)
        assert (seat.decided_at is None) == (done["take"] is not None)
        outcomes[done["submit"]] += 1
    assert sum(outcomes.values()) == 30


def test_locking_while_a_verdict_is_revised_settles_what_was_acknowledged(open_room):
    """The final mask is the one of the last acknowledged revision, however the two meet."""
    record, room, stage_id, readers = open_room(n_cases=8, n_readers=8)
    tokens = {}
    for reader in readers:
        tokens[reader] = room.next_comparison(reader, stage_id).token
        room.decide(reader, tokens[reader], PICK, idempotency_key="first", drawing=None)
    acknowledged = dict.fromkeys(readers, 0)

    def revise(reader):
        for i in range(200):
            try:
                slot = (i + 1) % 4
                decision = Decision(VerdictKind.PICK, slot=slot)
                room.decide(reader, tokens[reader], decision, idempotency_key=f"later-{i}", drawing=None)
            except StateError:
                return
            acknowledged[reader] = slot

    def work(who):
        if who != "coordinator":
            return revise(who)
        time.sleep(0.05)
        return lock_stage(record, "pilot/I")

    at_once(work, [*readers, "coordinator"])
    with record.database.read() as session:
        finals = {final.case_id: final.mask_id for final in session.scalars(select(FinalMask))}
        assert len(finals) == 8
        for seat in session.scalars(select(Comparison)):
            position = seat.order[acknowledged[seat.account_id]]
            query = select(Candidate.mask_id).where(Candidate.case_id == seat.case_id, Candidate.position == position)
            assert finals[seat.case_id] == session.scalars(query).one()


def test_locking_without_undecided_films_keeps_the_verdict_that_comes_at_that_moment(open_room, monkeypatch):
    record, room, stage_id, (reader,) = open_room(n_cases=3, n_readers=1)
    token = room.next_comparison(reader, stage_id).token
    is_deciding, make = threading.Event(), reading._verdict

    def make_slowly(*arguments):
        is_deciding.set()
        time.sleep(0.5)
        return make(*arguments)

    def lock():
        is_deciding.wait()
        return lock_stage(record, "pilot/I", leave_open=True)

    monkeypatch.setattr(reading, "_verdict", make_slowly)
    decide = partial(room.decide, reader, token, PICK, idempotency_key="key", drawing=None)
    assert at_once(lambda job: job(), [decide, lock]) == [1, 1]
    assert [seat.token for seat in seats(record)] == [token]


def test_locking_at_once_makes_each_final_mask_once(open_room):
    record, room, stage_id, (reader,) = open_room(n_cases=8, n_readers=1)
    while view := room.next_comparison(reader, stage_id):
        room.decide(reader, view.token, PICK, idempotency_key="key", drawing=None)
    assert sum(at_once(lambda _: lock_stage(record, "pilot/I"), range(4))) == 8


def test_training_again_at_once_begins_one_round_with_one_job(open_room):
    record, room, stage_id, (reader,) = open_room(n_cases=8, n_readers=1)
    jobs.prepare(record.database)
    while view := room.next_comparison(reader, stage_id):
        room.decide(reader, view.token, PICK, idempotency_key="key", drawing=None)

    def train(_):
        try:
            return request_training(record, "pilot/I")
        except StateError:
            return None

    assert len([job_id for job_id in at_once(train, range(4)) if job_id is not None]) == 1
    with record.database.read() as session:
        assert [round_.number for round_ in session.get_one(Stage, stage_id).rounds] == [1, 2]


def test_a_film_taken_away_is_gone_for_those_who_take_seats_meanwhile(open_room):
    record, room, stage_id, readers = open_room(n_cases=1, n_readers=12, n_seats=12)
    marker = readers[0]
    token = room.next_comparison(marker, stage_id).token
    decision = Decision(VerdictKind.UNREADABLE, reason=UnreadableReason.IDENTIFIER_VISIBLE)

    def work(reader):
        if reader == marker:
            room.decide(marker, token, decision, idempotency_key="key", drawing=None)
            return None
        try:
            return room.next_comparison(reader, stage_id)
        except OverreadError:
            return None

    views = dict(zip(readers, at_once(work, readers), strict=True))
    for reader, view in views.items():
        if view is not None:
            with pytest.raises((NotFoundError, StateError)):
                room.film(reader, view.token)
    assert all(room.next_comparison(reader, stage_id) is None for reader in readers)
    assert [seat.token for seat in seats(record)] == [token]

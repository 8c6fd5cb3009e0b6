"""Readers at once on one record, on SQLite and on PostgreSQL: no seat is given twice, no verdict lost or doubled."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from random import Random

import pytest
from sqlalchemy import delete, func, select, update

from annotation_server.services import deciding
from annotation_server.services.coordinating import lock_stage, request_training
from annotation_server.services.reading import ReadingService
from annotation_server.services.rostering import leave_stage
from db import jobs
from db.domain.errors import NotAllowedError, NotFoundError, OverreadError, StateError
from db.domain.provenance import MaskOrigin
from db.domain.verdict import Decision, UnreadableReason, VerdictKind
from db.models import Account, Candidate, Comparison, FinalMask, MaskRow, Stage, StageReader, Verdict, now

N_THREADS = 24
MANY = (pytest.mark.torture, pytest.mark.timeout(3600))
"""The full counts of a gate."""

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


@pytest.mark.parametrize(("n_cases", "n_readers"), [(60, N_THREADS), pytest.param(10_000, 64, marks=MANY)])
def test_readers_at_once_take_every_seat_exactly_once(open_room, n_cases, n_readers):
    record, room, stage_id, readers = open_room(n_cases=n_cases, n_readers=n_readers, n_seats=2)

    def read(reader):
        taken = []
        while view := room.next_comparison(reader, stage_id):
            room.decide(reader, view.token, PICK, idempotency_key="key", drawing=None)
            taken.append(view.token)
        return taken

    tokens = [token for taken in at_once(read, readers) for token in taken]
    found = seats(record)
    assert Counter(tokens) == Counter(seat.token for seat in found)
    assert len(tokens) == 2 * n_cases
    assert all(seat.decided_at for seat in found)
    pairs = Counter((seat.account_id, seat.case_id) for seat in found)
    assert max(pairs.values()) == 1, "a reader had both seats of a case"
    assert len({seat.account_id for seat in found}) > 2
    with record.database.read() as session:
        assert session.scalar(select(func.count(Verdict.id))) == 2 * n_cases


def test_one_reader_in_many_windows_holds_one_seat(open_room):
    record, room, stage_id, (reader,) = open_room(n_cases=30, n_readers=1)
    views = at_once(lambda _: room.next_comparison(reader, stage_id), range(N_THREADS))
    assert len({view.token for view in views}) == 1
    assert sum(seat.account_id is not None for seat in seats(record)) == 1


@pytest.mark.parametrize("n_sent", [N_THREADS, pytest.param(100, marks=MANY)])
def test_one_submission_sent_many_times_at_once_is_one_row(open_room, n_sent):
    record, room, stage_id, (reader,) = open_room(n_cases=2, n_readers=1)
    token = room.next_comparison(reader, stage_id).token
    decision = Decision(VerdictKind.NO_INFECTION)
    revisions = at_once(
        lambda _: room.decide(reader, token, decision, idempotency_key="same", drawing=None), range(n_sent)
    )
    assert revisions == [1] * n_sent
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


@pytest.mark.parametrize("n_schedules", [50, pytest.param(1000, marks=MANY)])
def test_expiry_against_submission_against_revocation_has_one_outcome(open_room, n_schedules):
    """A reader submits, another takes the seat if its lease has run out, a coordinator lets the first one go.

    Whoever comes first, the outcome is one that some order of the three gives: the verdict is there and so is its
    reader, or it is not and the seat is another's or free.
    """
    record, room, stage_id, (first, second) = open_room(n_cases=1, n_readers=2)
    random = Random(n_schedules)  # noqa: S311 - schedules are no secrets
    outcomes: Counter[tuple[bool, bool]] = Counter()
    for _ in range(n_schedules):
        with record.database.write() as session:
            session.execute(delete(Verdict))
            session.execute(delete(StageReader))
            freed = {"account_id": None, "token": None, "decided_at": None, "leased_until": None, "order": None}
            session.execute(update(Comparison).values(**freed, claimed_at=None, postponed_at=None))
        token = room.next_comparison(first, stage_id).token
        if random.random() < 0.7:
            with record.database.write() as session:
                session.execute(update(Comparison).values(leased_until=now() - timedelta(seconds=1)))

        def submit(token=token):
            try:
                return room.decide(first, token, PICK, idempotency_key="key", drawing=None)
            except (NotFoundError, NotAllowedError):
                return None

        def take():
            return room.next_comparison(second, stage_id)

        def revoke():
            with record.database.write() as session:
                leave_stage(session, session.get_one(Stage, stage_id), session.get_one(Account, first), counts=True)

        delays = [random.choice([0, 0, 0.001, 0.003, 0.01]) for _ in range(3)]
        jobs = list(zip([submit, take, revoke], delays, strict=True))
        random.shuffle(jobs)

        def run(job):
            time.sleep(job[1])
            return job[0].__name__, job[0]()

        done = dict(at_once(run, jobs))
        (seat,) = seats(record)
        with record.database.read() as session:
            verdicts = session.scalars(select(Verdict)).all()
        assert [verdict.account_id for verdict in verdicts] == ([first] if done["submit"] else [])
        if done["submit"]:
            assert (seat.account_id, seat.token, done["take"]) == (first, token, None)
        else:
            held = (second, done["take"].token) if done["take"] else (None, None)
            assert (seat.account_id, seat.token) == held
        assert (seat.decided_at is not None) == bool(done["submit"])
        with pytest.raises(NotAllowedError):
            room.next_comparison(first, stage_id)
        outcomes[bool(done["submit"]), bool(done["take"])] += 1
    assert sum(outcomes.values()) == n_schedules
    assert len(outcomes) > 1, "the schedules are all alike"
    print(f"expiry, submission, revocation: {n_schedules} schedules, one outcome each {dict(outcomes)}")


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
    is_deciding, make = threading.Event(), deciding.write_verdict

    def make_slowly(*arguments, **options):
        is_deciding.set()
        time.sleep(0.5)
        return make(*arguments, **options)

    def lock():
        is_deciding.wait()
        return lock_stage(record, "pilot/I", leave_open=True)

    monkeypatch.setattr("annotation_server.services.reading.write_verdict", make_slowly)
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

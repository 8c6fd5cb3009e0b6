import pytest
from sqlalchemy import select

from db.domain.agreement import MANUAL
from db.domain.campaign import StageState
from db.domain.errors import StateError
from db.domain.provenance import MaskOrigin
from db.domain.verdict import VerdictKind
from db.models import Account, Candidate, Comparison, Round, Stage, Verdict, now
from db.repository.judgements import judge_round

ORDER = [2, 0, 3, 1]


@pytest.fixture
def record(build_room):
    return build_room(n_cases=1)


@pytest.fixture
def session(record):
    with record.database.write() as session:
        session.scalars(select(Stage)).one().state = StageState.UNBLINDED
        yield session


def decide(session, *verdicts):
    """Reader r1 decides the one comparison, seen in `ORDER`: revisions of kind and slot, the last of which counts."""
    seat = session.scalars(select(Comparison)).one()
    reader = session.scalars(select(Account)).one()
    seat.account_id, seat.token, seat.order, seat.decided_at = reader.id, "t", ORDER, now()
    for number, (kind, slot) in enumerate(verdicts, 1):
        seat.verdicts.append(
            Verdict(
                revision=number,
                account=reader,
                kind=kind,
                slot=slot,
                idempotency_key=str(number),
                protocol_digest="p",
            )
        )
    session.flush()


def judge(session, record):
    return judge_round(session, record.store, session.scalars(select(Round.id)).one())


def test_origins_stand_in_the_order_that_the_reader_saw(session, record):
    decide(session, (VerdictKind.PICK, 1))
    by_position = {one.position: one.mask for one in session.scalars(select(Candidate))}
    (judgement,) = judge(session, record)
    expected = [by_position[i].checkpoint.network if by_position[i].checkpoint else MANUAL for i in ORDER]
    assert list(judgement.origins) == expected
    assert expected.count(MANUAL) == 1
    assert (judgement.reader, judgement.case, judgement.slot) == ("r1", "secret-case-0", 1)


def test_the_last_revision_counts(session, record):
    decide(session, (VerdictKind.PICK, 1), (VerdictKind.DENY_ALL, None))
    (judgement,) = judge(session, record)
    assert (judgement.kind, judgement.slot, judgement.credit) == (VerdictKind.DENY_ALL, None, {})


def test_equal_candidates_share_the_credit_of_a_pick(session, record):
    networks = [one.mask for one in session.scalars(select(Candidate)) if one.mask.origin is MaskOrigin.NETWORK]
    networks[1].map_digest = networks[0].map_digest
    position = session.scalars(select(Candidate.position).where(Candidate.mask_id == networks[0].id)).one()
    decide(session, (VerdictKind.PICK, ORDER.index(position)))
    (judgement,) = judge(session, record)
    assert sorted(judgement.credit.values()) == [0.5, 0.5]
    assert MANUAL not in judgement.credit


@pytest.mark.parametrize("state", [StageState.OPEN, StageState.LOCKED])
def test_origins_stay_hidden_before_unblinding(session, record, state):
    decide(session, (VerdictKind.PICK, 1))
    session.scalars(select(Stage)).one().state = state
    with pytest.raises(StateError, match="hidden"):
        judge(session, record)

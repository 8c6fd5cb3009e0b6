"""Who gets which seat. A claim is one statement, so that two readers never get the same one.

A seat is free while nobody holds it, and again when its reader's lease has run out without a verdict.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Select, cast, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, joinedload, selectinload

from db.domain.candidate import slot_order
from db.models import Account, Comparison, Round, now

SHOWN = (joinedload(Comparison.case, innerjoin=True), selectinload(Comparison.verdicts))
"""What is loaded with a seat, so that it can be shown after the transaction that took it."""

PRIME = 2**31 - 1
TOKEN_BYTES = 24


@dataclass(frozen=True)
class Claimant:
    """A reader in a round, and until when a seat claimed now is theirs."""

    account: Account
    round: Round
    leased_until: datetime

    @property
    def own(self) -> ColumnElement[bool]:
        """The seats of this round that are the reader's."""
        return (Comparison.round_id == self.round.id) & (Comparison.account_id == self.account.id)

    @property
    def seed(self) -> int:
        """The campaign's."""
        return self.round.stage.campaign.definition.seed


def find_held(session: Session, reader: Claimant, *, postponed: bool) -> Comparison | None:
    """The reader's own undecided seat, locked: the one before them, or the one postponed first."""
    query = select(Comparison).where(reader.own, Comparison.decided_at.is_(None))
    is_postponed = Comparison.postponed_at.is_not(None)
    query = query.where(is_postponed if postponed else ~is_postponed)
    order = Comparison.postponed_at, Comparison.claimed_at, Comparison.id
    return session.scalar(query.order_by(*order).limit(1).options(*SHOWN).with_for_update(of=Comparison))


def claim(session: Session, reader: Claimant) -> Comparison | None:
    """Take the first free seat in the reader's own order of cases, with a new token and order of slots."""
    n_claimed, _ = count_own(session, reader)
    slots = slot_order(
        reader.round.stage.definition.n_candidates, seed=reader.seed, reader=reader.account.code, position=n_claimed
    )
    seat = _free_seats(reader, Comparison.id).order_by(_case_order(reader), Comparison.seat).limit(1)
    taken = (
        update(Comparison)
        .where(Comparison.id == seat.with_for_update(skip_locked=True).scalar_subquery())
        .values(
            account_id=reader.account.id,
            token=secrets.token_urlsafe(TOKEN_BYTES),
            order=slots,
            claimed_at=now(),
            leased_until=reader.leased_until,
            postponed_at=None,
        )
        .returning(Comparison.id)
        .execution_options(synchronize_session=False)
    )
    id_ = session.scalar(taken)
    return None if id_ is None else session.get_one(Comparison, id_, options=SHOWN, populate_existing=True)


def count_own(session: Session, reader: Claimant) -> tuple[int, int]:
    """How many seats the reader has, and how many of them are decided."""
    n_own, n_decided = session.execute(select(func.count(), func.count(Comparison.decided_at)).where(reader.own)).one()
    return n_own, n_decided


def count_free(session: Session, reader: Claimant) -> int:
    """Cases that the reader could still claim."""
    cases = _free_seats(reader, Comparison.case_id).distinct()
    return session.scalar(select(func.count()).select_from(cases.subquery())) or 0


def _free_seats(reader: Claimant, column: InstrumentedAttribute[int]) -> Select[int]:
    """Seats that nobody holds, of cases of which the reader has no seat yet."""
    mine = aliased(Comparison)
    cases_of_mine = select(mine.case_id).where(mine.round_id == reader.round.id, mine.account_id == reader.account.id)
    return select(column).where(
        Comparison.round_id == reader.round.id,
        Comparison.decided_at.is_(None),
        or_(Comparison.account_id.is_(None), Comparison.leased_until < now()),
        Comparison.case_id.not_in(cases_of_mine),
    )


def _case_order(reader: Claimant) -> ColumnElement[int]:
    """A hash of the case under a key of seed and reader, which SQLite and PostgreSQL compute alike.

    A random quadratic over a prime field: any three cases stand in random order. Source: Wegman and Carter (1981).
    """
    key = hashlib.sha256(f"{reader.seed}/{reader.account.code}".encode()).digest()
    square, slope, offset = (int.from_bytes(key[i : i + 8]) % PRIME for i in (0, 8, 16))
    case = cast(Comparison.case_id, BigInteger)
    return (case * case % PRIME * square % PRIME + case * slope + offset) % PRIME

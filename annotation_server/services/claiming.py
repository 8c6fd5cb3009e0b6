"""Who gets which seat. A claim locks the row that it takes, so that two readers never get the same one.

A seat is free while nobody holds it. One whose lease ran out stays with its reader until no other is free. Seats have
random places (`Comparison.rank`); each claim begins at a place of its own and takes the next free seat, so that the
order of cases is random for each reader, and a claim reads few rows however many there are.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import ColumnElement, Select, delete, func, or_, select
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from db.domain.campaign import RoundState
from db.domain.candidate import slot_order
from db.domain.provenance import MaskOrigin
from db.domain.study import DRAWN, JUDGED, MAX_RANK, SHARED, OwnDrawing, SeatKind, first_position, keyed_integer
from db.models import Account, Comparison, Draft, MaskRow, Round, now
from db.repository.roster import count_readers, place_of

SHOWN = (joinedload(Comparison.case, innerjoin=True), selectinload(Comparison.verdicts))
"""What is loaded with a seat, so that it can be shown after the transaction that took it."""

TOKEN_BYTES = 24

KEEPS_OUT = frozenset({SeatKind.READING, SeatKind.PAIR, SeatKind.ADJUDICATION, SeatKind.SENTINEL})
"""Who has such a seat before a case gets no further shared one before it in the round."""


@dataclass(frozen=True)
class Claimant:
    """A reader in a round, and until when a seat claimed now is theirs.

    `quota` bounds the reader's shared seats; `n_readers` share the stage.
    """

    account: Account
    round: Round
    leased_until: datetime
    quota: int | None = None
    n_readers: int = 1

    @classmethod
    def enter(cls, session: Session, account: Account, round_: Round, leased_until: datetime) -> Self:
        """The reader as the stage knows them.

        Raises
        ------
        NotAllowedError
            If the stage was assigned to others, or the reader has left it.
        """
        place = place_of(session, round_.stage, account.id)
        n_readers = count_readers(session, round_.stage_id, is_assigned=place is not None)
        return cls(account, round_, leased_until, place.quota if place else None, max(1, n_readers))

    @property
    def own(self) -> ColumnElement[bool]:
        """The reader's seats of this round, of the kinds that its state is for."""
        kinds = DRAWN if self.is_drawing else JUDGED
        return self.of_round & (Comparison.account_id == self.account.id) & Comparison.kind.in_(kinds)

    @property
    def of_round(self) -> ColumnElement[bool]:
        """The seats of this round."""
        return Comparison.round_id == self.round.id

    @property
    def is_drawing(self) -> bool:
        """Whether the round is drawn, not read."""
        return self.round.state is RoundState.DRAWING

    @property
    def seed(self) -> int:
        """The campaign's."""
        return self.round.stage.campaign.definition.seed

    def number(self, purpose: str, n_claimed: int) -> int:
        """64 random bits that follow from the campaign's seed, the reader and how many seats the reader had."""
        return keyed_integer(f"{self.seed}/{self.account.code}/{n_claimed}/{purpose}")


def find_held(session: Session, reader: Claimant, *, postponed: bool) -> Comparison | None:
    """The reader's own undecided seat, locked: the one before them, or the one postponed first."""
    is_postponed = Comparison.postponed_at.is_not(None)
    held = _seats(reader.own, Comparison.token.is_not(None), is_postponed if postponed else ~is_postponed)
    order = Comparison.postponed_at, Comparison.claimed_at, Comparison.id
    return session.scalar(held.order_by(*order).limit(1).with_for_update(of=Comparison))


def claim(session: Session, reader: Claimant) -> Comparison | None:
    """The reader's next seat, with a new token and order of slots.

    Practice comes first. Repeats and checks, which were made for this reader, are mixed with the free seats in
    proportion to how many of either the reader can still expect.
    """
    n_claimed = session.scalar(select(func.count()).where(reader.own, Comparison.token.is_not(None))) or 0
    if reader.round.stage.definition.study.n_practice_cases:
        practice = _first(session, _waiting(reader).where(Comparison.kind == SeatKind.PRACTICE))
        if practice is not None or _has_open_practice(session, reader):
            return _take(session, reader, practice, n_claimed)
    return _take(session, reader, _mixed(session, reader, n_claimed), n_claimed)


def _mixed(session: Session, reader: Claimant, n_claimed: int) -> Comparison | None:
    n_waiting = session.scalar(select(func.count()).select_from(_waiting(reader).subquery())) or 0
    n_expected = count_free(session, reader) / reader.n_readers if n_waiting else 0.0
    is_turn = reader.number("turn", n_claimed) % MAX_RANK * (n_waiting + n_expected) < n_waiting * MAX_RANK
    start = reader.number("start", n_claimed) % MAX_RANK
    waiting = (_from(_waiting(reader), start, is_before=is_before) for is_before in (False, True))
    free = _free(session, reader, start)
    for query in (*waiting, *free) if n_waiting and is_turn else (*free, *(waiting if n_waiting else ())):
        if (seat := _first(session, query)) is not None:
            return seat
    return None


def _free(session: Session, reader: Claimant, start: int) -> Iterator[Select[Comparison]]:
    """Free seats that the reader may take: those behind `start`, those before it, those of expired leases."""
    if _is_full(session, reader):
        return
    unheld = _seats(reader.of_round, Comparison.account_id.is_(None), *_admitted(reader))
    for is_before in (False, True):
        yield _from(unheld, start, is_before=is_before)
    yield _expired(reader).order_by(Comparison.leased_until)


def count_own(session: Session, reader: Claimant) -> tuple[int, int]:
    """How many seats the reader has by now, and how many of them are decided."""
    is_due = or_(Comparison.available_at.is_(None), Comparison.available_at <= now())
    n_own, n_decided = session.execute(
        select(func.count(), func.count(Comparison.decided_at)).where(reader.own, is_due)
    ).one()
    return n_own, n_decided


def count_free(session: Session, reader: Claimant) -> int:
    """Cases that the reader could still claim, at most."""
    if _is_full(session, reader):
        return 0
    ranks = select(Comparison.rank).where(reader.of_round, Comparison.account_id.is_(None)).distinct()
    n_unheld = _count(session, ranks)
    if n_unheld:
        n_unheld -= _count(session, ranks.where(or_(*_barred(reader))))
    n_left = n_unheld + _count(session, _expired(reader))
    return n_left if reader.quota is None else min(n_left, reader.quota - _n_shared(session, reader))


def _take(session: Session, reader: Claimant, seat: Comparison | None, n_claimed: int) -> Comparison | None:
    if seat is None:
        return None
    if seat.account_id not in {None, reader.account.id}:  # what its former reader drew is nobody else's to see
        session.execute(delete(Draft).where(Draft.comparison_id == seat.id))
    seat.account_id, seat.token = reader.account.id, secrets.token_urlsafe(TOKEN_BYTES)
    seat.order = _order(reader, seat, n_claimed)
    seat.claimed_at, seat.leased_until, seat.postponed_at = now(), reader.leased_until, None
    return seat


def _order(reader: Claimant, seat: Comparison, n_claimed: int) -> list[int] | None:
    """Which position stands in each slot; the two of a pair were chosen when it was made."""
    if seat.kind.is_drawn:
        return None
    n = reader.round.stage.definition.n_candidates
    first = first_position(seat.kind, n)
    positions = (seat.order or []) if seat.kind is SeatKind.PAIR else list(range(first, first + n))
    slots = slot_order(len(positions), seed=reader.seed, reader=reader.account.code, position=n_claimed)
    return [positions[i] for i in slots]


def _seats(*conditions: ColumnElement[bool]) -> Select[Comparison]:
    return select(Comparison).where(Comparison.decided_at.is_(None), *conditions).options(*SHOWN)


def _first(session: Session, query: Select[Comparison]) -> Comparison | None:
    return session.scalar(query.limit(1).with_for_update(skip_locked=True, of=Comparison))


def _from(query: Select[Comparison], start: int, *, is_before: bool) -> Select[Comparison]:
    bound = Comparison.rank < start if is_before else Comparison.rank >= start
    return query.where(bound).order_by(Comparison.rank, Comparison.seat)


def _waiting(reader: Claimant) -> Select[Comparison]:
    """Seats that were made for the reader, and have not been shown."""
    is_due = or_(Comparison.available_at.is_(None), Comparison.available_at <= now())
    return _seats(reader.own, Comparison.token.is_(None), is_due)


def _expired(reader: Claimant) -> Select[Comparison]:
    """Shared seats of others whose lease has run out."""
    return _seats(
        reader.of_round,
        Comparison.leased_until < now(),
        Comparison.account_id != reader.account.id,
        Comparison.kind.in_(SHARED),
        *_admitted(reader),
    )


def _has_open_practice(session: Session, reader: Claimant) -> bool:
    practice = _seats(reader.own).where(Comparison.kind == SeatKind.PRACTICE)
    return session.scalar(practice.limit(1)) is not None


def _is_full(session: Session, reader: Claimant) -> bool:
    return reader.quota is not None and _n_shared(session, reader) >= reader.quota


def _n_shared(session: Session, reader: Claimant) -> int:
    return session.scalar(select(func.count()).where(reader.own, Comparison.kind.in_(SHARED))) or 0


def _admitted(reader: Claimant) -> list[ColumnElement[bool]]:
    return [~condition for condition in _barred(reader)]


def _barred(reader: Claimant) -> list[ColumnElement[bool]]:
    """Why a shared seat is not for this reader: another one before the same case, or the rule on own drawings."""
    mine = aliased(Comparison)
    own = select(mine.case_id).where(mine.round_id == reader.round.id, mine.account_id == reader.account.id)
    case = Comparison.case_id
    if reader.is_drawing:
        drawn = _drawn_by(reader)
        return [case.in_(own), (Comparison.kind == SeatKind.SENTINEL) & case.in_(drawn)]
    definition = reader.round.stage.definition
    if reader.n_readers > definition.readers_per_case:
        barred: list[ColumnElement[bool]] = [case.in_(own.where(mine.kind.in_(KEEPS_OUT)))]
    else:  # nobody else is there to take the pairs
        is_pair = Comparison.kind == SeatKind.PAIR
        others = own.where(mine.kind.in_(KEEPS_OUT - {SeatKind.PAIR}))
        barred = [is_pair & case.in_(own.where(mine.kind == SeatKind.PAIR)), ~is_pair & case.in_(others)]
    return barred + (_barred_by_own_drawing(reader) if definition.with_drawing else [])


def _barred_by_own_drawing(reader: Claimant) -> list[ColumnElement[bool]]:
    study = reader.round.stage.definition.study
    fresh = MaskRow.created_at > now() - timedelta(days=study.own_washout_days)
    case, drawn = Comparison.case_id, _drawn_by(reader)
    if study.own_drawing is OwnDrawing.NEVER:
        return [case.in_(drawn)]
    barred: list[ColumnElement[bool]] = [case.in_(drawn.where(fresh))] if study.own_washout_days else []
    if study.own_drawing is OwnDrawing.ONLY:
        barred.append(case.not_in(drawn) & (Comparison.kind != SeatKind.ADJUDICATION))
    return barred


def _drawn_by(reader: Claimant) -> Select[int]:
    return select(MaskRow.case_id).where(
        MaskRow.account_id == reader.account.id,
        MaskRow.origin == MaskOrigin.DRAWING,
        MaskRow.campaign_id == reader.round.stage.campaign_id,
    )


def _count(session: Session, query: Select[int] | Select[Comparison]) -> int:
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0

"""The statements behind a claim. Each is built once for a set of rules, because building takes longer than running it.

All of them take the parameters of `Claimant.parameters`.
"""

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, or_, select
from sqlalchemy.orm import aliased

from db.domain.campaign import StageDefinition
from db.domain.provenance import MaskOrigin
from db.domain.study import DRAWN, JUDGED, SHARED, OwnDrawing, SeatKind
from db.models import Comparison, MaskRow, UtcDateTime

KEEPS_OUT = frozenset({SeatKind.READING, SeatKind.PAIR, SeatKind.ADJUDICATION, SeatKind.SENTINEL})
"""Who has such a seat before a case gets no further shared one before it in the round."""

ROUND, READER = bindparam("round_id", type_=Integer()), bindparam("account_id", type_=Integer())
CAMPAIGN, START = bindparam("campaign_id", type_=Integer()), bindparam("start", type_=Integer(), value=0)
BESIDE = bindparam("beside", type_=Integer(), value=0)
"""A seat that is not asked for; no seat has number 0."""

MOMENT = bindparam("moment", type_=UtcDateTime())
FRESH_SINCE = bindparam("fresh_since", type_=UtcDateTime())


@dataclass(frozen=True)
class Rules:
    """What decides which seats a reader may take.

    `pairs_apart` keeps the two panes of a case from who has read it; where nobody else is there they are not kept.
    """

    is_drawing: bool
    own_drawing: OwnDrawing = OwnDrawing.ALLOWED
    has_washout: bool = False
    pairs_apart: bool = True

    @classmethod
    def of(cls, definition: StageDefinition, *, is_drawing: bool, pairs_apart: bool) -> "Rules":
        """The rules of a stage; own drawings matter where they are on offer."""
        if is_drawing or not definition.with_drawing:
            return cls(is_drawing, pairs_apart=pairs_apart)
        study = definition.study
        return cls(is_drawing, study.own_drawing, bool(study.own_washout_days), pairs_apart)


def own(rules: Rules) -> ColumnElement[bool]:
    """The reader's seats of the round, of the kinds that its state is for."""
    kinds = DRAWN if rules.is_drawing else JUDGED
    return (Comparison.round_id == ROUND) & (Comparison.account_id == READER) & Comparison.kind.in_(kinds)


@lru_cache
def held_seat(rules: Rules, *, postponed: bool) -> Select[Comparison]:
    """The undecided seat before the reader, or the one postponed first; another one than `BESIDE`."""
    is_postponed = Comparison.postponed_at.is_not(None)
    is_other = Comparison.id != BESIDE
    held = _seats(own(rules), Comparison.token.is_not(None), is_other, is_postponed if postponed else ~is_postponed)
    order = Comparison.postponed_at, Comparison.claimed_at, Comparison.id
    return held.order_by(*order).limit(1).with_for_update(of=Comparison)


@lru_cache
def waiting_seat(rules: Rules, *, is_before: bool) -> Select[Comparison]:
    """A seat that was made for the reader and has not been shown."""
    waiting = _seats(own(rules), Comparison.kind != SeatKind.PRACTICE, Comparison.token.is_(None), _is_due())
    return _first(_from(waiting, is_before=is_before))


@lru_cache
def practice_seat(rules: Rules) -> Select[Comparison]:
    """A practice seat that has not been shown."""
    practice = _seats(own(rules), Comparison.kind == SeatKind.PRACTICE, Comparison.token.is_(None))
    return _first(practice.order_by(Comparison.rank))


@lru_cache
def free_seat(rules: Rules, *, is_before: bool) -> Select[Comparison]:
    """A seat that nobody holds and the reader may take."""
    unheld = Comparison.account_id.is_(None)
    admitted = (~condition for condition in _barred(rules))
    return _first(_from(_seats(Comparison.round_id == ROUND, unheld, *admitted), is_before=is_before))


@lru_cache
def expired_seat(rules: Rules) -> Select[Comparison]:
    """A shared seat of another reader whose lease has run out, the earliest first."""
    return _first(_seats(*_expired(rules)).order_by(Comparison.leased_until))


@lru_cache
def counts_of_own(rules: Rules) -> Select[int, int, int, int, int]:
    """How many seats the reader has by now: all, decided, shown, shared, and open practice."""
    is_open = Comparison.decided_at.is_(None)
    return select(
        func.count().filter(_is_due()),
        func.count(Comparison.decided_at),
        func.count(Comparison.token),
        func.count().filter(Comparison.kind.in_(SHARED)),
        func.count().filter(is_open, Comparison.kind == SeatKind.PRACTICE),
    ).where(own(rules))


@lru_cache
def count_of_places() -> Select[int]:
    """How many places among the round's seats, one a case and kind, hold a seat that nobody holds."""
    return select(_count(_places().where(Comparison.account_id.is_(None))))


@lru_cache
def counts_of_barred(rules: Rules) -> Select[int, int]:
    """How many of those places are not for the reader, and how many seats of others the reader could take over."""
    # Written so that no index serves it: the reader's few cases lead to their seats, instead of all that are unheld.
    is_unheld = func.coalesce(Comparison.account_id, 0) == 0
    barred = _places().where(is_unheld, or_(*_barred(rules)))
    expired = select(func.count()).where(Comparison.decided_at.is_(None), *_expired(rules)).scalar_subquery()
    return select(_count(barred), expired)


def _places() -> Select[int]:
    return select(Comparison.rank).where(Comparison.round_id == ROUND).distinct()


def _count(places: Select[int]) -> ColumnElement[int]:
    return select(func.count()).select_from(places.subquery()).scalar_subquery()


def _seats(*conditions: ColumnElement[bool]) -> Select[Comparison]:
    return select(Comparison).where(Comparison.decided_at.is_(None), *conditions)


def _first(query: Select[Comparison]) -> Select[Comparison]:
    return query.limit(1).with_for_update(skip_locked=True, of=Comparison)


def _from(query: Select[Comparison], *, is_before: bool) -> Select[Comparison]:
    """In the order of the index that begins with round and reader; PostgreSQL sees it only if it is told all of it."""
    bound = Comparison.rank < START if is_before else Comparison.rank >= START
    return query.where(bound).order_by(Comparison.account_id, Comparison.rank, Comparison.seat)


def _is_due() -> ColumnElement[bool]:
    return or_(Comparison.available_at.is_(None), Comparison.available_at <= MOMENT)


def _expired(rules: Rules) -> list[ColumnElement[bool]]:
    return [
        Comparison.round_id == ROUND,
        Comparison.leased_until < MOMENT,
        Comparison.account_id != READER,
        Comparison.kind.in_(SHARED),
        *(~condition for condition in _barred(rules)),
    ]


def _barred(rules: Rules) -> list[ColumnElement[bool]]:
    """Why a shared seat is not for this reader: another one before the same case, or the rule on own drawings."""
    mine = aliased(Comparison)
    of_mine = select(mine.case_id).where(mine.round_id == ROUND, mine.account_id == READER)
    case = Comparison.case_id
    if rules.is_drawing:
        return [case.in_(of_mine), (Comparison.kind == SeatKind.SENTINEL) & case.in_(_drawn())]
    if rules.pairs_apart:
        return [case.in_(of_mine.where(mine.kind.in_(KEEPS_OUT))), *_barred_by_own_drawing(rules)]
    is_pair = Comparison.kind == SeatKind.PAIR
    others = of_mine.where(mine.kind.in_(KEEPS_OUT - {SeatKind.PAIR}))
    return [
        is_pair & case.in_(of_mine.where(mine.kind == SeatKind.PAIR)),
        ~is_pair & case.in_(others),
        *_barred_by_own_drawing(rules),
    ]


def _barred_by_own_drawing(rules: Rules) -> list[ColumnElement[bool]]:
    case = Comparison.case_id
    if rules.own_drawing is OwnDrawing.NEVER:
        return [case.in_(_drawn())]
    barred: list[ColumnElement[bool]] = []
    if rules.has_washout:
        barred.append(case.in_(_drawn().where(MaskRow.created_at > FRESH_SINCE)))
    if rules.own_drawing is OwnDrawing.ONLY:
        barred.append(case.not_in(_drawn()) & (Comparison.kind != SeatKind.ADJUDICATION))
    return barred


def _drawn() -> Select[int]:
    """Cases that the reader drew, by whatever drawing."""
    return select(MaskRow.case_id).where(
        MaskRow.account_id == READER, MaskRow.origin == MaskOrigin.DRAWING, MaskRow.campaign_id == CAMPAIGN
    )

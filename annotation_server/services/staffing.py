"""Who reads a stage and how far they are: what the readers' page shows. Nothing here unblinds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.domain.provenance import Role
from db.domain.study import SeatKind
from db.domain.verdict import VerdictKind
from db.models import Account, CaseRow, Comparison, Round, Stage, StageReader, Verdict, now
from db.repository.cases import set_aside
from db.repository.roster import is_assigned


class SeatState(StrEnum):
    """How a reader stands to a case."""

    DECIDED = "decided"
    HELD = "held"
    POSTPONED = "postponed"
    EXPIRED = "expired"
    WAITING = "waiting"


@dataclass(frozen=True)
class RosterLine:
    """One reader of a stage.

    Attributes
    ----------
    is_named
        Whether the stage names the reader; where it names nobody every reader may read.
    n_decided
        Seats decided, checks, repeats and practice included; `n_verdicts` counts plain readings.
    median_visible_s
        Of all decided seats but practice; None where there are none.
    per_day
        Verdicts in the last 24 hours.
    """

    code: str
    is_named: bool
    is_simulated: bool
    is_active: bool
    quota: int | None
    has_left: bool
    counts: bool
    n_decided: int
    n_verdicts: int
    n_open: int
    n_denied: int
    median_visible_s: float | None
    per_day: int

    @property
    def denied_share(self) -> float | None:
        """Of plain readings; None without any."""
        return self.n_denied / self.n_verdicts if self.n_verdicts else None


@dataclass(frozen=True)
class MatrixRow:
    """One case: how its seats stand with each reader, by code, and how many are free."""

    case: str
    seats: Mapping[str, tuple[SeatState, ...]]
    n_free: int


@dataclass(frozen=True)
class StageRoster:
    """Everything about the readers of a stage; `matrix` holds a page of its cases."""

    lines: Sequence[RosterLine]
    is_open_to_all: bool
    matrix: Sequence[MatrixRow]
    n_cases: int
    n_seats_of_kind: Mapping[SeatKind, tuple[int, int]]


def stage_roster(session: Session, stage: Stage, *, first: int = 0, n_rows: int = 50) -> StageRoster:
    """Who reads a stage, with cases `first` to `first + n_rows` of the matrix."""
    round_ = stage.rounds[-1] if stage.rounds else None
    matrix, n_cases = _matrix(session, round_, first, n_rows) if round_ else ([], 0)
    return StageRoster(
        lines=_lines(session, stage, round_),
        is_open_to_all=not is_assigned(session, stage.id),
        matrix=matrix,
        n_cases=n_cases,
        n_seats_of_kind=_kinds(session, round_) if round_ else {},
    )


def _lines(session: Session, stage: Stage, round_: Round | None) -> list[RosterLine]:
    named = {
        one.account_id: one for one in session.scalars(select(StageReader).where(StageReader.stage_id == stage.id))
    }
    seats: dict[int, list[Comparison]] = defaultdict(list)
    if round_ is not None:
        query = select(Comparison).where(Comparison.round_id == round_.id, Comparison.account_id.is_not(None))
        for seat in session.scalars(query):
            seats[seat.account_id or 0].append(seat)
    last = _last_verdicts(session, round_)
    accounts = session.scalars(select(Account).where(Account.role == Role.READER).order_by(Account.code)).all()
    return [
        _line(account, named.get(account.id), seats[account.id], last)
        for account in accounts
        if account.id in named or account.id in seats or (account.active and not named)
    ]


def _last_verdicts(session: Session, round_: Round | None) -> dict[int, Verdict]:
    if round_ is None:
        return {}
    query = select(Verdict).join(Comparison).where(Comparison.round_id == round_.id).order_by(Verdict.revision)
    return {verdict.comparison_id: verdict for verdict in session.scalars(query)}


def _line(
    account: Account, place: StageReader | None, seats: Sequence[Comparison], last: Mapping[int, Verdict]
) -> RosterLine:
    decided = [seat for seat in seats if seat.decided_at is not None]
    read = [last[seat.id] for seat in decided if seat.kind is SeatKind.READING and seat.id in last]
    timed = [last[seat.id].visible_ms for seat in decided if seat.kind is not SeatKind.PRACTICE and seat.id in last]
    return RosterLine(
        code=account.code,
        is_named=place is not None,
        is_simulated=account.simulated,
        is_active=account.active,
        quota=place.quota if place else None,
        has_left=place is not None and place.left_at is not None,
        counts=place is None or place.counts,
        n_decided=len(decided),
        n_verdicts=len(read),
        n_open=sum(seat.decided_at is None and seat.token is not None for seat in seats),
        n_denied=sum(verdict.kind is VerdictKind.DENY_ALL for verdict in read),
        median_visible_s=median(timed) / 1000 if timed else None,
        per_day=sum((now() - seat.decided_at).days < 1 for seat in decided if seat.decided_at),
    )


def _matrix(session: Session, round_: Round, first: int, n_rows: int) -> tuple[list[MatrixRow], int]:
    in_round = select(Comparison.case_id).where(
        Comparison.round_id == round_.id, Comparison.case_id.not_in(set_aside(round_.stage.campaign_id))
    )
    n_cases = session.scalar(select(func.count()).select_from(in_round.distinct().subquery())) or 0
    keys = select(CaseRow.id, CaseRow.key).where(CaseRow.id.in_(in_round)).order_by(CaseRow.key)
    page = dict(session.execute(keys.offset(first).limit(n_rows)).all())
    query = (
        select(Comparison, Account.code)
        .outerjoin(Account, Account.id == Comparison.account_id)
        .where(Comparison.round_id == round_.id, Comparison.case_id.in_(page))
        .order_by(Comparison.seat)
    )
    seats: dict[int, dict[str, list[SeatState]]] = {case_id: defaultdict(list) for case_id in page}
    free = dict.fromkeys(page, 0)
    for seat, code in session.execute(query):
        if seat.account_id is None:
            free[seat.case_id] += 1
        else:
            seats[seat.case_id][code].append(_state(seat))
    rows = [
        MatrixRow(key, {code: tuple(states) for code, states in seats[case_id].items()}, free[case_id])
        for case_id, key in page.items()
    ]
    return rows, n_cases


def _state(seat: Comparison) -> SeatState:
    if seat.decided_at is not None:
        return SeatState.DECIDED
    if seat.token is None:
        return SeatState.WAITING
    if seat.postponed_at is not None:
        return SeatState.POSTPONED
    return SeatState.EXPIRED if seat.leased_until is not None and seat.leased_until < now() else SeatState.HELD


def _kinds(session: Session, round_: Round) -> dict[SeatKind, tuple[int, int]]:
    """How many seats of each kind there are, and how many of them are decided."""
    query = (
        select(Comparison.kind, func.count(), func.count(Comparison.decided_at))
        .where(Comparison.round_id == round_.id)
        .group_by(Comparison.kind)
    )
    return {kind: (n, n_decided) for kind, n, n_decided in session.execute(query)}

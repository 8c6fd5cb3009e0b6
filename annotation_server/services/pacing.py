"""How many seats each reader decided on each day: the pace of a stage. Nothing here unblinds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Account, Comparison, Round, Stage

N_DAYS = 28


@dataclass(frozen=True)
class Pace:
    """Decided seats [day] of each reader, by code. `days` end with the last one on which anybody decided, in UTC."""

    days: Sequence[date]
    of_reader: Mapping[str, Sequence[int]]


def stage_pace(session: Session, stage: Stage) -> Pace | None:
    """The pace in a stage's rounds over `N_DAYS` days at most; None where nothing was decided yet."""
    query = (
        select(Account.code, Comparison.decided_at)
        .join(Account, Account.id == Comparison.account_id)
        .join(Round, Round.id == Comparison.round_id)
        .where(Round.stage_id == stage.id, Comparison.decided_at.is_not(None))
    )
    counts = Counter((code, decided_at.date()) for code, decided_at in session.execute(query) if decided_at)
    if not counts:
        return None
    decided = {day for _, day in counts}
    first = max(min(decided), max(decided) - timedelta(days=N_DAYS - 1))
    days = [first + timedelta(days=i) for i in range((max(decided) - first).days + 1)]
    codes = sorted({code for code, _ in counts})
    return Pace(days, {code: [counts[code, day] for day in days] for code in codes})

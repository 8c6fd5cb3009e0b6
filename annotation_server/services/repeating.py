"""The same case again, before the same reader, after the washout: agreement with oneself."""

from datetime import timedelta

from sqlalchemy.orm import Session

from db.domain.study import MAX_RANK, SeatKind, keyed_integer, seat_number
from db.domain.verdict import VerdictKind
from db.models import Account, Comparison, now


def plan_repeat(session: Session, seat: Comparison, reader: Account, kind: VerdictKind) -> None:
    """Make the repeat of a plain reading that its reader has just decided for the first time, if it is in the sample.

    Whether it is follows from the campaign's seed, the reader and the case. A film that cannot be read is not shown
    again.
    """
    stage = seat.round.stage
    study = stage.definition.study
    if seat.kind is not SeatKind.READING or kind is VerdictKind.UNREADABLE or not study.repeat_share:
        return
    seed = stage.campaign.definition.seed
    drawn = keyed_integer(f"{seed}/{reader.code}/{stage.id}/{seat.case_id}/repeat") % MAX_RANK
    if drawn >= study.repeat_share * MAX_RANK:
        return
    repeat = Comparison(
        round_id=seat.round_id,
        case_id=seat.case_id,
        seat=seat_number(SeatKind.REPEAT, seat.seat),
        kind=SeatKind.REPEAT,
        account_id=reader.id,
        available_at=now() + timedelta(days=study.repeat_washout_days),
    )
    session.add(repeat)

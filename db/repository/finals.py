"""Final masks: what the readers' verdicts of a round come to."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.artifacts import Store
from db.domain.errors import StateError
from db.domain.verdict import VerdictKind
from db.models import FinalMask, Round, Stage, Verdict
from db.record import Record
from db.repository.lineage import certify
from db.repository.pixels import Likeness, shown_mask
from db.repository.seating import name_cases
from db.repository.verdicts import Outcome, weigh_verdicts


@dataclass(frozen=True)
class _Settled:
    case_id: int
    verdict_id: int
    mask_id: int
    digest: str


def settle_round(record: Record, round_id: int) -> int:
    """Make the final mask of every decided case of a round that has none yet; the number made.

    Pixels are computed and stored before the rows are written, so that no writer waits for them; doing it again, also
    at the same moment, changes nothing. Every mask's certificate is checked first. A film that was taken away from
    the study gets none.

    Raises
    ------
    StateError
        If the readers of a case differ and nobody adjudicated it.
    InvariantError
        If a mask descends from a network that saw its component.
    """
    with record.database.read() as session:
        round_ = session.get_one(Round, round_id)
        pending = _pending(session, record.store, round_)
        certify(session, [verdict.mask_id for verdict in pending if verdict.mask_id is not None])
        settled = [_settle(record.store, verdict) for verdict in pending]
        campaign_id = round_.stage.campaign_id
    with record.database.write() as session:
        session.get_one(Round, round_id, with_for_update=True)  # whoever settles it too comes before or after
        done = _settled_cases(session, round_id)
        finals = [
            FinalMask(campaign_id=campaign_id, round_id=round_id, **vars(one))
            for one in settled
            if one.case_id not in done
        ]
        session.add_all(finals)
    return len(finals)


def _settled_cases(session: Session, round_id: int) -> set[int]:
    return set(session.scalars(select(FinalMask.case_id).where(FinalMask.round_id == round_id)))


def require_agreement(outcome: Outcome, stage: Stage) -> None:
    """Raise StateError while readers differ whom nobody adjudicated; the cases are named."""
    if outcome.disputed:
        seats = [verdicts[0].comparison for verdicts in outcome.disputed.values()]
        msg = f"The readers of {len(seats)} cases of stage {stage.address} differ ({name_cases(seats)})."
        raise StateError(
            msg, hint=f"They wait for adjudication: `overread stage adjudicate {stage.address}`; or let readers revise."
        )


def _pending(session: Session, store: Store, round_: Round) -> list[Verdict]:
    settled = _settled_cases(session, round_.id)
    outcome = weigh_verdicts(session, Likeness(store), round_.id)
    require_agreement(outcome, round_.stage)
    return [
        verdict
        for case_id, verdict in outcome.agreed.items()
        if case_id not in settled and verdict.kind is not VerdictKind.UNREADABLE
    ]


def _settle(store: Store, verdict: Verdict) -> _Settled:
    mask = verdict.mask
    if mask is None:
        msg = f"Verdict {verdict.id} ({verdict.kind}) has no mask."
        raise StateError(msg, hint="Run `overread doctor`.")
    return _Settled(mask.case_id, verdict.id, mask.id, store.put_mask(shown_mask(store, mask)))

"""Final masks: what the readers' verdicts of a round come to."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.artifacts import Store
from db.domain.campaign import Arm
from db.domain.errors import StateError
from db.domain.mask import Mask, canonical_mask
from db.domain.provenance import MaskOrigin
from db.domain.verdict import VerdictKind
from db.models import CampaignCase, Comparison, FinalMask, MaskRow, Round, Verdict
from db.record import Record
from db.repository.lineage import certify


@dataclass(frozen=True)
class _Settled:
    case_id: int
    verdict_id: int
    mask_id: int
    digest: str


def current_verdicts(session: Session, round_id: int) -> dict[int, list[Verdict]]:
    """The verdicts that count: case id -> the last revision of each seat that was decided."""
    query = select(Comparison).where(Comparison.round_id == round_id).order_by(Comparison.case_id, Comparison.seat)
    found: dict[int, list[Verdict]] = defaultdict(list)
    for comparison in session.scalars(query):
        if comparison.verdicts:
            found[comparison.case_id].append(comparison.verdicts[-1])
    return found


def agreed_verdicts(session: Session, round_id: int) -> dict[int, Verdict]:
    """The verdict of each decided case: case id -> what all its readers chose.

    Raises
    ------
    StateError
        If two readers of one case differ: that needs adjudication.
    """
    agreed = {}
    for case_id, verdicts in current_verdicts(session, round_id).items():
        if len({verdict.mask_id for verdict in verdicts}) > 1:
            msg = f"The readers of case {verdicts[0].comparison.case.key} differ."
            raise StateError(msg, hint="Let one of them revise the verdict; adjudication settles the rest.")
        agreed[case_id] = verdicts[0]
    return agreed


def settle_round(record: Record, round_id: int) -> int:
    """Make the final mask of every decided case of a round that has none yet; the number made.

    Pixels are computed and stored before the rows are written, so that no writer waits for them; doing it again, also
    at the same moment, changes nothing. Every mask's certificate is checked first. A film that was taken away from
    the study gets none.

    Raises
    ------
    StateError
        If two readers of one case differ: that needs adjudication.
    InvariantError
        If a mask descends from a network that saw its component.
    """
    with record.database.read() as session:
        round_ = session.get_one(Round, round_id)
        pending = _pending(session, round_)
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


def shown_mask(store: Store, mask: MaskRow) -> Mask:
    """The mask at the film's size, bool [height, width], as it counts when accepted.

    A network's map and a stage I drawing pass through the canonical mask; what a reader edited or drew in answer to a
    comparison stays as it is.
    """
    height, width = mask.case.height_px, mask.case.width_px
    if mask.map_digest is not None:
        return canonical_mask(store.get_map(mask.map_digest), height, width)
    if mask.digest is None:
        msg = f"Mask {mask.id} has neither a file nor a map."
        raise StateError(msg, hint="Run `overread doctor`.")
    native = store.get_mask(mask.digest)
    return canonical_mask(native, height, width) if mask.origin is MaskOrigin.DRAWING else native


def _settled_cases(session: Session, round_id: int) -> set[int]:
    return set(session.scalars(select(FinalMask.case_id).where(FinalMask.round_id == round_id)))


def _pending(session: Session, round_: Round) -> list[Verdict]:
    taken_away = select(CampaignCase.case_id).where(
        CampaignCase.campaign_id == round_.stage.campaign_id, CampaignCase.arm == Arm.SET_ASIDE
    )
    passed_over = _settled_cases(session, round_.id) | set(session.scalars(taken_away))
    agreed = agreed_verdicts(session, round_.id)
    return [
        verdict
        for case_id, verdict in agreed.items()
        if case_id not in passed_over and verdict.kind is not VerdictKind.UNREADABLE
    ]


def _settle(store: Store, verdict: Verdict) -> _Settled:
    mask = verdict.mask
    if mask is None:
        msg = f"Verdict {verdict.id} ({verdict.kind}) has no mask."
        raise StateError(msg, hint="Run `overread doctor`.")
    return _Settled(mask.case_id, verdict.id, mask.id, store.put_mask(shown_mask(store, mask)))

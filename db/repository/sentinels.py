"""What a stage's sentinels tell, the cases that were drawn before any candidate existed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.agreement import Share, measure_mean
from db.domain.campaign import Arm
from db.domain.provenance import MaskOrigin
from db.domain.study import SeatKind
from db.models import CampaignCase, Candidate, FinalMask, MaskRow, PhantomTruth, Round, Verdict
from db.repository.judgements import origin_name
from db.repository.pixels import Likeness
from db.repository.verdicts import current_verdicts

MS_A_MINUTE = 60_000


@dataclass(frozen=True)
class SentinelFigures:
    """What only cases drawn before any candidate existed can tell. Differences are in Dice, means over cases.

    Attributes
    ----------
    final_to_sentinel
        How alike the final masks and the independent drawings are.
    flattery
        For each network its candidates' Dice against the final masks less that against the sentinel drawings: how far
        scores against proposed masks flatter the proposer.
    gain
        Dice against the truth, final masks less sentinel drawings; None where no truth is known.
    drawing_minutes, reading_minutes
        A doctor's minutes for a mask: drawn from nothing, and accepted by reading, all readers of a case together.
    """

    n: int
    final_to_sentinel: Share
    flattery: Mapping[str, Share]
    gain: Share | None
    drawing_minutes: float
    reading_minutes: float


def sentinel_figures(session: Session, likeness: Likeness, round_id: int) -> SentinelFigures | None:
    """Measure them for one round; None where no sentinel case has both a drawing and a final mask."""
    stage = session.get_one(Round, round_id).stage
    drawn = current_verdicts(session, stage.rounds[0].id, kinds={SeatKind.SENTINEL})
    members = session.scalars(
        select(CampaignCase.case_id).where(CampaignCase.stage_id == stage.id, CampaignCase.arm == Arm.SENTINEL)
    )
    finals = {
        final.case_id: final for final in session.scalars(select(FinalMask).where(FinalMask.round_id == round_id))
    }
    drawings = {id_: drawn[id_][-1] for id_ in members if id_ in drawn and id_ in finals}
    cases = {id_: (finals[id_].mask, verdict.mask) for id_, verdict in drawings.items() if verdict.mask is not None}
    if not cases:
        return None
    patients = {id_: finals[id_].case.patient for id_ in cases}
    reading = current_verdicts(session, round_id)
    return SentinelFigures(
        n=len(cases),
        final_to_sentinel=measure_mean([likeness.dice(*masks) for masks in cases.values()], list(patients.values())),
        flattery=_flattery(session, likeness, round_id, cases, patients),
        gain=_gain(session, likeness, cases, patients),
        drawing_minutes=_minutes([[drawings[id_]] for id_ in cases]),
        reading_minutes=_minutes([reading.get(id_, []) for id_ in cases]),
    )


def _flattery(
    session: Session,
    likeness: Likeness,
    round_id: int,
    cases: Mapping[int, tuple[MaskRow, MaskRow]],
    patients: Mapping[int, str],
) -> dict[str, Share]:
    n = session.get_one(Round, round_id).stage.definition.n_candidates
    query = select(Candidate).where(
        Candidate.round_id == round_id, Candidate.case_id.in_(cases), Candidate.position < n
    )
    found: dict[str, tuple[list[float], list[str]]] = defaultdict(lambda: ([], []))
    for one in session.scalars(query):
        if one.mask.origin is MaskOrigin.NETWORK:
            final, sentinel = cases[one.case_id]
            values, of_patients = found[origin_name(one.mask)]
            values.append(likeness.dice(one.mask, final) - likeness.dice(one.mask, sentinel))
            of_patients.append(patients[one.case_id])
    return {name: measure_mean(*columns) for name, columns in sorted(found.items())}


def _gain(
    session: Session, likeness: Likeness, cases: Mapping[int, tuple[MaskRow, MaskRow]], patients: Mapping[int, str]
) -> Share | None:
    values, of_patients = [], []
    for truth in session.scalars(select(PhantomTruth).where(PhantomTruth.case_id.in_(cases))):
        final, sentinel = cases[truth.case_id]
        true = likeness.of_file(truth.infection_digest, final.case)
        values.append(likeness.dice(final, true) - likeness.dice(sentinel, true))
        of_patients.append(patients[truth.case_id])
    return measure_mean(values, of_patients) if values else None


def _minutes(verdicts: Sequence[Sequence[Verdict]]) -> float:
    """Mean minutes a case that its screens were visible, all revisions and readers together."""
    times = [sum(one.visible_ms for verdict in of_case for one in verdict.comparison.verdicts) for of_case in verdicts]
    return float(np.mean(times)) / MS_A_MINUTE

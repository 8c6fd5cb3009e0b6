"""What the study's design tells beside the preference, once a stage is unblinded."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import nan

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.artifacts import Store
from db.domain.agreement import MANUAL, Judgement, Preference, Share, measure_preference, measure_share
from db.domain.campaign import Arm
from db.domain.clustering import crossed_interval
from db.domain.provenance import MaskOrigin
from db.domain.reliability import bradley_terry, fleiss_kappa, nominal_alpha
from db.domain.study import SeatKind
from db.domain.verdict import VerdictKind
from db.models import CampaignCase, Candidate, FinalMask, MaskRow, PhantomTruth, Round, Verdict
from db.repository.judgements import judge_round, origin_name, require_unblinded
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


@dataclass(frozen=True)
class StudyFigures:
    """Agreement, consistency, care, and how strong each origin is.

    Attributes
    ----------
    kappa, alpha
        Fleiss' kappa and Krippendorff's alpha over what was chosen, by origin; nan with one reader a case.
    chosen_dice
        Mean Dice between the masks that two readers of one case chose.
    repeats
        How often a reader chose an equal mask when the case came again.
    checks
        How often the right mask was picked among flawed ones.
    pairs
        How often the machine was picked of two panes; an indifferent reader picks it half the time.
    own, others
        Preference where the reader's own drawing was on offer, and where it was not.
    strengths
        Bradley-Terry, which takes choices for independent.
    with_left_out
        The preference with the verdicts of readers who left and do not count; None where there are none.
    """

    kappa: float
    alpha: float
    chosen_dice: Share
    repeats: Share
    checks: Share
    checks_of_reader: Mapping[str, Share]
    pairs: Share
    own: Preference
    others: Preference
    strengths: Mapping[str, float]
    with_left_out: Preference | None
    sentinel: SentinelFigures | None


def study_figures(session: Session, store: Store, round_id: int) -> StudyFigures:
    """Measure them for one round.

    Raises
    ------
    StateError
        Before its stage is unblinded.
    """
    require_unblinded(session.get_one(Round, round_id).stage)
    likeness = Likeness(store)
    judgements = judge_round(session, store, round_id)
    everybody = judge_round(session, store, round_id, of_all=True)
    checks = judge_round(session, store, round_id, kinds={SeatKind.CHECK})
    pairs = [one for one in judge_round(session, store, round_id, kinds={SeatKind.PAIR}) if one.slot is not None]
    ratings = _ratings(judgements)
    verdicts = current_verdicts(session, round_id)
    return StudyFigures(
        kappa=fleiss_kappa(ratings),
        alpha=nominal_alpha(ratings),
        chosen_dice=_chosen_dice(likeness, verdicts),
        repeats=_repeats(session, likeness, round_id, verdicts),
        checks=_care(checks),
        checks_of_reader={
            reader: _care([one for one in checks if one.reader == reader])
            for reader in sorted({c.reader for c in checks})
        },
        pairs=measure_share(
            [(one.reader, 1 - one.credit.get(MANUAL, 0.0)) for one in pairs], patients=[one.patient for one in pairs]
        ),
        own=measure_preference([one for one in judgements if one.holds_own]),
        others=measure_preference([one for one in judgements if not one.holds_own]),
        strengths=bradley_terry(_wins(judgements)),
        with_left_out=measure_preference(everybody) if len(everybody) > len(judgements) else None,
        sentinel=_sentinel(session, likeness, round_id),
    )


def _ratings(judgements: Sequence[Judgement]) -> list[list[Hashable]]:
    """What each case's readers said: the chosen origin, or the kind of verdict."""
    of_case: dict[str, list[Hashable]] = defaultdict(list)
    for one in judgements:
        of_case[one.case].append(one.kind if one.slot is None else one.origins[one.slot])
    return list(of_case.values())


def _wins(judgements: Sequence[Judgement]) -> dict[tuple[str, str], float]:
    wins: dict[tuple[str, str], float] = defaultdict(float)
    for one in judgements:
        if one.kind is VerdictKind.PICK:
            for winner, credit in one.credit.items():
                for loser in set(one.origins) - set(one.credit):
                    wins[winner, loser] += credit
    return wins


def _chosen_dice(likeness: Likeness, verdicts: Mapping[int, Sequence[Verdict]]) -> Share:
    values, patients = [], []
    for of_case in verdicts.values():
        masks = [verdict.mask for verdict in of_case if verdict.mask is not None]
        if pairs := [likeness.dice(a, b) for a, b in combinations(masks, 2)]:
            values.append(float(np.mean(pairs)))
            patients.append(of_case[0].comparison.case.patient)
    return _mean(values, patients)


def _repeats(session: Session, likeness: Likeness, round_id: int, verdicts: Mapping[int, Sequence[Verdict]]) -> Share:
    first = {(case_id, one.account_id): one for case_id, of_case in verdicts.items() for one in of_case}
    again = current_verdicts(session, round_id, kinds={SeatKind.REPEAT})
    pairs = [
        (first[case_id, one.account_id], one)
        for case_id, of_case in again.items()
        for one in of_case
        if (case_id, one.account_id) in first
    ]
    return measure_share(
        [(one.account.code, float(likeness.are_equal(before.mask, one.mask))) for before, one in pairs],
        patients=[one.comparison.case.patient for _, one in pairs],
    )


def _care(checks: Sequence[Judgement]) -> Share:
    passed = [(one.reader, float(one.slot is not None and one.origins[one.slot] == "right")) for one in checks]
    return measure_share(passed, patients=[one.patient for one in checks])


def _sentinel(session: Session, likeness: Likeness, round_id: int) -> SentinelFigures | None:
    """None where no sentinel case has both a drawing and a final mask."""
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
        final_to_sentinel=_mean([likeness.dice(*masks) for masks in cases.values()], list(patients.values())),
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
    return {name: _mean(*columns) for name, columns in sorted(found.items())}


def _gain(
    session: Session, likeness: Likeness, cases: Mapping[int, tuple[MaskRow, MaskRow]], patients: Mapping[int, str]
) -> Share | None:
    values, of_patients = [], []
    for truth in session.scalars(select(PhantomTruth).where(PhantomTruth.case_id.in_(cases))):
        final, sentinel = cases[truth.case_id]
        true = likeness.of_file(truth.infection_digest, final.case)
        values.append(likeness.dice(final, true) - likeness.dice(sentinel, true))
        of_patients.append(patients[truth.case_id])
    return _mean(values, of_patients) if values else None


def _mean(values: Sequence[float], patients: Sequence[str]) -> Share:
    if not values:
        return Share(nan, nan, nan, 0, "no case")
    low, high = crossed_interval(values, [0] * len(values), patients)
    return Share(float(np.mean(values)), low, high, len(values), f"bootstrap over {len(set(patients))} patients")


def _minutes(verdicts: Sequence[Sequence[Verdict]]) -> float:
    """Mean minutes a case that its screens were visible, all revisions and readers together."""
    times = [sum(one.visible_ms for verdict in of_case for one in verdict.comparison.verdicts) for of_case in verdicts]
    return float(np.mean(times)) / MS_A_MINUTE

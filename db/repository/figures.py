"""What the study's design tells beside the preference, once a stage is unblinded."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from db.artifacts import Store
from db.domain.agreement import (
    MANUAL,
    Judgement,
    Preference,
    Share,
    measure_mean,
    measure_preference,
    measure_share,
)
from db.domain.campaign import StageState
from db.domain.errors import StateError
from db.domain.reliability import bradley_terry, measure_agreement
from db.domain.study import SeatKind
from db.domain.verdict import VerdictKind
from db.models import CampaignCase, CaseRow, Round, Verdict
from db.repository.judgements import judge_round, require_unblinded
from db.repository.pixels import Likeness
from db.repository.sentinels import SentinelFigures, sentinel_figures
from db.repository.verdicts import current_verdicts


@dataclass(frozen=True)
class StudyFigures:
    """Agreement, consistency, care, and how strong each origin is.

    Attributes
    ----------
    origins
        What share of the picks each origin earned; equal masks share the credit.
    kinds
        The preference by kind of case: its source, its view, and whether it is a sentinel. Only what differs within
        the round is told apart.
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

    origins: Mapping[str, Share]
    kinds: Mapping[str, Preference]
    kappa: Share
    alpha: Share
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


@dataclass(frozen=True)
class LockedFigures:
    """What may be told once a stage is locked and before it is unblinded: nothing here knows who made a mask.

    Attributes
    ----------
    denied
        Share of judgements that denied all, of all but unreadable films; then reader by reader, by code.
    chosen_dice
        Mean Dice between the masks that two readers of one case chose.
    """

    denied: Share
    denied_of_reader: Mapping[str, Share]
    chosen_dice: Share


def locked_figures(session: Session, store: Store, round_id: int) -> LockedFigures:
    """Measure them for one round.

    Raises
    ------
    StateError
        Before its stage is locked: figures that readers could hear of would not be blind any more.
    """
    stage = session.get_one(Round, round_id).stage
    if stage.state in {StageState.DRAFT, StageState.OPEN}:
        msg = f"Stage {stage.address} is {stage.state}: its figures are told once it is locked."
        raise StateError(msg, hint=f"Run `overread stage lock {stage.address}` when its reading is over.")
    verdicts = current_verdicts(session, round_id)
    judged = [one for of_case in verdicts.values() for one in of_case if one.kind is not VerdictKind.UNREADABLE]
    codes = sorted({one.account.code for one in judged})
    return LockedFigures(
        denied=_denied(judged),
        denied_of_reader={code: _denied([one for one in judged if one.account.code == code]) for code in codes},
        chosen_dice=_chosen_dice(Likeness(store), verdicts),
    )


def _denied(judged: Sequence[Verdict]) -> Share:
    return measure_share(
        [(one.account.code, float(one.kind is VerdictKind.DENY_ALL)) for one in judged],
        patients=[one.comparison.case.patient for one in judged],
    )


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
    kappa, alpha = measure_agreement(*_ratings(judgements))
    verdicts = current_verdicts(session, round_id)
    return StudyFigures(
        origins=_origins(judgements),
        kinds=_kinds(session, round_id, judgements),
        kappa=kappa,
        alpha=alpha,
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
        sentinel=sentinel_figures(session, likeness, round_id),
    )


def _origins(judgements: Sequence[Judgement]) -> dict[str, Share]:
    picks = [one for one in judgements if one.kind is VerdictKind.PICK]
    patients = [one.patient for one in picks]
    return {
        origin: measure_share([(one.reader, one.credit.get(origin, 0.0)) for one in picks], patients=patients)
        for origin in sorted({origin for one in picks for origin in one.origins})
    }


def _kinds(session: Session, round_id: int, judgements: Sequence[Judgement]) -> dict[str, Preference]:
    campaign_id = session.get_one(Round, round_id).stage.campaign_id
    query = select(CampaignCase).join(CaseRow).where(CampaignCase.campaign_id == campaign_id)
    members = {one.case.key: one for one in session.scalars(query.options(joinedload(CampaignCase.case)))}
    told_apart: dict[str, Callable[[CampaignCase], str]] = {
        "source": lambda one: one.case.source,
        "view": lambda one: one.case.view,
        "arm": lambda one: one.arm,
    }
    found: dict[str, Preference] = {}
    for name, ask in told_apart.items():
        of_kind: dict[str, list[Judgement]] = defaultdict(list)
        for one in judgements:
            of_kind[ask(members[one.case])].append(one)
        if len(of_kind) > 1:
            found |= {f"{name} {kind or 'unknown'}": measure_preference(own) for kind, own in sorted(of_kind.items())}
    return found


def _ratings(judgements: Sequence[Judgement]) -> tuple[list[list[Hashable]], list[str]]:
    """What each case's readers said, the chosen origin or the kind of verdict, and the cases' patients."""
    of_case: dict[str, list[Hashable]] = defaultdict(list)
    patients: dict[str, str] = {}
    for one in judgements:
        of_case[one.case].append(one.kind if one.slot is None else one.origins[one.slot])
        patients[one.case] = one.patient
    return list(of_case.values()), list(patients.values())


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
    return measure_mean(values, patients)


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

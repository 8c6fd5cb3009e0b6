"""What a round's verdicts came to, and how good its masks are where the truth is known.

Masks are compared on the canonical grid, where readers saw them. As long as a stage is blind, nothing here tells one
origin from another.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.artifacts import Store
from db.domain.agreement import (
    MANUAL,
    Judgement,
    PositionBias,
    Preference,
    chance_machine_preferred,
    measure_position_bias,
    measure_preference,
)
from db.domain.mask import THRESHOLD, Mask, dice, grid_shape, resample
from db.domain.study import SeatKind
from db.models import Campaign, Candidate, CaseRow, Comparison, FinalMask, MaskRow, PhantomTruth, Round, Verdict
from db.repository.judgements import UNBLINDED, judge_round
from db.repository.pixels import grid_mask
from db.repository.verdicts import current_verdicts
from pipelines.report.estimates import Estimate

HIDDEN = "hidden"
"""Stands for every origin of a blind stage."""

CORRELATIONS = (0.0, 0.6, 0.9)
"""How alike the machines may be; chance is stated for each."""


@dataclass(frozen=True)
class CaseMasks:
    """Dice of a case's masks: candidates by origin, `MANUAL` or a network's name; empty where nothing may be told."""

    component: str
    to_final: Mapping[str, float]
    to_truth: Mapping[str, float]
    final_to_truth: float | None
    machine_proposed: bool


@dataclass(frozen=True)
class CircleRow:
    """A network's candidates against final masks that networks proposed, and against the truth of the same films."""

    network: str
    to_final: Estimate
    to_truth: Estimate
    flattery: Estimate


@dataclass(frozen=True, eq=False)
class RoundReading:
    """A round that is read or was."""

    round: Round
    judgements: tuple[Judgement, ...]
    verdicts: tuple[Verdict, ...]
    cases: tuple[CaseMasks, ...]
    n_comparisons: int

    @property
    def title(self) -> str:
        """The stage, and the round where there was more than one."""
        stage = self.round.stage
        return f"Stage {stage.name}" + (f", round {self.round.number}" if len(stage.rounds) > 1 else "")

    @property
    def is_unblinded(self) -> bool:
        """Whether origins may be told."""
        return self.round.stage.state in UNBLINDED

    @cached_property
    def preference(self) -> Preference:
        """Counts of verdicts, denied share and, for an unblinded stage, what the machine's share was."""
        return measure_preference(self.judgements)

    @property
    def position_bias(self) -> PositionBias:
        """Whether a slot was chosen more often than others."""
        return measure_position_bias(self.judgements)

    @property
    def chance(self) -> dict[float, float]:
        """What an indifferent reader would give the machines, by how alike they are."""
        n_machines = len(self.round.stage.definition.networks)
        return {correlation: chance_machine_preferred(n_machines, correlation) for correlation in CORRELATIONS}

    @property
    def n_also_acceptable(self) -> int:
        """Verdicts that marked further candidates as acceptable."""
        return sum(bool(verdict.also_acceptable) for verdict in self.verdicts)

    @property
    def readers(self) -> dict[str, bool]:
        """Codes of those who judged, and whether each is simulated."""
        return {verdict.account.code: verdict.account.simulated for verdict in self.verdicts}

    @property
    def seconds_a_case(self) -> float | None:
        """Median time that a comparison was visible, seconds; None where no time was taken."""
        times = [verdict.visible_ms for verdict in self.verdicts if verdict.visible_ms]
        return median(times) / 1000 if times else None

    @cached_property
    def against_truth(self) -> dict[str, Estimate]:
        """Mean Dice of each origin's candidates, and of the final masks, where the truth is known."""
        found = {origin: self._mean_to_truth(origin) for origin in self.origins}
        final = [(case.final_to_truth, case.component) for case in self.cases if case.final_to_truth is not None]
        found["final mask"] = Estimate.of(*_columns(final))
        return {name: estimate for name, estimate in found.items() if estimate.n}

    @cached_property
    def gain(self) -> Estimate | None:
        """Mean difference in Dice against truth, final mask less drawing, over the same films."""
        pairs = [
            (case.final_to_truth - case.to_truth[MANUAL], case.component)
            for case in self.cases
            if case.final_to_truth is not None and MANUAL in case.to_truth
        ]
        return Estimate.of(*_columns(pairs)) if pairs else None

    @cached_property
    def circle(self) -> list[CircleRow]:
        """A row a network, over films with a truth whose final mask a network proposed."""
        cases = [case for case in self.cases if case.machine_proposed and case.to_truth]
        rows = []
        for network in self.origins:
            offered = [case for case in cases if network in case.to_truth]
            if network == MANUAL or not offered:
                continue
            final, truth = [c.to_final[network] for c in offered], [c.to_truth[network] for c in offered]
            components = [case.component for case in offered]
            both = [a - b for a, b in zip(final, truth, strict=True)]
            rows.append(CircleRow(network, *(Estimate.of(values, components) for values in (final, truth, both))))
        return rows

    @cached_property
    def origins(self) -> list[str]:
        """The drawing first, then the networks."""
        named = [network.name for network in self.round.stage.definition.networks]
        return [MANUAL, *named] if self.round.stage.definition.with_drawing else named

    def _mean_to_truth(self, origin: str) -> Estimate:
        return Estimate.of(*_columns([(c.to_truth[origin], c.component) for c in self.cases if origin in c.to_truth]))


def find_rounds(session: Session, store: Store, campaign: Campaign) -> list[RoundReading]:
    """Every round that has comparisons, in the campaign's order."""
    truths = dict(session.execute(select(PhantomTruth.case_id, PhantomTruth.infection_digest)).all())
    rounds = [round_ for stage in campaign.stages for round_ in stage.rounds]
    return [reading for round_ in rounds if (reading := _read(session, store, round_, truths)).n_comparisons]


def on_grid(mask: Mask, case: CaseRow) -> Mask:
    """A mask at the film's size on the canonical grid, without smoothing it again."""
    return resample(mask.astype(np.float32), *grid_shape(case.height_px, case.width_px)) >= THRESHOLD


def _read(session: Session, store: Store, round_: Round, truths: Mapping[int, str]) -> RoundReading:
    verdicts = [verdict for said in current_verdicts(session, round_.id).values() for verdict in said]
    is_unblinded = round_.stage.state in UNBLINDED
    judgements = judge_round(session, store, round_.id) if is_unblinded else [_blind(verdict) for verdict in verdicts]
    machine_chosen = {j.case for j in judgements if j.slot is not None and j.origins[j.slot] not in {MANUAL, HIDDEN}}
    candidates: dict[int, list[MaskRow]] = defaultdict(list)
    query = select(Candidate).where(
        Candidate.round_id == round_.id, Candidate.position < round_.stage.definition.n_candidates
    )
    query = query.order_by(Candidate.case_id)
    for candidate in session.scalars(query) if is_unblinded else ():
        candidates[candidate.case_id].append(candidate.mask)
    finals = session.scalars(select(FinalMask).where(FinalMask.round_id == round_.id).order_by(FinalMask.case_id))
    return RoundReading(
        round=round_,
        judgements=tuple(judgements),
        verdicts=tuple(verdicts),
        cases=tuple(
            _compare(
                store,
                final,
                candidates[final.case_id],
                truth=truths.get(final.case_id),
                machine_proposed=final.case.key in machine_chosen,
            )
            for final in finals
        ),
        n_comparisons=session.scalar(
            select(func.count()).where(Comparison.round_id == round_.id, Comparison.kind == SeatKind.READING)
        )
        or 0,
    )


def _blind(verdict: Verdict) -> Judgement:
    """A verdict without the origins that nobody may see yet."""
    seat = verdict.comparison
    return Judgement(seat.case.key, verdict.account.code, (HIDDEN,) * len(seat.order or ()), verdict.kind, verdict.slot)


def _compare(
    store: Store, final: FinalMask, offered: Sequence[MaskRow], *, truth: str | None, machine_proposed: bool
) -> CaseMasks:
    case = final.case
    accepted = on_grid(store.get_mask(final.digest), case)
    true = on_grid(store.get_mask(truth), case) if truth else None
    masks = {mask.checkpoint.network if mask.checkpoint else MANUAL: grid_mask(store, mask) for mask in offered}
    return CaseMasks(
        component=case.component,
        to_final={origin: dice(mask, accepted) for origin, mask in masks.items()},
        to_truth={} if true is None else {origin: dice(mask, true) for origin, mask in masks.items()},
        final_to_truth=None if true is None else dice(accepted, true),
        machine_proposed=machine_proposed,
    )


def _columns(pairs: Sequence[tuple[float, str]]) -> tuple[list[float], list[str]]:
    return [value for value, _ in pairs], [component for _, component in pairs]

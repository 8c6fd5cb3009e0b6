"""What a round's verdicts came to, and how good its masks are where the truth is known.

Masks are compared on the canonical grid, where readers saw them. As long as a stage is blind, nothing here tells one
origin from another.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    find_equal_slots,
    measure_position_bias,
    measure_preference,
)
from db.domain.campaign import StageState
from db.domain.mask import THRESHOLD, Mask, canonical_grid_mask, dice, grid_shape, resample
from db.models import Campaign, Candidate, CaseRow, Comparison, FinalMask, MaskRow, PhantomTruth, Round, Verdict
from db.repository.finals import current_verdicts
from pipelines.report.estimates import Estimate

CORRELATIONS = (0.0, 0.6, 0.9)
"""How alike the machines may be; chance is stated for each."""


@dataclass(frozen=True)
class CaseReading:
    """One case of a round. Dice by origin: `MANUAL` or a network's name; empty where there is nothing to compare."""

    component: str
    judgements: tuple[Judgement, ...]
    to_final: Mapping[str, float] = field(default_factory=dict)
    to_truth: Mapping[str, float] = field(default_factory=dict)
    final_to_truth: float | None = None
    machine_proposed: bool = False


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
    cases: tuple[CaseReading, ...]
    verdicts: tuple[Verdict, ...]
    n_comparisons: int

    @property
    def title(self) -> str:
        """The stage, and the round where there was more than one."""
        stage = self.round.stage
        return f"Stage {stage.name}" + (f", round {self.round.number}" if len(stage.rounds) > 1 else "")

    @property
    def is_unblinded(self) -> bool:
        """Whether origins may be told."""
        return self.round.stage.state in {StageState.UNBLINDED, StageState.CLOSED}

    @cached_property
    def judgements(self) -> list[Judgement]:
        """All that were judged."""
        return [judgement for case in self.cases for judgement in case.judgements]

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
        found = {origin: self._mean_to_truth(origin) for origin in self.origins if self.is_unblinded}
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
        return Estimate.of(*_columns(pairs)) if pairs and self.is_unblinded else None

    @cached_property
    def circle(self) -> list[CircleRow]:
        """A row a network, over films with a truth whose final mask a network proposed."""
        if not self.is_unblinded:
            return []
        cases = [case for case in self.cases if case.machine_proposed and case.to_truth]
        rows = []
        for network in self.origins:
            offered = [case for case in cases if network in case.to_truth]
            if network == MANUAL or not offered:
                continue
            final, truth = ([getattr(case, name)[network] for case in offered] for name in ("to_final", "to_truth"))
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


def grid_mask(store: Store, mask: MaskRow) -> Mask:
    """A candidate as readers saw it: bool [grid height, grid width]."""
    height, width = mask.case.height_px, mask.case.width_px
    if mask.map_digest is not None:
        return canonical_grid_mask(store.get_map(mask.map_digest), height, width)
    return canonical_grid_mask(store.get_mask(mask.digest or ""), height, width)


def on_grid(mask: Mask, case: CaseRow) -> Mask:
    """A mask at the film's size on the canonical grid, without smoothing it again."""
    return resample(mask.astype(np.float32), *grid_shape(case.height_px, case.width_px)) >= THRESHOLD


def _read(session: Session, store: Store, round_: Round, truths: Mapping[int, str]) -> RoundReading:
    verdicts = current_verdicts(session, round_.id)
    finals = {f.case_id: f for f in session.scalars(select(FinalMask).where(FinalMask.round_id == round_.id))}
    candidates: dict[int, list[MaskRow]] = defaultdict(list)
    query = select(Candidate).where(Candidate.round_id == round_.id).order_by(Candidate.case_id, Candidate.position)
    for candidate in session.scalars(query):
        candidates[candidate.case_id].append(candidate.mask)
    return RoundReading(
        round=round_,
        cases=tuple(
            _read_case(store, candidates[id_], said, final=finals.get(id_), truth=truths.get(id_))
            for id_, said in verdicts.items()
        ),
        verdicts=tuple(verdict for said in verdicts.values() for verdict in said),
        n_comparisons=session.scalar(select(func.count(Comparison.id)).where(Comparison.round_id == round_.id)) or 0,
    )


def _read_case(
    store: Store, offered: Sequence[MaskRow], said: Sequence[Verdict], *, final: FinalMask | None, truth: str | None
) -> CaseReading:
    case = offered[0].case
    masks = [grid_mask(store, mask) for mask in offered]
    names = [mask.checkpoint.network if mask.checkpoint else MANUAL for mask in offered]
    accepted = on_grid(store.get_mask(final.digest), case) if final else None
    true = on_grid(store.get_mask(truth), case) if truth else None
    judgements = tuple(_judgement(verdict, names, masks) for verdict in said)
    chosen = [judgement.origins[judgement.slot] for judgement in judgements if judgement.slot is not None]
    return CaseReading(
        component=case.component,
        judgements=judgements,
        to_final=_dice_by(names, masks, accepted),
        to_truth=_dice_by(names, masks, true),
        final_to_truth=dice(accepted, true) if accepted is not None and true is not None else None,
        machine_proposed=final is not None and any(origin != MANUAL for origin in chosen),
    )


def _judgement(verdict: Verdict, names: Sequence[str], masks: Sequence[Mask]) -> Judgement:
    order = verdict.comparison.order or list(range(len(names)))
    in_slots = [masks[position] for position in order]
    return Judgement(
        case=verdict.comparison.case.key,
        reader=verdict.account.code,
        origins=tuple(names[position] for position in order),
        kind=verdict.kind,
        slot=verdict.slot,
        equal_slots=frozenset() if verdict.slot is None else find_equal_slots(in_slots, verdict.slot),
    )


def _dice_by(names: Sequence[str], masks: Sequence[Mask], reference: Mask | None) -> dict[str, float]:
    if reference is None:
        return {}
    return {name: dice(mask, reference) for name, mask in zip(names, masks, strict=True)}


def _columns(pairs: Sequence[tuple[float, str]]) -> tuple[list[float], list[str]]:
    return [value for value, _ in pairs], [component for _, component in pairs]

"""Choosing the networks of a stage before it opens: what is known of them, and the choice that is hashed into it.

The evidence is read from the record: final masks of the closed stages before this one, and out-of-fold maps of the
same cases. Networks are compared as readers see them, on the canonical grid.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db import audit
from db.artifacts import Store
from db.domain.audit import AuditAction
from db.domain.campaign import StageState
from db.domain.ensemble import Floats, OutOfFold, dice_matrix, parse_networks
from db.domain.errors import StateError
from db.domain.mask import Mask, canonical_grid_mask
from db.domain.provenance import JobKind, JobState
from db.models import CampaignCase, Checkpoint, FinalMask, Job, MaskRow, Prediction, Stage, TrainingExample
from db.repository.cases import find_stage
from db.repository.pixels import grid_mask
from db.repository.plans import final_masks

Report = Callable[[int, int], None]
"""Told of progress: cases done, cases in all."""

DIGITS = 6
"""Decimals of the figures that a choice keeps."""


def _silent(_n_done: int, _n_total: int) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of networks before a stage opens.

    Attributes
    ----------
    jobs
        The training or benchmark jobs behind each network's maps.
    n_empty
        Cases left out because their final mask is empty: whatever networks propose, a reader says "no infection".
    n_own
        Counted cases whose final mask is, or was touched up from, one of the very maps that are scored: the Dice of
        that map is 1, or near it, by construction. A later benchmark makes new maps.
    """

    out_of_fold: OutOfFold
    jobs: Mapping[str, tuple[int, ...]]
    n_empty: int
    n_own: int


@dataclass(frozen=True)
class _Map:
    network: str
    case_id: int
    digest: str
    checkpoint_id: int
    job_id: int


@dataclass(eq=False)
class _Scores:
    """Collects each case's Dice, one column a case; nan where a network has no map of it."""

    store: Store
    networks: Sequence[str]
    columns: list[Floats] = field(default_factory=list)
    members: list[CampaignCase] = field(default_factory=list)
    overlaps: list[Floats] = field(default_factory=list)
    n_empty: int = 0
    n_own: int = 0

    def add(self, member: CampaignCase, final: MaskRow, candidate: MaskRow, maps: Mapping[str, str]) -> None:
        """Score one case; `candidate` is the final mask before any touch-up, `maps` are digests by network."""
        reference = grid_mask(self.store, final)
        if not reference.any():
            self.n_empty += 1
            return
        self.members.append(member)
        if len(maps) < len(self.networks):
            self.columns.append(np.full(len(self.networks), nan))
            return
        matrix = dice_matrix([reference, *(self._grid_mask(member, maps[name]) for name in self.networks)])
        self.columns.append(matrix[0, 1:])
        self.overlaps.append(matrix[1:, 1:])
        self.n_own += candidate.map_digest in maps.values()

    def out_of_fold(self) -> OutOfFold | None:
        """All that was added; None where no case counts."""
        if not self.overlaps:
            return None
        return OutOfFold.of_complete_cases(
            self.networks,
            np.stack(self.columns, axis=1),
            np.mean(self.overlaps, axis=0),
            components=[member.component for member in self.members],
            folds=[-1 if member.fold is None else member.fold for member in self.members],
        )

    def _grid_mask(self, member: CampaignCase, digest: str) -> Mask:
        return canonical_grid_mask(self.store.get_map(digest), member.case.height_px, member.case.width_px)


def gather_evidence(session: Session, store: Store, stage: Stage, *, report: Report = _silent) -> Evidence | None:
    """What the record tells of networks for a stage; None where no case has a final mask and all networks' maps.

    Final masks are those of the closed stages before it. Maps are those of the campaign's finished benchmarks and of
    those stages' last rounds; the newest of a network and case counts, and none by a checkpoint that learned from a
    film of the case's component. Masks that such a checkpoint learned from may descend from networks that saw it: as
    in the benchmark, what is measured are predictions, not masks on offer.
    """
    closed = [one for one in stage.campaign.stages[: stage.position] if one.state is StageState.CLOSED]
    members = {
        member.case_id: member
        for member in session.scalars(select(CampaignCase).where(CampaignCase.campaign_id == stage.campaign_id))
    }
    maps = _newest(_unaware(session, _maps(session, closed, stage.campaign_id), members))
    finals = _finals(session, closed, stage.campaign_id)
    of_case: dict[int, dict[str, str]] = defaultdict(dict)
    jobs: dict[str, set[int]] = defaultdict(set)
    for one in maps:
        if one.case_id in finals:
            of_case[one.case_id][one.network] = one.digest
            jobs[one.network].add(one.job_id)
    scores = _Scores(store, sorted(jobs))
    for n_done, (case_id, final) in enumerate(finals.items(), 1):
        scores.add(members[case_id], final.mask, _candidate(session, final.mask), of_case[case_id])
        report(n_done, len(finals))
    found = scores.out_of_fold()
    of_network = {network: tuple(sorted(ids)) for network, ids in jobs.items()}
    return None if found is None else Evidence(found, of_network, scores.n_empty, scores.n_own)


def require_draft(stage: Stage) -> None:
    """Raise StateError unless the stage can still be given networks."""
    if stage.state is StageState.DRAFT:
        return
    drafts = [one.address for one in stage.campaign.stages if one.state is StageState.DRAFT]
    msg = f"Stage {stage.address} is {stage.state}; its networks were fixed when it opened."
    after = f"`overread stage ensemble {drafts[0]}`" if drafts else "create a campaign for other networks"
    raise StateError(msg, hint=f"Networks are chosen while a stage is a draft: {after}.")


def choose_networks(
    session: Session,
    address: str,
    names: Sequence[str],
    evidence: Evidence | None,
    *,
    actor: str = audit.SYSTEM,
) -> Stage:
    """Give a draft stage these networks, and keep with the choice what it rested on.

    Networks that the evidence does not hold are allowed and kept as unmeasured. The order of `names` means nothing.

    Raises
    ------
    InputError
        If a name is unknown or comes twice, or there is none.
    StateError
        If the stage is not a draft any more.
    """
    chosen = sorted(network.name for network in parse_networks(names))
    stage = find_stage(session, address)
    session.refresh(stage, with_for_update=True)  # who opens it meanwhile comes before or after
    require_draft(stage)
    stage.ensemble = {"networks": chosen, "evidence": _evidence(chosen, evidence)}
    audit.log(session, actor, AuditAction.NETWORKS_CHOSEN, address, networks=chosen)
    return stage


def _evidence(chosen: Sequence[str], evidence: Evidence | None) -> dict[str, Any]:
    """What is known of the chosen networks, as plain JSON. The expected best is that of the measured ones."""
    known = evidence.out_of_fold.mean_dice if evidence else {}
    measured = [name for name in chosen if name in known]
    best = evidence.out_of_fold.expected_best(measured) if evidence and measured else None
    return {
        "n_cases": evidence.out_of_fold.n_cases if evidence else 0,
        "dice": {name: round(known[name], DIGITS) for name in measured},
        "unmeasured": [name for name in chosen if name not in known],
        "expected_best": None if best is None else round(best, DIGITS),
        "jobs": sorted({job for name in measured for job in evidence.jobs[name]}) if evidence else [],
    }


def _finals(session: Session, closed: Sequence[Stage], campaign_id: int) -> dict[int, FinalMask]:
    """The newest final mask of each case in the closed stages, by case id."""
    ids = {stage.id for stage in closed}
    newest = {}
    for found in final_masks(session, campaign_id).values():
        if visible := [final for final in found if final.round.stage_id in ids]:
            newest[visible[0].case_id] = visible[0]
    return newest


def _candidate(session: Session, mask: MaskRow) -> MaskRow:
    """The mask itself, or the one it was touched up from."""
    return mask if mask.parent_id is None else session.get_one(MaskRow, mask.parent_id)


def _maps(session: Session, closed: Sequence[Stage], campaign_id: int) -> list[_Map]:
    """Maps by checkpoints that left a fold out: the benchmarks', and those of the stages' last rounds."""
    benchmark = select(Job.id).where(
        Job.campaign_id == campaign_id, Job.kind == JobKind.BENCHMARK, Job.state == JobState.DONE
    )
    trained = select(Job.id).where(
        Job.kind == JobKind.TRAIN,
        Job.state == JobState.DONE,
        Job.round_id.in_([stage.rounds[-1].id for stage in closed]),
    )
    maker = (Checkpoint.id, Checkpoint.job_id)
    predicted = (
        select(Checkpoint.network, Prediction.case_id, Prediction.map_digest, *maker)
        .join(Prediction, Prediction.checkpoint_id == Checkpoint.id)
        .where(Checkpoint.job_id.in_(benchmark), Checkpoint.fold.is_not(None))
    )
    proposed = (
        select(Checkpoint.network, MaskRow.case_id, MaskRow.map_digest, *maker)
        .join(MaskRow, MaskRow.checkpoint_id == Checkpoint.id)
        .where(Checkpoint.job_id.in_(trained), MaskRow.map_digest.is_not(None), Checkpoint.fold.is_not(None))
    )
    return [_Map(*tuple(row)) for row in (*session.execute(predicted), *session.execute(proposed))]


def _unaware(session: Session, maps: Sequence[_Map], members: Mapping[int, CampaignCase]) -> list[_Map]:
    """Those maps whose checkpoint learned from no film of the case's component."""
    query = (
        select(TrainingExample.checkpoint_id, TrainingExample.case_id)
        .where(TrainingExample.checkpoint_id.in_({one.checkpoint_id for one in maps}))
        .distinct()
    )
    seen = {(checkpoint_id, members[case_id].component) for checkpoint_id, case_id in session.execute(query)}
    return [one for one in maps if (one.checkpoint_id, members[one.case_id].component) not in seen]


def _newest(maps: Iterable[_Map]) -> list[_Map]:
    """One map of each network and case: the last checkpoint's."""
    ordered = sorted(maps, key=lambda one: one.checkpoint_id)
    return list({(one.network, one.case_id): one for one in ordered}.values())

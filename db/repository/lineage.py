"""What a mask descends from, and the certificate that no ancestor saw its component."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Select,
    literal,
    select,
    union,
)
from sqlalchemy.orm import Session, aliased

from db.domain.errors import NotFoundError
from db.domain.provenance import Certificate
from db.models import Account, Campaign, CaseRow, Checkpoint, FinalMask, MaskRow, TrainingExample
from db.repository.cases import component_of


@dataclass(frozen=True)
class Ancestor:
    """One mask in a lineage and who made it, when, with which software."""

    mask_id: int
    case: str
    film_digest: str
    origin: str
    digest: str | None
    map_digest: str | None
    reader: str | None
    simulated: bool
    checkpoint_id: int | None
    network: str | None
    fold: int | None
    key: str | None
    weights_digest: str | None
    job_id: int | None
    made_at: datetime
    software_version: str


def ancestors(session: Session, mask_id: int) -> list[Ancestor]:
    """The mask and every mask behind it, as one query: touched-up parents, and what its networks learned from."""
    query = (
        select(
            MaskRow.id,
            CaseRow.key,
            CaseRow.film_digest,
            MaskRow.origin,
            MaskRow.digest,
            MaskRow.map_digest,
            Account.code,
            MaskRow.simulated,
            Checkpoint.id,
            Checkpoint.network,
            Checkpoint.fold,
            Checkpoint.key,
            Checkpoint.weights_digest,
            Checkpoint.job_id,
            MaskRow.created_at,
            MaskRow.software_version,
        )
        .join(CaseRow, CaseRow.id == MaskRow.case_id)
        .outerjoin(Account, Account.id == MaskRow.account_id)
        .outerjoin(Checkpoint, Checkpoint.id == MaskRow.checkpoint_id)
        .where(MaskRow.id.in_(_ancestor_masks(mask_id)))
        .order_by(MaskRow.id.desc())
    )
    return [Ancestor(*tuple(row)) for row in session.execute(query)]


def certify(session: Session, mask_ids: Iterable[int]) -> dict[int, Certificate]:
    """The certificate of each mask, checked.

    Raises
    ------
    InvariantError
        If any checkpoint among a mask's ancestors was trained on a film of its component.
    """
    seen = seen_cases(session, mask_ids)
    query = select(MaskRow.id, MaskRow.campaign_id, CaseRow.key).join(CaseRow).where(MaskRow.id.in_(seen))
    certificates, components = {}, {}
    for id_, campaign_id, key in session.execute(query):
        if campaign_id not in components:
            components[campaign_id] = component_of(session, campaign_id)
        of_case = components[campaign_id]
        certificates[id_] = Certificate(key, of_case[key], seen[id_])
        certificates[id_].check(of_case)
    return certificates


def seen_cases(session: Session, mask_ids: Iterable[int]) -> dict[int, frozenset[str]]:
    """For each mask the keys of all cases that any network among its ancestors learned from."""
    parent = aliased(MaskRow)
    query = (
        select(MaskRow.id, MaskRow.checkpoint_id, parent.checkpoint_id)
        .outerjoin(parent, parent.id == MaskRow.parent_id)
        .where(MaskRow.id.in_(set(mask_ids)))
    )
    makers = {id_: [maker for maker in found if maker is not None] for id_, *found in session.execute(query)}
    seen = _seen_by_checkpoint(session, {maker for found in makers.values() for maker in found})
    return {id_: frozenset().union(*(seen[maker] for maker in found)) for id_, found in makers.items()}


def find_final(session: Session, campaign: str, case: str) -> FinalMask:
    """The final mask of a case, the last round's, or NotFoundError."""
    query = (
        select(FinalMask)
        .join(Campaign, Campaign.id == FinalMask.campaign_id)
        .join(CaseRow, CaseRow.id == FinalMask.case_id)
        .where(Campaign.name == campaign, CaseRow.key == case)
        .order_by(FinalMask.round_id.desc())
        .limit(1)
    )
    final = session.scalar(query)
    if final is None:
        msg = f"Case {case} has no final mask in campaign {campaign}."
        raise NotFoundError(msg, hint="Final masks are made when a stage is locked.")
    return final


def _ancestor_masks(mask_id: int) -> CompoundSelect[tuple[int]]:
    """Ids of a mask, its parent, and all masks that the checkpoints behind them learned from, with their parents."""
    own = _with_parents(select(literal(mask_id).label("id")))
    makers = select(MaskRow.checkpoint_id).where(MaskRow.id.in_(select(own.c.id)), MaskRow.checkpoint_id.is_not(None))
    reach = _reach(Checkpoint.id.in_(makers))
    learned = _with_parents(
        select(TrainingExample.mask_id.label("id")).where(
            TrainingExample.checkpoint_id.in_(select(reach.c.checkpoint)), TrainingExample.mask_id.is_not(None)
        )
    )
    return union(select(own.c.id), select(learned.c.id))


def _with_parents(ids: Select[Any]) -> CTE:
    of_masks = ids.cte()
    parents = select(MaskRow.parent_id).where(MaskRow.id.in_(select(of_masks.c.id)), MaskRow.parent_id.is_not(None))
    return union(select(of_masks.c.id), parents).cte()


def _reach(roots: ColumnElement[bool]) -> CTE:
    """Pairs (root, checkpoint): from each root checkpoint to all those that made masks it learned from, and so on."""
    parent = aliased(MaskRow)
    learner = TrainingExample.checkpoint_id.label("learner")
    examples = select(learner, MaskRow.checkpoint_id.label("maker")).join(
        MaskRow, MaskRow.id == TrainingExample.mask_id
    )
    inherited = (
        select(learner, parent.checkpoint_id)
        .join(MaskRow, MaskRow.id == TrainingExample.mask_id)
        .join(parent, parent.id == MaskRow.parent_id)
    )
    makers = union(
        examples.where(MaskRow.checkpoint_id.is_not(None)),
        inherited.where(parent.checkpoint_id.is_not(None)),
    ).cte("makers")
    first = select(Checkpoint.id.label("root"), Checkpoint.id.label("checkpoint")).where(roots)
    reach = first.cte("reach", recursive=True)
    return reach.union(select(reach.c.root, makers.c.maker).join(makers, makers.c.learner == reach.c.checkpoint))


def _seen_by_checkpoint(session: Session, checkpoint_ids: Collection[int]) -> dict[int, frozenset[str]]:
    """Cases behind each checkpoint: its own examples, and those of the checkpoints that made their masks."""
    reach = _reach(Checkpoint.id.in_(checkpoint_ids))
    query = (
        select(reach.c.root, CaseRow.key)
        .join(TrainingExample, TrainingExample.checkpoint_id == reach.c.checkpoint)
        .join(CaseRow, CaseRow.id == TrainingExample.case_id)
        .distinct()
    )
    seen: dict[int, set[str]] = {id_: set() for id_ in checkpoint_ids}
    for root, key in session.execute(query):
        seen[root].add(key)
    return {id_: frozenset(keys) for id_, keys in seen.items()}

"""From trained networks to what readers choose among: candidates and free seats."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.campaign import RoundState
from db.domain.errors import InvariantError
from db.domain.provenance import JobState, MaskOrigin
from db.job_context import JobContext
from db.models import Candidate, CaseRow, Checkpoint, MaskRow, Round, now
from db.repository.checks import make_flawed, offer_flawed
from db.repository.lineage import certify
from db.repository.plans import drawings
from db.repository.roster import require_readers
from db.repository.seating import seat_readers


def keep_maps(session: Session, checkpoint: Checkpoint, maps: Mapping[int, str]) -> None:
    """Make a mask of each probability map, case id -> digest, that a checkpoint was asked for."""
    session.add_all(
        MaskRow(
            campaign_id=checkpoint.job.campaign_id,
            case_id=case_id,
            origin=MaskOrigin.NETWORK,
            map_digest=digest,
            checkpoint_id=checkpoint.id,
        )
        for case_id, digest in maps.items()
    )


def offer_candidates(context: JobContext, round_id: int, *, are_late: bool = False) -> None:
    """Offer the masks of a round's networks to its readers, all at once, and end the job.

    Every case gets its candidates at positions drawn at random and its free seats; check and practice cases get theirs,
    unless the cases come late to a round that has them.
    The round is read from then on.

    Raises
    ------
    StateError
        If no set of readers can fill the seats, or there are too few right masks for check and practice cases.
    InvariantError
        If a mask descends from a network that saw its component, or a case lacks candidates. Nothing is offered.
    """
    entropy = np.random.default_rng()  # not the campaign's seed: who knows that could compute which mask stands where
    flawed = [] if are_late else make_flawed(context.record, round_id, entropy)
    with context.record.database.write() as session:
        job = context.running_job(session)
        round_ = session.get_one(Round, round_id)
        require_readers(session, round_.stage)
        drawing_of: dict[int, tuple[int, list[int]]] = {}
        on_offer = sorted(_on_offer(session, job.id, round_).items())
        for case_id, mask_ids in on_offer:
            positions = entropy.permutation(len(mask_ids)).tolist()
            session.add_all(
                Candidate(round_id=round_id, case_id=case_id, position=position, mask_id=mask_id)
                for position, mask_id in zip(positions, mask_ids, strict=True)
            )
            if round_.stage.definition.with_drawing:  # it comes after the machines'
                drawing_of[case_id] = positions[-1], positions[:-1]
        seat_readers(session, round_, drawing_of, [case_id for case_id, _ in on_offer])
        offer_flawed(session, round_, flawed, entropy)
        round_.state = RoundState.READING
        job.state, job.finished_at = JobState.DONE, now()
    context.record.database.analyze()


def _on_offer(session: Session, job_id: int, round_: Round) -> dict[int, list[int]]:
    """The certified masks of each case: one of each network and, where the stage has it so, the drawing."""
    definition = round_.stage.definition
    query = (
        select(MaskRow.case_id, MaskRow.id)
        .join(Checkpoint, Checkpoint.id == MaskRow.checkpoint_id)
        .where(Checkpoint.job_id == job_id)
        .order_by(MaskRow.id)
    )
    found: dict[int, list[int]] = defaultdict(list)
    for case_id, mask_id in session.execute(query):
        found[case_id].append(mask_id)
    certify(session, [mask_id for mask_ids in found.values() for mask_id in mask_ids])
    if definition.with_drawing:
        ids = dict(session.execute(select(CaseRow.key, CaseRow.id)).all())
        for key, mask_id in drawings(session, round_.stage.campaign_id).items():
            if ids[key] in found:
                found[ids[key]].append(mask_id)
    short = [case_id for case_id, mask_ids in found.items() if len(mask_ids) != definition.n_candidates]
    if short:
        msg = f"{len(short)} of {len(found)} cases do not have {definition.n_candidates} candidates."
        raise InvariantError(msg, hint="Nothing was offered; report this as a bug.")
    return found

"""Who reads a stage. A stage that names nobody is open to every reader."""

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from db.domain.errors import NotAllowedError, StateError
from db.domain.provenance import Role
from db.domain.study import OwnDrawing, SeatKind
from db.models import Account, CampaignCase, Comparison, Stage, StageReader
from db.repository.plans import drawers


def is_assigned(session: Session, stage_id: int) -> bool:
    """Whether the stage names its readers."""
    return session.scalar(select(exists().where(StageReader.stage_id == stage_id))) or False


def present_readers(session: Session, stage_id: int) -> list[Account]:
    """Those who may take seats now: the named ones who have not left, else every reader; active accounts only."""
    query = select(Account).where(Account.role == Role.READER, Account.active).order_by(Account.id)
    if is_assigned(session, stage_id):
        query = query.join(StageReader).where(StageReader.stage_id == stage_id, StageReader.left_at.is_(None))
    return list(session.scalars(query))


def count_readers(session: Session, stage_id: int, *, is_assigned: bool) -> int:
    """How many `present_readers` there are."""
    query = select(func.count()).select_from(Account).where(Account.role == Role.READER, Account.active)
    if is_assigned:
        query = query.join(StageReader).where(StageReader.stage_id == stage_id, StageReader.left_at.is_(None))
    return session.scalar(query) or 0


def place_of(session: Session, stage: Stage, account_id: int) -> StageReader | None:
    """The reader's assignment; None in a stage that is open to all.

    Raises
    ------
    NotAllowedError
        If the stage names others, or the reader has left.
    """
    is_own = StageReader.account_id == account_id
    query = select(StageReader).where(StageReader.stage_id == stage.id).order_by(is_own.desc()).limit(1)
    place = session.scalar(query)  # the reader's own, else anybody's
    if place is None:
        return None
    if place.account_id != account_id:
        msg = f"Stage {stage.address} was assigned to other readers."
        raise NotAllowedError(msg, hint="Ask the coordinator to assign you.")
    refuse_who_left(session, stage, account_id)
    return place


def refuse_who_left(session: Session, stage: Stage, account_id: int | None) -> None:
    """Raise NotAllowedError if the reader has left the stage."""
    place = session.get(StageReader, (stage.id, account_id))
    if place is not None and place.left_at is not None:
        msg = f"You have left stage {stage.address}."
        raise NotAllowedError(msg, hint="What you decided is kept. Ask the coordinator if this is a mistake.")


def left_out(session: Session, stage_id: int) -> set[int]:
    """Accounts of readers who left and whose verdicts do not count, by a recorded decision."""
    query = select(StageReader.account_id).where(StageReader.stage_id == stage_id, ~StageReader.counts)
    return set(session.scalars(query))


def require_readers(session: Session, stage: Stage) -> None:
    """Refuse a stage whose seats no set of its readers can fill.

    Readers of a stage that is open to all can still be invited; it is measured by those there are only where its
    design asks for more than one reader a case, or keeps some from some cases.

    Raises
    ------
    StateError
        If a case has fewer admissible readers than seats, or the quotas allow fewer seats than there are.
    """
    definition, study = stage.definition, stage.definition.study
    is_named = is_assigned(session, stage.id)
    is_demanding = definition.readers_per_case > 1 or study.sentinel_share > 0
    if not is_named and not is_demanding and (study.own_drawing is OwnDrawing.ALLOWED or not definition.with_drawing):
        return
    readers = {account.id for account in present_readers(session, stage.id)}
    admissible = _admissible(session, stage, readers)
    needed = definition.readers_per_case
    short = [case_id for case_id, found in admissible.items() if len(found) < needed]
    if short:
        who = "are assigned" if is_named else "have an account"
        rule = f", own drawings are `{study.own_drawing}` judged" if definition.with_drawing else ""
        msg = (
            f"No set of readers can read stage {stage.address}: each case needs {needed}, and {len(short)} of "
            f"{len(admissible)} cases have fewer who may judge them ({len(readers)} readers {who}{rule}; who drew a "
            "sentinel does not read it)."
        )
        raise StateError(msg, hint="Assign or invite more readers, or create a campaign with other rules.")
    _require_quotas(session, stage, n_seats=needed * len(admissible))


def _admissible(session: Session, stage: Stage, readers: set[int]) -> dict[int, set[int]]:
    """The readers who may judge each case of a stage."""
    rule = stage.definition.study.own_drawing
    members = select(CampaignCase.case_id).where(CampaignCase.stage_id == stage.id)
    drawn_by = drawers(session, stage.campaign_id) if stage.definition.with_drawing else {}
    sentinel = select(Comparison.case_id, Comparison.account_id).where(
        Comparison.round_id == stage.rounds[-1].id, Comparison.kind == SeatKind.SENTINEL
    )
    kept_out = {case_id: {account_id} for case_id, account_id in session.execute(sentinel)}
    admissible = {}
    for case_id in session.scalars(members):
        if stage.definition.with_drawing and case_id not in drawn_by:
            continue  # it is not proposed for
        own = {drawn_by.get(case_id)}
        allowed = {OwnDrawing.ALLOWED: readers, OwnDrawing.NEVER: readers - own, OwnDrawing.ONLY: readers & own}[rule]
        if not stage.definition.with_drawing:
            allowed = readers
        admissible[case_id] = allowed - kept_out.get(case_id, set())
    return admissible


def _require_quotas(session: Session, stage: Stage, *, n_seats: int) -> None:
    query = select(StageReader.quota).where(StageReader.stage_id == stage.id, StageReader.left_at.is_(None))
    quotas = session.scalars(query).all()
    if quotas and None not in quotas and (n_allowed := sum(quota or 0 for quota in quotas)) < n_seats:
        msg = f"Stage {stage.address} has {n_seats} seats, and its {len(quotas)} readers may take {n_allowed}."
        raise StateError(msg, hint="Raise a quota, or assign more readers.")

"""What each training pass may learn from, so that no mask descends from a network that saw its component."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from db.domain.campaign import Arm
from db.domain.errors import StateError
from db.domain.plan import Example, Split
from db.domain.provenance import MaskOrigin
from db.domain.study import SeatKind
from db.models import Campaign, CampaignCase, CaseRow, Comparison, FinalMask, MaskRow, Round, StageReader, Verdict
from db.repository.cases import component_of
from db.repository.lineage import seen_cases


def drawings(session: Session, campaign_id: int) -> dict[str, int]:
    """The last drawing of each case that counts: case key -> mask id.

    None is what its reader took back, or drew in a stage whose verdicts by this reader were left out: a decision that
    comes too late for candidates on offer, and in time for whatever is trained from then on.
    """
    query = select(CaseRow.key, MaskRow.id).join(MaskRow, MaskRow.case_id == CaseRow.id)
    return dict(session.execute(query.where(*_drawn(campaign_id)).order_by(MaskRow.id)).all())


def drawers(session: Session, campaign_id: int) -> dict[int, int | None]:
    """Who made the last drawing of each case: case id -> account id."""
    query = select(MaskRow.case_id, MaskRow.account_id).where(*_drawn(campaign_id)).order_by(MaskRow.id)
    return dict(session.execute(query).all())


def _drawn(campaign_id: int) -> tuple[ColumnElement[bool], ...]:
    """Drawings, but for those that a later verdict on the same seat replaced, and of readers who do not count there."""
    later = aliased(Verdict)
    said = (
        select(Verdict.mask_id)
        .join(Comparison, Comparison.id == Verdict.comparison_id)
        .where(Comparison.kind == SeatKind.DRAWING, Verdict.mask_id.is_not(None))
    )
    replaced = said.join(later, (later.comparison_id == Verdict.comparison_id) & (later.revision > Verdict.revision))
    is_place = (StageReader.stage_id == Round.stage_id) & (StageReader.account_id == Comparison.account_id)
    left_out = said.join(Round, Round.id == Comparison.round_id).join(StageReader, is_place).where(~StageReader.counts)
    return (
        MaskRow.campaign_id == campaign_id,
        MaskRow.origin == MaskOrigin.DRAWING,
        MaskRow.id.not_in(replaced),
        MaskRow.id.not_in(left_out),
    )


def final_masks(session: Session, campaign_id: int) -> dict[str, list[FinalMask]]:
    """The final masks of each case, the last round's first; none of a film that was taken away from the study."""
    query = (
        select(CaseRow.key, FinalMask)
        .join(FinalMask, FinalMask.case_id == CaseRow.id)
        .join(CampaignCase, CampaignCase.case_id == CaseRow.id)
        .where(FinalMask.campaign_id == campaign_id, CampaignCase.campaign_id == campaign_id)
        .where(CampaignCase.arm != Arm.SET_ASIDE)
        .order_by(FinalMask.round_id.desc())
    )
    found: dict[str, list[FinalMask]] = defaultdict(list)
    for key, final in session.execute(query):
        found[key].append(final)
    return found


def case_folds(session: Session, campaign_id: int, *conditions: ColumnElement[bool]) -> dict[str, int | None]:
    """The campaign's cases that meet the conditions, with their folds."""
    query = (
        select(CaseRow.key, CampaignCase.fold)
        .join(CampaignCase, CampaignCase.case_id == CaseRow.id)
        .where(CampaignCase.campaign_id == campaign_id, *conditions)
        .order_by(CaseRow.key)
    )
    return dict(session.execute(query).all())


def round_plan(session: Session, round_id: int) -> tuple[Split, ...]:
    """What a round trains on and proposes for. No mask of a sentinel case is learned from.

    The first round of all learns from drawings, every later one from the final masks so far. Where the targets are
    among the examples (stage I, and any second round) each fold is left out in turn; where they are not (stage II) one
    pass over everything serves all.

    Raises
    ------
    StateError
        If there is nothing to learn from, or nothing to propose for.
    """
    round_ = session.get_one(Round, round_id)
    stage, campaign_id = round_.stage, round_.stage.campaign_id
    drawn = drawings(session, campaign_id)
    finals = final_masks(session, campaign_id)
    choices = {key: [f.mask_id for f in found] + _listed(drawn, key) for key, found in finals.items()}
    choices = choices or {key: [id_] for key, id_ in drawn.items()}
    sentinels = case_folds(session, campaign_id, CampaignCase.arm == Arm.SENTINEL)
    choices = {key: masks for key, masks in choices.items() if key not in sentinels}
    targets = case_folds(session, campaign_id, CampaignCase.stage_id == stage.id)
    if stage.definition.with_drawing:
        targets = {key: fold for key, fold in targets.items() if key in drawn}
    if not choices or not targets:
        msg = f"Stage {stage.address} has {len(choices)} masks to learn from and {len(targets)} films to propose for."
        raise StateError(
            msg,
            hint="Import drawings with `overread import-masks`, or ingest more films.",
        )
    return _splits(session, campaign_id, choices, targets)


def benchmark_plan(session: Session, campaign_id: int) -> tuple[Split, ...]:
    """Cross-validation over the final masks and the control group, on the campaign's folds.

    Here, and only here, an example may descend from a network that saw the fold: what is measured are predictions,
    not masks on offer. The report says what this circle does to the scores. Sentinel cases are predicted only.

    Raises
    ------
    StateError
        If there are no final masks.
    """
    campaign = session.get_one(Campaign, campaign_id)
    finals = final_masks(session, campaign_id)
    folds = case_folds(session, campaign_id, CampaignCase.arm == Arm.CONTROL)
    folds |= {key: fold for key, fold in case_folds(session, campaign_id).items() if key in finals}
    if not finals:
        msg = f"Campaign {campaign.name} has no final masks yet."
        raise StateError(msg, hint=f"Lock a stage first: `overread stage lock {campaign.name}/I`.")
    sentinels = case_folds(session, campaign_id, CampaignCase.arm == Arm.SENTINEL)
    learned = [key for key in folds if key not in sentinels]
    examples = [Example(key, finals[key][0].mask_id if key in finals else None) for key in learned]
    return tuple(_leave_out(examples, folds, fold) for fold in range(campaign.definition.n_folds))


def _leave_out(examples: Iterable[Example], folds: Mapping[str, int | None], fold: int) -> Split:
    kept = tuple(sorted(example for example in examples if folds[example.case] != fold))
    return Split(fold, kept, tuple(sorted(key for key in folds if folds[key] == fold)))


def _splits(
    session: Session,
    campaign_id: int,
    choices: Mapping[str, Sequence[int]],
    targets: Mapping[str, int | None],
) -> tuple[Split, ...]:
    of_case = component_of(session, campaign_id)
    target_components = {of_case[key] for key in targets}
    if not target_components & {of_case[key] for key in choices}:
        newest = tuple(sorted(Example(key, masks[0]) for key, masks in choices.items()))
        return (Split(None, newest, tuple(sorted(targets))),)
    seen = seen_cases(session, [id_ for masks in choices.values() for id_ in masks])
    seen_components = {id_: {of_case[key] for key in keys} for id_, keys in seen.items()}
    folds = case_folds(session, campaign_id)
    splits = []
    for fold in sorted({fold for fold in targets.values() if fold is not None}):
        asked = tuple(sorted(key for key in targets if targets[key] == fold))
        held_out = {of_case[key] for key in asked}
        examples = [
            Example(key, admissible)
            for key, masks in choices.items()
            if folds[key] != fold and (admissible := _first_unaware(masks, held_out, seen_components)) is not None
        ]
        splits.append(Split(fold, tuple(sorted(examples)), asked))
    return tuple(splits)


def _first_unaware(masks: Sequence[int], held_out: set[str], seen_components: Mapping[int, set[str]]) -> int | None:
    """The newest mask that no network made which had seen a held-out component."""
    return next((id_ for id_ in masks if not seen_components[id_] & held_out), None)


def _listed(drawn: Mapping[str, int], key: str) -> list[int]:
    return [drawn[key]] if key in drawn else []

"""Films and masks of the record, brought to a network's size for the training child."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from db.domain.plan import Split
from db.job_context import JobContext
from db.models import CampaignCase, CaseRow, MaskRow
from db.repository.pixels import shown_mask
from ml_backend.data import PackedSet, fit_film, fit_mask


def agreeing(splits: Sequence[Split]) -> list[list[Split]]:
    """The splits in groups that give each case one mask, so that one packed set serves a group.

    In a first round that is one group. Later a case may need another mask in another fold, because the newest
    descends from a network that saw that fold.
    """
    groups: list[tuple[dict[str, int | None], list[Split]]] = []
    for split in splits:
        masks = {example.case: example.mask_id for example in split.examples}
        for of_group, group in groups:
            if all(of_group.get(case, mask) == mask for case, mask in masks.items()):
                of_group.update(masks)
                group.append(split)
                break
        else:
            groups.append((masks, [split]))
    return [group for _, group in groups]


def pack(context: JobContext, splits: Sequence[Split], *, size: int) -> Path:
    """The file of all films of agreeing splits at `size` pixels, with the masks that are learned from.

    It is named in the job's folder by what it holds, so that a run that starts again finds it.
    """
    masks: dict[str, int | None] = {key: None for split in splits for key in split.targets}
    masks |= {example.case: example.mask_id for split in splits for example in split.examples}
    name = hashlib.sha256(json.dumps([size, sorted(masks.items())]).encode()).hexdigest()
    path = context.folder / f"{name}.npz"
    if not path.exists():
        _read(context, masks, size).save(path)
    return path


def _read(context: JobContext, masks: Mapping[str, int | None], size: int) -> PackedSet:
    store = context.record.store
    with context.record.database.read() as session:
        films = select(CaseRow.key, CaseRow.film_digest).join(CampaignCase)
        films = films.where(CampaignCase.campaign_id == context.campaign_id)
        digests = dict(session.execute(films).all())
        learned = select(MaskRow).options(joinedload(MaskRow.case)).where(MaskRow.id.in_(set(masks.values()) - {None}))
        rows = {row.id: row for row in session.scalars(learned)}
    keys = tuple(sorted(masks))
    packed = PackedSet(keys, np.zeros((len(keys), size, size), np.uint8), np.zeros((len(keys), size, size), np.bool_))
    for i, key in enumerate(keys):
        packed.films[i] = fit_film(store.get_film(digests[key]), size)
        if (mask_id := masks[key]) is not None:
            packed.masks[i] = fit_mask(shown_mask(store, rows[mask_id]), size)
        context.report("films", i + 1, len(keys))
    return packed

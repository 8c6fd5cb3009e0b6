import numpy as np
import pytest
from sqlalchemy import select

from db.domain.plan import Example, Split
from db.job_context import JobContext
from db.models import CaseRow, Job, MaskRow
from db.repository.pixels import shown_mask
from ml_backend.data import PackedSet, fit_film, fit_mask
from ml_backend.packing import agreeing, pack


@pytest.fixture
def context(campaign):
    campaign.open("I")
    with campaign.record.database.write() as session:
        session.add(Job(id=1, kind="train", workflow_id="w", campaign_id=1, state="running"))
    return JobContext(campaign.record, 1, 1)


def split(fold: int, *targets: str, **masks: int | None) -> Split:
    return Split(fold, tuple(Example(case, mask) for case, mask in masks.items()), targets)


def test_splits_that_give_a_case_one_mask_share_a_group():
    splits = [split(0, "c", a=1, b=2), split(1, "a", b=2, c=3), split(2, "b", a=1, c=3)]
    assert agreeing(splits) == [splits]


def test_splits_that_give_a_case_different_masks_do_not():
    first, second, third, fourth = split(0, a=1, b=2), split(1, a=9), split(2, b=2, c=None), split(3, c=5, a=9)
    assert agreeing([first, second, third, fourth]) == [[first, third], [second, fourth]]


def test_films_and_masks_are_packed_at_the_networks_size(context):
    with context.record.database.read() as session:
        drawn = {mask.case.key: mask for mask in session.scalars(select(MaskRow))}
        film = session.scalars(select(CaseRow).where(CaseRow.key == "c00")).one().film_digest
        expected = fit_mask(shown_mask(context.record.store, drawn["c01"]), 32)
    path = pack(context, [split(0, "c00", c01=drawn["c01"].id, c30=None)], size=32)
    packed = PackedSet.load(path)
    assert packed.keys == ("c00", "c01", "c30")
    np.testing.assert_array_equal(packed.films[0], fit_film(context.record.store.get_film(film), 32))
    np.testing.assert_array_equal(packed.masks[1], expected)
    assert expected.any()
    assert not packed.masks[[0, 2]].any(), "a target and a normal film have no mask"


def test_what_is_packed_already_is_found_and_other_masks_are_another_file(context, monkeypatch):
    first = pack(context, [split(0, "c01", c00=1)], size=32)
    with monkeypatch.context() as patch:
        patch.setattr(PackedSet, "save", lambda *_: pytest.fail("it was packed again"))
        assert pack(context, [split(0, "c01", c00=1)], size=32) == first
    assert pack(context, [split(0, "c01", c00=None)], size=32) != first
    assert pack(context, [split(0, "c01", c00=1)], size=16) != first

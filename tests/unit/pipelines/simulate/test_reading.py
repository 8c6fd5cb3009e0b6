"""Simulated readers at work."""

import numpy as np
import pytest
from skimage.draw import disk
from sqlalchemy import select

from annotation_server.services.reading import ReadingService
from db.accounts import add_account
from db.domain.errors import InputError
from db.domain.mask import dice
from db.domain.provenance import MaskOrigin, Role
from db.models import Comparison, MaskRow, PhantomTruth, Verdict
from pipelines.simulate.reading import draw_stage, find_readers, read_stage

HEIGHT, WIDTH = 50, 40


def truth(centre=(25, 20)):
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[disk(centre, 9)] = True
    return mask


@pytest.fixture
def readers(campaign):
    with campaign.record.database.write() as session:
        for code in ("sim1", "sim2"):
            add_account(session, code, Role.READER, simulated=True)
        return find_readers(session, ["sim1", "sim2"], seed=1)


def make_phantoms(campaign):
    """Give every film a truth."""
    digest = campaign.record.store.put_mask(truth())
    with campaign.record.database.write() as session:
        session.add_all(PhantomTruth(case_id=i, infection_digest=digest, lung_digest=digest) for i in range(1, 41))


def test_a_person_is_never_simulated(campaign):
    with campaign.record.database.read() as session, pytest.raises(InputError, match="'r1' is not a simulated reader"):
        find_readers(session, ["r1"], seed=1)


def test_drawings_fill_what_is_missing_and_are_marked_as_simulated(campaign, readers):
    make_phantoms(campaign)
    campaign.open("I", n_cases=14)
    n_drawn = draw_stage(campaign.record, "pilot/I", readers, target_dice=0.85)
    with campaign.record.database.read() as session:
        drawn = session.scalars(select(MaskRow).where(MaskRow.simulated)).all()
        assert len(drawn) == n_drawn > 0
        masks = [campaign.record.store.get_mask(mask.digest) for mask in drawn]
    assert 0.7 < np.mean([dice(mask, truth()) for mask in masks]) < 0.97
    assert draw_stage(campaign.record, "pilot/I", readers, target_dice=0.85) == 0


def test_a_simulated_reader_does_not_draw_on_a_real_film(campaign, readers):
    campaign.open("I", n_cases=14)
    with pytest.raises(InputError, match="is a real film"):
        draw_stage(campaign.record, "pilot/I", readers, target_dice=0.85)


def test_reading_leaves_the_last_comparisons_to_people(campaign, readers):
    make_phantoms(campaign)
    campaign.open("I").train("I")
    assert read_stage(campaign.record, ReadingService(campaign.record), "pilot/I", readers, n_left=3) == 8
    with campaign.record.database.read() as session:
        undecided = session.scalars(select(Comparison).where(Comparison.decided_at.is_(None))).all()
    assert len(undecided) == 3


def test_noise_is_denied_and_redrawn_near_the_truth(campaign, readers):
    make_phantoms(campaign)
    campaign.open("I").train("I")
    read_stage(campaign.record, ReadingService(campaign.record), "pilot/I", readers)
    with campaign.record.database.read() as session:
        assert {verdict.kind for verdict in session.scalars(select(Verdict))} == {"deny_all"}
        redrawn = session.scalars(select(MaskRow).where(MaskRow.origin == MaskOrigin.REDRAW)).all()
        scores = [dice(campaign.record.store.get_mask(mask.digest), truth()) for mask in redrawn]
    assert len(scores) == 11
    assert np.mean(scores) > 0.8

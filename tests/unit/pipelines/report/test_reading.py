"""What a round's verdicts and masks come to."""

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.services.coordinating import lock_stage, unblind_stage
from db.domain.agreement import MANUAL
from db.domain.verdict import VerdictKind
from db.models import Campaign, Candidate, CaseRow, Comparison, MaskRow, PhantomTruth
from pipelines.report.reading import HIDDEN, find_rounds, on_grid


@pytest.fixture
def read(record):
    """The first round's reading, with everything that it loads lazily loaded."""

    def find(ask):
        with record.database.read() as session:
            return ask(find_rounds(session, record.store, session.scalars(select(Campaign)).one())[0])

    return find


def decide_all(record, campaign, kind, *, origin=None):
    """Every comparison of stage I gets one verdict; a pick takes the drawing (`MANUAL`) or the network."""
    with record.database.write() as session:
        for seat in session.scalars(select(Comparison)):
            offered = session.scalars(
                select(Candidate).where(Candidate.case_id == seat.case_id).order_by(Candidate.position)
            ).all()
            slots = [slot for slot, one in enumerate(offered) if (one.mask.checkpoint_id is None) == (origin == MANUAL)]
            if kind is VerdictKind.PICK:
                campaign.decide(session, seat, kind, offered[slots[0]].mask_id)
                seat.verdicts[-1].slot = slots[0]
            else:
                campaign.decide(session, seat, kind, None)


def truth_is(record, choose):
    """Every film is a phantom whose truth `choose` makes of its drawing."""
    with record.database.write() as session:
        for drawing in session.scalars(select(MaskRow).where(MaskRow.origin == "drawing")):
            digest = record.store.put_mask(choose(record.store.get_mask(drawing.digest)))
            session.add(PhantomTruth(case_id=drawing.case_id, infection_digest=digest, lung_digest=digest))


def unblind(record):
    lock_stage(record, "pilot/I")
    unblind_stage(record, "pilot/I")


def test_a_picked_network_earns_the_credit(record, campaign, read):
    campaign.open("I").train("I")
    decide_all(record, campaign, VerdictKind.PICK, origin="network")
    assert read(lambda reading: reading.preference.credit) == {HIDDEN: 11}
    unblind(record)
    preference = read(lambda reading: reading.preference)
    assert preference.machine.value == 1
    assert preference.credit == {"unet-tiny": 11}


def test_a_denial_is_counted_against_all_judged(record, campaign, read):
    campaign.open("I").train("I")
    decide_all(record, campaign, VerdictKind.DENY_ALL)
    assert read(lambda reading: reading.preference.denied.value) == 1
    assert read(lambda reading: reading.n_comparisons) == 11


def test_final_masks_of_networks_close_the_circle(record, campaign, read):
    campaign.open("I").train("I")
    truth_is(record, np.zeros_like)
    decide_all(record, campaign, VerdictKind.PICK, origin="network")
    unblind(record)
    (row,) = read(lambda reading: reading.circle)
    assert row.network == "unet-tiny"
    assert row.to_final.value > 0.85  # noise on a film of 50 x 40 does not survive the grid unharmed
    assert row.to_truth.value < 0.05
    assert row.flattery.value == pytest.approx(row.to_final.value - row.to_truth.value)


def test_films_whose_drawing_was_picked_are_outside_the_circle(record, campaign, read):
    campaign.open("I").train("I")
    truth_is(record, np.ones_like)
    decide_all(record, campaign, VerdictKind.PICK, origin=MANUAL)
    unblind(record)
    assert read(lambda reading: reading.circle) == []
    assert read(lambda reading: reading.gain.value) == pytest.approx(0, abs=0.02)


def test_nothing_of_an_origin_is_told_before_unblinding(record, campaign, read):
    campaign.open("I").train("I")
    truth_is(record, np.ones_like)
    decide_all(record, campaign, VerdictKind.PICK, origin="network")
    lock_stage(record, "pilot/I")
    assert read(lambda reading: (reading.circle, reading.gain)) == ([], None)
    assert set(read(lambda reading: reading.against_truth)) == {"final mask"}


def test_a_mask_keeps_its_shape_on_the_grid():
    mask = np.zeros((50, 40), bool)
    mask[10:20, 10:30] = True
    grid = on_grid(mask, CaseRow(height_px=50, width_px=40))
    assert grid.shape == (448, 358)
    assert grid.mean() == pytest.approx(mask.mean(), abs=0.003)

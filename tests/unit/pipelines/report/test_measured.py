"""Stored predictions scored against final masks, and against the truth where there is one."""

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.services.coordinating import lock_stage
from db.domain.provenance import JobKind, JobState
from db.models import Campaign, CampaignCase, CaseRow, FinalMask, Job, PhantomTruth, Prediction
from pipelines.report.measured import PAPER_DETECTION, find_measured


@pytest.fixture
def measured(record, campaign):
    """Scores of a benchmark with two networks: one repeats the final masks, one sees infection everywhere."""
    campaign.open("I").train("I").read("I")
    lock_stage(record, "pilot/I")
    with record.database.write() as session:
        campaign_id = session.scalars(select(Campaign.id)).one()
        job = Job(kind=JobKind.BENCHMARK, workflow_id="b", campaign_id=campaign_id, state=JobState.DONE, arguments={})
        session.add(job)
        session.flush()
        finals = {final.case_id: final.digest for final in session.scalars(select(FinalMask))}
        everywhere = record.store.put_map(np.ones((32, 32), np.float32))
        for network in ("dla-tiny", "unet-tiny"):
            for fold in range(3):
                checkpoint = campaign.checkpoint(network, fold, job.id)
                session.add(checkpoint)
                session.flush()
                for member in session.scalars(select(CampaignCase).where(CampaignCase.fold == fold)):
                    if member.case_id in finals or member.case.case_class == "normal":
                        digest = everywhere
                        if network == "unet-tiny":
                            digest = record.store.put_map(_copied(record.store, finals.get(member.case_id)))
                        session.add(Prediction(checkpoint_id=checkpoint.id, case_id=member.case_id, map_digest=digest))
        for case in session.scalars(select(CaseRow).where(CaseRow.id.in_(finals))):
            nothing = record.store.put_mask(np.zeros((case.height_px, case.width_px), bool))
            session.add(PhantomTruth(case_id=case.id, infection_digest=nothing, lung_digest=nothing))
    with record.database.read() as session:
        yield find_measured(session, record.store, session.get(Campaign, campaign_id))


def _copied(store, digest):
    from ml_backend.data import fit_mask

    return fit_mask(store.get_mask(digest), 32).astype(np.float32) if digest else np.zeros((32, 32), np.float32)


def test_networks_stand_by_pixel_f1(measured):
    assert [scores.network for scores in measured.networks] == ["unet-tiny", "dla-tiny"]
    best = measured.best
    assert best.segmentation.pixels.pooled.f1 == 1
    assert best.segmentation.mean_dice == 1
    assert best.segmentation.clean_share == 1
    assert len(best.segmentation.films) == 21
    assert set(best.segmentation.pixels.by_fold) == {0, 1, 2}


def test_detection_goes_by_the_films_class(measured):
    counts = measured.networks[1].detection.scores.pooled
    assert (counts.tp, counts.fp, counts.tn, counts.fn) == (11, 10, 0, 0)


def test_a_perfect_score_against_final_masks_is_not_one_against_the_truth(measured):
    truth = measured.best.against_truth
    assert len(truth.films) == 11
    assert truth.clean_share == 0


def test_calls_are_told_by_source_and_class(measured):
    called = {(row.source, row.case_class): (row.n_films, row.n_called) for row in measured.calls_by_source()}
    assert called == {("test", "infection"): (11, 11), ("test", "normal"): (10, 0)}


def test_without_a_benchmark_nothing_is_measured(record, campaign):
    with record.database.read() as session:
        assert find_measured(session, record.store, campaign.stage(session, "I").campaign) is None


def test_the_papers_matrices_hold_its_films():
    assert {counts.n for counts in PAPER_DETECTION.values()} == {15495}

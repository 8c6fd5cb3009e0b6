"""Choosing a stage's networks before it opens."""

import json

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.services.choosing import choose_networks, gather_evidence
from annotation_server.services.coordinating import close_stage, lock_stage, open_stage, unblind_stage
from db.domain.campaign import StageState
from db.domain.errors import InputError, StateError
from db.domain.mask import canonical_grid_mask, dice
from db.domain.provenance import JobKind, JobState, MaskOrigin
from db.models import (
    CampaignCase,
    Candidate,
    CaseRow,
    Checkpoint,
    FinalMask,
    Job,
    MaskRow,
    Prediction,
    TrainingExample,
)
from db.repository.cases import find_stage
from db.repository.plans import benchmark_plan

N_READ = 11


def close(campaign, name):
    campaign.open(name).train(name).read(name)
    lock_stage(campaign.record, f"pilot/{name}")
    unblind_stage(campaign.record, f"pilot/{name}")
    with campaign.record.database.write() as session:
        close_stage(session, f"pilot/{name}")
    return campaign


@pytest.fixture
def after_one(campaign):
    """Stage I is closed; the reader picked the proposal of unet-tiny in each of its 11 cases."""
    return close(campaign, "I")


def measure(campaign, *networks, state=JobState.DONE, without=()):
    """A benchmark of the networks with random maps, but none of the cases in `without`; the job's id."""
    with campaign.record.database.write() as session:
        job = Job(kind=JobKind.BENCHMARK, workflow_id=str(campaign.rng.random()), campaign_id=1, state=state)
        session.add(job)
        session.flush()
        ids = dict(session.execute(select(CaseRow.key, CaseRow.id)).all())
        for network in networks:
            for split in benchmark_plan(session, 1):
                checkpoint = campaign.checkpoint(network, split.fold, job.id)
                session.add(checkpoint)
                session.flush()
                session.add_all(
                    TrainingExample(checkpoint_id=checkpoint.id, case_id=ids[one.case], mask_id=one.mask_id)
                    for one in split.examples
                )
                for key in set(split.targets) - set(without):
                    digest = campaign.record.store.put_map(campaign.rng.random((32, 32)).astype(np.float32))
                    session.add(Prediction(checkpoint_id=checkpoint.id, case_id=ids[key], map_digest=digest))
        return job.id


def gather(campaign, address="pilot/II", **options):
    with campaign.record.database.read() as session:
        return gather_evidence(session, campaign.record.store, find_stage(session, address), **options)


def choose(campaign, *names, address="pilot/II"):
    found = gather(campaign, address)
    with campaign.record.database.write() as session:
        choose_networks(session, address, names, found)
    return found


def stage(campaign, address="pilot/II"):
    """Networks, protocol, and the stored choice, read again."""
    with campaign.record.database.read() as session:
        found = find_stage(session, address)
        return [one.name for one in found.definition.networks], found.protocol_digest, found.ensemble


def canonical(store, row, digest):
    return canonical_grid_mask(store.get_map(digest), row.height_px, row.width_px)


def test_proposals_of_a_closed_stage_are_evidence_and_their_own_final_masks_are_counted(after_one):
    found = gather(after_one)
    assert found.out_of_fold.networks == ("unet-tiny",)
    assert found.out_of_fold.mean_dice == {"unet-tiny": 1.0}
    assert (found.out_of_fold.n_cases, found.n_own, found.out_of_fold.n_dropped) == (N_READ, N_READ, 0)
    assert found.jobs == {"unet-tiny": (1,)}


def test_a_benchmarks_newer_maps_replace_the_proposals(after_one):
    job_id = measure(after_one, "unet-tiny", "dla-tiny")
    found = gather(after_one)
    assert found.jobs == {"unet-tiny": (job_id,), "dla-tiny": (job_id,)}
    assert found.n_own == 0
    assert 0 < found.out_of_fold.mean_dice["unet-tiny"] < 0.9


def test_dice_is_between_what_readers_see(after_one):
    measure(after_one, "unet-tiny", "dla-tiny")
    found, store = gather(after_one).out_of_fold, after_one.record.store
    with after_one.record.database.read() as session:
        maps = {
            (one.checkpoint.network, one.case.key): canonical(store, one.case, one.map_digest)
            for one in session.scalars(select(Prediction))
        }
        finals = {
            one.case.key: canonical(store, one.case, one.mask.map_digest) for one in session.scalars(select(FinalMask))
        }
    for network in ("unet-tiny", "dla-tiny"):
        expected = np.mean([dice(maps[network, key], final) for key, final in finals.items()])
        assert found.mean_dice[network] == pytest.approx(expected)
    pair = float(np.mean([dice(maps["unet-tiny", key], maps["dla-tiny", key]) for key in finals]))
    np.testing.assert_allclose(found.pairwise, [[1, pair], [pair, 1]])


def test_components_and_folds_are_the_campaigns(after_one):
    found = gather(after_one).out_of_fold
    with after_one.record.database.read() as session:
        query = select(CampaignCase.component, CampaignCase.fold).join(
            FinalMask, FinalMask.case_id == CampaignCase.case_id
        )
        assert sorted(zip(found.components, found.folds, strict=True)) == sorted(map(tuple, session.execute(query)))


def test_every_finished_benchmark_counts_and_the_newest_of_a_network(after_one):
    measure(after_one, "dla-tiny")
    first = measure(after_one, "unet_plus_plus-tiny")
    last = measure(after_one, "dla-tiny")
    measure(after_one, "unet-small", state=JobState.FAILED)
    assert gather(after_one).jobs == {"unet-tiny": (1,), "unet_plus_plus-tiny": (first,), "dla-tiny": (last,)}


def test_a_case_that_one_network_has_no_map_of_is_dropped_for_all(after_one):
    measure(after_one, "unet-tiny", "dla-tiny", without=["c03"])
    found = gather(after_one).out_of_fold
    assert (found.n_cases, found.n_dropped) == (N_READ - 1, 1)


def test_a_map_by_a_checkpoint_that_saw_the_patient_does_not_count(after_one):
    job_id = measure(after_one, "dla-tiny")
    with after_one.record.database.write() as session:
        row = session.scalars(select(CaseRow).where(CaseRow.key == "c02")).one()
        query = select(Checkpoint).join(Prediction).where(Checkpoint.job_id == job_id, Prediction.case_id == row.id)
        checkpoint = session.scalars(query).one()
        session.add(TrainingExample(checkpoint_id=checkpoint.id, case_id=row.id))  # c03 is the same patient's
    found = gather(after_one).out_of_fold
    assert (found.n_cases, found.n_dropped) == (N_READ - 2, 2)
    assert "c02" not in found.components


def test_maps_of_one_pass_over_everything_do_not_count(after_one):
    close(after_one, "II")
    found = gather(after_one, "pilot/III")
    assert found.jobs == {"unet-tiny": (1,)}
    assert (found.out_of_fold.n_cases, found.out_of_fold.n_dropped) == (N_READ, 18)


def test_an_empty_final_mask_does_not_count(after_one):
    with after_one.record.database.write() as session:
        final = session.scalars(select(FinalMask).join(CaseRow).where(CaseRow.key == "c04")).one()
        final.mask.map_digest = after_one.record.store.put_map(np.zeros((32, 32), np.float32))
    found = gather(after_one)
    assert (found.n_empty, found.out_of_fold.n_cases, found.out_of_fold.n_dropped) == (1, N_READ - 1, 0)


def test_a_touched_up_proposal_is_still_its_networks_own(after_one):
    with after_one.record.database.write() as session:
        final = session.scalars(select(FinalMask).join(CaseRow).where(CaseRow.key == "c04")).one()
        digest = after_one.record.store.put_mask(after_one.rng.random((50, 40)) > 0.5)
        final.mask = MaskRow(
            campaign_id=1, case_id=final.case_id, origin=MaskOrigin.TOUCH_UP, digest=digest, parent_id=final.mask_id
        )
    found = gather(after_one)
    assert found.n_own == N_READ
    assert found.out_of_fold.mean_dice["unet-tiny"] < 1


@pytest.mark.parametrize("state", [StageState.OPEN, StageState.LOCKED, StageState.UNBLINDED])
def test_a_stage_that_is_not_closed_is_no_evidence(after_one, state):
    with after_one.record.database.write() as session:
        find_stage(session, "pilot/I").state = state
    assert gather(after_one) is None


def test_a_stage_is_no_evidence_for_itself(after_one):
    assert gather(after_one, "pilot/I") is None


def test_progress_ends_with_all_cases(after_one):
    seen = []
    gather(after_one, report=lambda *one: seen.append(one))
    assert seen == [(i, N_READ) for i in range(1, N_READ + 1)]


def test_a_choice_replaces_the_networks_and_is_hashed_into_the_protocol_with_its_evidence(after_one):
    job_id = measure(after_one, "dla-tiny", "unet_plus_plus-tiny")
    before = stage(after_one)
    found = choose(after_one, "unet_plus_plus-tiny", "dla-tiny").out_of_fold
    networks, protocol, choice = stage(after_one)
    assert networks == ["dla-tiny", "unet_plus_plus-tiny"]
    assert choice["evidence"] == {
        "n_cases": N_READ,
        "dice": {name: round(found.mean_dice[name], 6) for name in networks},
        "unmeasured": [],
        "expected_best": round(found.expected_best(networks), 6),
        "jobs": [job_id],
    }
    assert protocol != before[1]
    with after_one.record.database.write() as session:
        changed = json.loads(json.dumps(choice))
        changed["evidence"]["n_cases"] = 12
        find_stage(session, "pilot/II").ensemble = changed
    assert stage(after_one)[1] not in {protocol, before[1]}


def test_the_order_of_names_means_nothing(after_one):
    choose(after_one, "unet-tiny", "dla-tiny")
    first = stage(after_one)
    choose(after_one, "dla-tiny", "unet-tiny")
    assert stage(after_one) == first


def test_networks_without_evidence_are_kept_as_unmeasured(after_one):
    choose(after_one, "unet-tiny", "unet-small")
    evidence = stage(after_one)[2]["evidence"]
    assert (evidence["unmeasured"], evidence["dice"]) == (["unet-small"], {"unet-tiny": 1.0})


def test_without_any_evidence_networks_can_be_named(campaign):
    assert choose(campaign, "dla-tiny", address="pilot/I") is None
    networks, _, choice = stage(campaign, "pilot/I")
    assert networks == ["dla-tiny"]
    expected = {"n_cases": 0, "dice": {}, "unmeasured": ["dla-tiny"], "expected_best": None, "jobs": []}
    assert choice["evidence"] == expected


def test_the_stage_is_trained_with_the_chosen_networks(after_one):
    choose(after_one, "unet_plus_plus-tiny", "dla-tiny", "unet-small")
    with after_one.record.database.write() as session:
        open_stage(session, "pilot/II")
    after_one.train("II")
    with after_one.record.database.read() as session:
        query = select(Checkpoint.network).join(MaskRow).join(Candidate).where(Candidate.round_id == 2).distinct()
        assert set(session.scalars(query)) == {"unet_plus_plus-tiny", "dla-tiny", "unet-small"}
        assert find_stage(session, "pilot/II").definition.n_candidates == 3


def test_only_a_draft_is_given_networks_and_the_hint_names_one(after_one):
    with pytest.raises(StateError, match="pilot/I is closed") as caught:
        choose(after_one, "dla-tiny", address="pilot/I")
    assert "overread stage ensemble pilot/II" in caught.value.hint


def test_where_no_stage_is_a_draft_the_hint_is_another_campaign(after_one):
    with after_one.record.database.write() as session:
        for name in ("II", "III"):
            find_stage(session, f"pilot/{name}").state = StageState.OPEN
    with pytest.raises(StateError, match="pilot/II is open") as caught:
        choose(after_one, "dla-tiny")
    assert "create a campaign" in caught.value.hint


@pytest.mark.parametrize("names", [(), ("unet-huge",), ("dla-tiny", "dla-tiny")])
def test_networks_that_make_no_ensemble_leave_the_stage_as_it_was(after_one, names):
    before = stage(after_one)
    with pytest.raises(InputError):
        choose(after_one, *names)
    assert stage(after_one) == before

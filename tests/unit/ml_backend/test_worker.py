"""The job around the training child, which here is a fake that speaks the same lines."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select

from db.domain.campaign import RoundState
from db.domain.errors import ExternalError, InputError, InvariantError, StateError
from db.domain.network import NetworkSpec
from db.domain.provenance import JobKind, JobState, MaskOrigin
from db.domain.recipe import TrainingRecipe
from db.job_context import JobContext, JobStopped
from db.models import (
    Candidate,
    CaseRow,
    Checkpoint,
    Comparison,
    EncoderWeights,
    Job,
    MaskRow,
    Progress,
    Round,
    TrainingExample,
)
from db.repository.cases import component_of
from db.repository.plans import round_plan
from ml_backend import worker
from ml_backend.data import PackedSet
from ml_backend.proposing import offer_candidates
from ml_backend.starting import encoder_starts, learn_pretext
from ml_backend.task import TrainingTask
from ml_backend.worker import train_round


@pytest.fixture
def context(campaign, child):  # noqa: ARG001 - a test that says nothing of the child has one that does well
    campaign.open("I")
    return begin(campaign, "I")


def begin(campaign, stage: str) -> JobContext:
    with campaign.record.database.write() as session:
        round_ = campaign.stage(session, stage).rounds[-1]
        round_.state = RoundState.TRAINING
        job = Job(
            kind=JobKind.TRAIN,
            workflow_id=f"w{stage}",
            campaign_id=round_.stage.campaign_id,
            round_id=round_.id,
            state=JobState.RUNNING,
        )
        session.add(job)
        session.flush()
        return JobContext(campaign.record, job.id, job.campaign_id, round_.id)


def rows(context, kind, *conditions):
    with context.record.database.read() as session:
        return session.scalars(select(kind).where(*conditions)).all()


def test_every_fold_is_recorded_with_its_examples_and_its_maps(context):
    train_round(context)
    with context.record.database.read() as session:
        plan = round_plan(session, context.round_id)
        keys = dict(session.execute(select(CaseRow.id, CaseRow.key)).all())
        checkpoints = session.scalars(select(Checkpoint).order_by(Checkpoint.fold)).all()
        assert [checkpoint.fold for checkpoint in checkpoints] == [split.fold for split in plan] == [0, 1, 2]
        for checkpoint, split in zip(checkpoints, plan, strict=True):
            assert context.record.store.get(checkpoint.weights_digest) == f"weights of unet-tiny {split.fold}".encode()
            examples = session.scalars(
                select(TrainingExample).where(TrainingExample.checkpoint_id == checkpoint.id)
            ).all()
            assert {(keys[one.case_id], one.mask_id) for one in examples} == {
                (one.case, one.mask_id) for one in split.examples
            }
            masks = session.scalars(select(MaskRow).where(MaskRow.checkpoint_id == checkpoint.id)).all()
            assert {keys[mask.case_id] for mask in masks} == set(split.targets)
            probability = context.record.store.get_map(masks[0].map_digest)
            assert probability.shape == (32, 32)
            assert probability[0, 0] == pytest.approx(0.75, abs=1e-4)
            assert checkpoint.card["n_infected"] == 11, "the drawings went into the packed set"


def test_then_every_case_has_its_candidates_its_seat_and_the_job_is_done(context):
    train_round(context)
    with context.record.database.read() as session:
        candidates = session.scalars(select(Candidate)).all()
        by_case: dict[int, list[Candidate]] = {}
        for candidate in candidates:
            by_case.setdefault(candidate.case_id, []).append(candidate)
        assert len(by_case) == 11
        for of_case in by_case.values():
            assert sorted(one.position for one in of_case) == [0, 1]
            assert {one.mask.origin for one in of_case} == {MaskOrigin.NETWORK, MaskOrigin.DRAWING}
            assert {one.mask.case_id for one in of_case} == {of_case[0].case_id}
        drawn_at = {one.position for one in candidates if one.mask.origin is MaskOrigin.DRAWING}
        assert drawn_at == {0, 1}, "a position must not tell an origin"
        seats = session.scalars(select(Comparison)).all()
        assert sorted(seat.case_id for seat in seats) == sorted(by_case)
        assert {(seat.account_id, seat.token, seat.order) for seat in seats} == {(None, None, None)}
        assert session.get_one(Round, context.round_id).state is RoundState.READING
        assert session.get_one(Job, context.job_id).state is JobState.DONE


def test_a_child_that_dies_is_replaced_and_no_fold_is_trained_or_recorded_twice(context, child):
    child("dies once a fold")
    train_round(context)
    assert [checkpoint.fold for checkpoint in rows(context, Checkpoint)] == [0, 1, 2]
    assert len(rows(context, MaskRow, MaskRow.origin == MaskOrigin.NETWORK)) == 11


def test_a_child_that_always_dies_ends_the_job_with_its_last_words(context, child):
    child("always dies")
    with pytest.raises(ExternalError, match=r"unet-tiny died 4 times(.|\n)*out of memory"):
        train_round(context)
    assert context.log.read_text().count("out of memory") == 4
    assert rows(context, Candidate) == rows(context, Comparison) == []


def test_what_a_child_explains_itself_is_not_tried_again(context, child):
    child("diverges")
    with pytest.raises(StateError, match="It diverged"):
        train_round(context)
    assert context.log.read_text() == ""


def test_a_run_after_a_crash_finds_what_is_recorded(context, child, monkeypatch):
    with monkeypatch.context() as patch:

        def crash(*_):
            raise OSError(28, "No space left on device")

        patch.setattr(worker, "offer_candidates", crash)
        with pytest.raises(OSError, match="No space"):
            train_round(context)
    before = [(row.id, row.created_at) for row in rows(context, Checkpoint)]
    child("always dies")
    train_round(context)
    assert [(row.id, row.created_at) for row in rows(context, Checkpoint)] == before
    assert len(rows(context, Comparison)) == 11


def test_progress_counts_epochs_over_all_folds(context, monkeypatch):
    reports = []
    monkeypatch.setattr(JobContext, "report", lambda _, *numbers, **__: reports.append(numbers))
    train_round(context)
    epochs = TrainingRecipe().epochs
    expected = [(n, 3 * epochs) for fold in range(3) for n in (fold * epochs + 1, (fold + 1) * epochs)]
    assert [report[1:] for report in reports if report[0] == "unet-tiny"] == expected


def test_a_job_cancelled_at_its_end_offers_nothing(context, monkeypatch):
    def cancel_and_offer(*arguments):
        with context.record.database.write() as session:
            session.get_one(Job, context.job_id).state = JobState.CANCELLED
        offer_candidates(*arguments)

    monkeypatch.setattr(worker, "offer_candidates", cancel_and_offer)
    with pytest.raises(JobStopped):
        train_round(context)
    assert rows(context, Candidate) == rows(context, Comparison) == []
    assert rows(context, Round)[0].state is RoundState.TRAINING


def test_a_mask_whose_network_saw_its_component_is_never_offered(context, monkeypatch):
    def leak(context, round_id):
        with context.record.database.write() as session:
            mask = session.scalars(select(MaskRow).where(MaskRow.origin == MaskOrigin.NETWORK)).first()
            twin = session.scalars(
                select(CaseRow).where(CaseRow.component == mask.case.component, CaseRow.id != mask.case_id)
            ).one()
            session.add(TrainingExample(checkpoint_id=mask.checkpoint_id, case_id=twin.id))
        offer_candidates(context, round_id)

    monkeypatch.setattr(worker, "offer_candidates", leak)
    with pytest.raises(InvariantError, match="saw"):
        train_round(context)
    assert rows(context, Candidate) == []


@pytest.mark.usefixtures("child")
def test_stage_two_trains_each_network_once_on_the_final_masks(campaign):
    campaign.open("I").train("I").read("I")
    finish_first_stage(campaign)
    campaign.open("II")
    context = begin(campaign, "II")
    train_round(context)
    checkpoints = rows(context, Checkpoint, Checkpoint.job_id == context.job_id)
    assert {(one.network, one.fold) for one in checkpoints} == {("unet-tiny", None), ("dla-tiny", None)}
    assert len(checkpoints) == 2
    candidates = rows(context, Candidate, Candidate.round_id == context.round_id)
    n_cases = len({one.case_id for one in candidates})
    assert n_cases > 0
    assert len(candidates) == 2 * n_cases
    assert {progress.part for progress in rows(context, Progress)} == {"films", "unet-tiny", "dla-tiny"}


def test_a_round_that_is_read_already_is_not_trained(campaign):
    campaign.open("I").train("I")
    context = begin(campaign, "I")
    with campaign.record.database.write() as session:
        session.get_one(Round, context.round_id).state = RoundState.READING
    with pytest.raises(StateError, match="is reading"):
        train_round(context)


def finish_first_stage(campaign) -> None:
    from db.domain.campaign import StageState
    from db.repository.finals import settle_round

    with campaign.record.database.write() as session:
        stage = campaign.stage(session, "I")
        stage.state = StageState.CLOSED
        stage.rounds[-1].state = RoundState.DONE
        round_id = stage.rounds[-1].id
    settle_round(campaign.record, round_id)


def recipe_of(campaign, stage: str, **changes) -> None:
    """Change the recipe of every stage, as another specification would."""
    with campaign.record.database.write() as session:
        row = campaign.stage(session, stage).campaign
        definition = row.definition
        stages = tuple(replace(one, recipe=replace(one.recipe, **changes)) for one in definition.stages)
        row.definition_json = replace(definition, stages=stages).to_json()


def tasks(context) -> list[TrainingTask]:
    return [TrainingTask.load(path) for path in sorted(context.folder.glob("*.json"))]


def test_whole_components_are_held_out_of_each_fold_and_count_as_seen(campaign, context):
    recipe_of(campaign, "I", validation_share=0.3)
    train_round(context)
    with context.record.database.read() as session:
        component = component_of(session, context.campaign_id)
    [task] = tasks(context)
    checkpoints = rows(context, Checkpoint)
    for fold in task.folds:
        assert 2 <= len(fold.validation) < len(fold.train)
        assert not {component[key] for key in fold.validation} & {component[key] for key in fold.train}
    seen = {row.id: len(rows(context, TrainingExample, TrainingExample.checkpoint_id == row.id)) for row in checkpoints}
    assert sorted(seen.values()) == sorted(len(fold.seen) for fold in task.folds)


def test_networks_start_from_the_newest_weights_of_their_encoder_that_the_job_found_first(context):
    store = context.record.store
    digests = [store.put(f"weights {i}".encode()) for i in range(3)]
    with context.record.database.write() as session:
        session.add_all(EncoderWeights(encoder="tiny", digest=digest, corpus="", card={}) for digest in digests[:2])
    train_round(context)
    [task] = tasks(context)
    assert (task.spec.start, task.start) == (digests[1], store.path(digests[1]))
    with context.record.database.write() as session:
        session.add(EncoderWeights(encoder="tiny", digest=digests[2], corpus="", card={}))
        session.get_one(Job, context.job_id).state = JobState.RUNNING
    networks = [NetworkSpec.parse("unet-tiny")]
    assert encoder_starts(context, networks, TrainingRecipe()) == {"tiny": digests[1]}
    assert encoder_starts(context, networks, TrainingRecipe(weights="random")) == {"tiny": None}


def test_a_pretext_is_learned_first_once_and_is_where_every_fold_starts(campaign, context):
    recipe_of(campaign, "I", pretext="phantoms", pretext_epochs=2)
    asked = []

    def make(name: str, side_px: int, report) -> PackedSet:
        asked.append((name, side_px))
        report(4, 4)
        films = np.zeros((4, side_px, side_px), np.uint8)
        return PackedSet(("p0", "p1", "p2", "p3"), films, films == 0)

    train_round(context, make)
    [task] = tasks(context)
    runs = context.record.settings.runs_folder
    [pretext] = [
        path.parent
        for path in runs.glob("*/done")
        if json.loads((path.parent / "card.json").read_text())["train"] == ["p0", "p1", "p2", "p3"]
    ]
    assert context.record.store.get(task.spec.start) == (pretext / "checkpoint.safetensors").read_bytes()
    assert [row.fold for row in rows(context, Checkpoint)] == [0, 1, 2], "the pretext itself is no checkpoint"
    spec = replace(task.spec, start=None)
    assert learn_pretext(context, spec, make) == task.spec
    assert asked == [("phantoms", 32)]


def test_a_worker_without_phantoms_says_so(campaign, context):
    recipe_of(campaign, "I", pretext="phantoms", pretext_epochs=2)
    with pytest.raises(InputError, match="no films for the pretext 'phantoms'"):
        train_round(context)


def test_the_curves_of_each_fold_are_there_for_tensorboard(context):
    from tensorflow.compat.v1.train import summary_iterator

    train_round(context)
    folder = context.record.settings.home / "logs" / "tensorboard" / f"job-{context.job_id}" / "unet-tiny"
    assert sorted(path.name for path in folder.iterdir()) == ["fold-0", "fold-1", "fold-2"]
    [events] = (folder / "fold-0").iterdir()
    found = {
        value.tag: (event.step, value.simple_value)
        for event in summary_iterator(str(events))
        for value in event.summary.value
    }
    assert found == {"loss": (1, 0.5), "learning_rate": (1, pytest.approx(0.1)), "films_per_s": (1, 10.0)}

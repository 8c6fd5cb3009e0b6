"""Films that join a round while it is read: its networks are asked for them, and none is trained anew."""

import pytest
from sqlalchemy import func, select

from db.domain.campaign import Arm, RoundState
from db.domain.errors import StateError
from db.domain.provenance import JobKind, JobState
from db.job_context import JobContext
from db.models import CampaignCase, Candidate, CaseRow, Checkpoint, Comparison, Job, MaskRow, TrainingExample
from db.repository.late import LATE, unproposed_cases
from ml_backend.worker import train_round


@pytest.fixture
def begin(campaign, child):  # noqa: ARG001 - all children here do well
    """`begin(stage, **arguments)`: a running training job of the stage's round."""

    def begin(name, **arguments):
        with campaign.record.database.write() as session:
            round_ = campaign.stage(session, name).rounds[-1]
            n_before = session.scalar(select(func.count()).select_from(Job))
            job = Job(
                kind=JobKind.TRAIN,
                workflow_id=f"w{n_before}",
                campaign_id=round_.stage.campaign_id,
                round_id=round_.id,
                state=JobState.RUNNING,
                arguments=arguments,
            )
            session.add(job)
            session.flush()
            return JobContext(campaign.record, job.id, job.campaign_id, round_.id, arguments)

    return begin


@pytest.fixture
def read(campaign, begin):
    """Stage I, trained by the fake child and read from then on."""
    campaign.open("I")
    with campaign.record.database.write() as session:
        campaign.stage(session, "I").rounds[-1].state = RoundState.TRAINING
    train_round(begin("I"))
    return campaign


def join(campaign, i, *, fold, drawn=True):
    """Film `cI` joins stage I with a fold; its key."""
    with campaign.record.database.write() as session:
        row = campaign.case(i)
        row.case_class = "infection"
        session.add(row)
        session.flush()
        stage = campaign.stage(session, "I")
        place = {"campaign_id": stage.campaign_id, "case_id": row.id, "stage_id": stage.id}
        session.add(CampaignCase(**place, arm=Arm.READ, component=row.key, fold=fold))
        if drawn:
            session.add(campaign.drawing(row, stage.campaign_id, 1))
        return row.key


def test_each_late_film_gets_candidates_of_the_fold_that_did_not_see_it(read, begin):
    late = [join(read, 40, fold=1), join(read, 42, fold=2)]
    with read.record.database.read() as session:
        assert unproposed_cases(session, read.stage(session, "I").rounds[-1]) == late
        before = {row.id: row.position for row in session.scalars(select(Candidate))}
    context = begin("I", **{LATE: late})
    train_round(context)
    with read.record.database.read() as session:
        assert session.get_one(Job, context.job_id).state is JobState.DONE
        assert read.stage(session, "I").rounds[-1].state is RoundState.READING
        for key, fold in zip(late, (1, 2), strict=True):
            case = session.scalars(select(CaseRow).where(CaseRow.key == key)).one()
            made = session.scalars(select(Candidate).where(Candidate.case_id == case.id)).all()
            assert {one.mask.origin for one in made} == {"network", "drawing"}
            assert [one.mask.checkpoint.fold for one in made if one.mask.checkpoint] == [fold]
            assert session.scalar(select(func.count()).where(Comparison.case_id == case.id)) == 1
        now = {row.id: row.position for row in session.scalars(select(Candidate).where(Candidate.id.in_(before)))}
        assert now == before, "what readers were shown stays as it was"
        assert unproposed_cases(session, read.stage(session, "I").rounds[-1]) == []


def test_the_same_weights_and_examples_stand_behind_late_masks(read, begin):
    context = begin("I", **{LATE: [join(read, 40, fold=1)]})
    train_round(context)
    with read.record.database.read() as session:
        first, late = session.scalars(select(Checkpoint).where(Checkpoint.fold == 1).order_by(Checkpoint.id)).all()
        assert late.job_id == context.job_id
        assert (late.key, late.weights_digest) == (first.key, first.weights_digest)
        examples = [
            set(
                session.execute(
                    select(TrainingExample.case_id, TrainingExample.mask_id).where(
                        TrainingExample.checkpoint_id == one.id
                    )
                )
            )
            for one in (first, late)
        ]
        assert examples[0] == examples[1] != set()


def test_late_films_get_as_many_seats_as_the_others_have_by_then(read, begin):
    with read.record.database.write() as session:
        for seat in session.scalars(select(Comparison)).all():
            session.add(Comparison(round_id=seat.round_id, case_id=seat.case_id, seat=seat.seat + 1))
    key = join(read, 40, fold=0)
    train_round(begin("I", **{LATE: [key]}))
    with read.record.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Comparison).join(CaseRow).where(CaseRow.key == key)) == 2


def test_a_film_without_a_drawing_does_not_wait_for_candidates_of_a_stage_with_drawings(read):
    join(read, 40, fold=1, drawn=False)
    with read.record.database.read() as session:
        assert unproposed_cases(session, read.stage(session, "I").rounds[-1]) == []


def test_networks_that_would_be_others_propose_nothing(read, begin):
    key = join(read, 40, fold=1)
    with read.record.database.write() as session:
        checkpoint = session.scalars(select(Checkpoint).where(Checkpoint.fold == 1)).one()
        checkpoint.weights_digest = "0" * 64
    with pytest.raises(StateError, match="unet-tiny would not be the networks"):
        train_round(begin("I", **{LATE: [key]}))
    with read.record.database.read() as session:
        assert not session.scalar(
            select(func.count()).select_from(Candidate).join(MaskRow).join(CaseRow).where(CaseRow.key == key)
        )


def test_after_a_withdrawal_from_the_training_late_films_wait_for_the_next_round(read, begin):
    key = join(read, 40, fold=1)
    with read.record.database.write() as session:
        of_fold = select(TrainingExample.case_id).join(Checkpoint).where(Checkpoint.fold == 1)
        learned = session.scalars(of_fold).first()
        session.get_one(CaseRow, learned).film_digest = ""
    with pytest.raises(StateError, match="withdrawn since"):
        train_round(begin("I", **{LATE: [key]}))

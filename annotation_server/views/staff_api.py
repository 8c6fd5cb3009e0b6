"""The API for programs of staff: what `overread stage` and the dashboard do, as JSON."""

from flask import Blueprint, current_app, request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation_server import current, openapi
from annotation_server.auth import COORDINATORS, STAFF, allow, limiter, signed_in
from annotation_server.services import coordinating
from annotation_server.services.exporting import request_export
from annotation_server.views.answers import (
    CampaignsAnswer,
    Document,
    JobAnswer,
    LockedAnswer,
    StageAnswer,
)
from db import jobs
from db.domain.errors import NotFoundError
from db.models import Campaign, Job
from db.repository.cases import find_stage

blueprint = Blueprint("staff_api", __name__, url_prefix="/api")
limiter.limit("300 per minute")(blueprint)


class OpenBody(BaseModel):
    """How a stage is opened."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_cases: int | None = Field(None, ge=1, le=1_000_000, description="As many at random; null: those with drawings.")


class LockBody(BaseModel):
    """How a stage is locked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    leave_open: bool = Field(False, description="Let cases without a verdict leave the stage.")


@blueprint.get("/openapi.json")
@allow(STAFF)
def document() -> Document:
    """The OpenAPI document of these routes."""
    return openapi.document(current_app)


@blueprint.get("/campaigns")
@allow(STAFF)
def campaigns() -> CampaignsAnswer:
    """All campaigns."""
    with current.record().database.read() as session:
        found = session.scalars(select(Campaign).order_by(Campaign.name))
        return {"campaigns": [{"name": one.name, "stages": [stage.address for stage in one.stages]} for one in found]}


@blueprint.get("/campaigns/<campaign>/stages/<stage>")
@allow(STAFF)
def stage_status(campaign: str, stage: str) -> StageAnswer:
    """Where a stage stands."""
    return _status(f"{campaign}/{stage}")


@blueprint.post("/campaigns/<campaign>/stages/<stage>/open")
@allow(COORDINATORS)
@openapi.takes(OpenBody)
def open_stage(campaign: str, stage: str) -> StageAnswer:
    """Open a stage: fix its films and their folds."""
    body, address = OpenBody.model_validate_json(request.get_data() or b"{}"), f"{campaign}/{stage}"
    with current.record().database.write() as session:
        coordinating.open_stage(session, address, n_cases=body.n_cases, actor=signed_in().code)
    return _status(address)


@blueprint.post("/campaigns/<campaign>/stages/<stage>/train")
@allow(STAFF)
def train_stage(campaign: str, stage: str) -> JobAnswer:
    """Enqueue the training of a stage's round."""
    record = current.record()
    job_id = coordinating.request_training(record, f"{campaign}/{stage}", actor=signed_in().code)
    with record.database.read() as session:
        return _job(session.get_one(Job, job_id))


@blueprint.post("/campaigns/<campaign>/stages/<stage>/lock")
@allow(COORDINATORS)
@openapi.takes(LockBody)
def lock_stage(campaign: str, stage: str) -> LockedAnswer:
    """End the reading of a stage and make its final masks."""
    body, address = LockBody.model_validate_json(request.get_data() or b"{}"), f"{campaign}/{stage}"
    actor = signed_in().code
    n_made = coordinating.lock_stage(current.record(), address, leave_open=body.leave_open, actor=actor)
    return {"stage": _status(address), "n_made": n_made}


@blueprint.post("/campaigns/<campaign>/stages/<stage>/unblind")
@allow(COORDINATORS)
def unblind_stage(campaign: str, stage: str) -> StageAnswer:
    """Let the origins of a locked stage be seen."""
    coordinating.unblind_stage(current.record(), f"{campaign}/{stage}", actor=signed_in().code)
    return _status(f"{campaign}/{stage}")


@blueprint.post("/campaigns/<campaign>/stages/<stage>/close")
@allow(COORDINATORS)
def close_stage(campaign: str, stage: str) -> StageAnswer:
    """End a stage for good."""
    with current.record().database.write() as session:
        coordinating.close_stage(session, f"{campaign}/{stage}", actor=signed_in().code)
    return _status(f"{campaign}/{stage}")


@blueprint.post("/campaigns/<campaign>/exports")
@allow(STAFF)
def export(campaign: str) -> JobAnswer:
    """Enqueue an export of the final masks; it lands in the exports folder of the server."""
    record = current.record()
    with record.database.write() as session:
        job = request_export(session, record.settings, campaign, actor=signed_in().code)
        return _job(job)


@blueprint.get("/jobs/<int:job_id>")
@allow(STAFF)
def job(job_id: int) -> JobAnswer:
    """How a job goes."""
    with current.record().database.read() as session:
        return _job(_find_job(session, job_id))


@blueprint.post("/jobs/<int:job_id>/cancel")
@allow(STAFF)
def cancel_job(job_id: int) -> JobAnswer:
    """End a job; what it has finished stays."""
    jobs.cancel(current.record().database, job_id, actor=signed_in().code)
    with current.record().database.read() as session:
        return _job(_find_job(session, job_id))


def _find_job(session: Session, job_id: int) -> Job:
    found = session.get(Job, job_id)
    if found is None:
        msg = f"There is no job {job_id}."
        raise NotFoundError(msg)
    return found


def _status(address: str) -> StageAnswer:
    with current.record().database.read() as session:
        stage = find_stage(session, address)
        status = coordinating.stage_status(session, stage)
        return {
            "address": status.address,
            "state": status.state,
            "round_number": status.round_number,
            "round_state": status.round_state,
            "n_cases": status.n_cases,
            "n_drawn": status.n_drawn,
            "n_comparisons": status.n_comparisons,
            "n_decided": status.n_decided,
            "protocol": stage.protocol_digest,
            "job": _job(status.job) if status.job else None,
            "next_verb": status.next_verb,
        }


def _job(job: Job) -> JobAnswer:
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "campaign": job.campaign.name,
        "error": job.error,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
    }

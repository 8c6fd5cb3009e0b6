"""The coordinator's pages: campaigns, how their stages go, and the steps that move them on."""

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from annotation_server import current
from annotation_server.auth import COORDINATORS, STAFF, allow, signed_in
from annotation_server.services.coordinating import (
    close_stage,
    lock_stage,
    open_stage,
    request_training,
    unblind_stage,
)
from annotation_server.services.overview import CampaignOverview, campaign_overview, log_tail
from db import jobs
from db.domain.errors import InputError, InvariantError, NotFoundError, OverreadError
from db.models import Campaign, Job
from db.repository.cases import find_campaign

blueprint = Blueprint("coordinator", __name__, url_prefix="/campaigns")

QUESTIONS = {
    "open": "Open it? Its films and their folds are fixed from then on.",
    "train": "Train its networks now?",
    "lock": "Lock it? Readers cannot change their verdicts any more.",
    "unblind": "Unblind it? From then on everybody here sees who made which mask.",
    "close": "Close it? A closed stage stays closed.",
}
"""What is asked before each step."""

REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
"""A report is one file with its styles inside, and nothing in it may run."""


@blueprint.get("")
@allow(STAFF)
def campaigns() -> str:
    """All campaigns."""
    with current.record().database.read() as session:
        found = session.scalars(select(Campaign).order_by(Campaign.name)).all()
        overviews = [campaign_overview(session, one) for one in found]
        return render_template("campaigns.html", campaigns=overviews)


@blueprint.get("/<name>")
@allow(STAFF)
def campaign(name: str) -> str:
    """One campaign, kept up to date by `progress`."""
    return _page("campaign.html", name)


@blueprint.get("/<name>/progress")
@allow(STAFF)
def progress(name: str) -> str:
    """The part of the campaign's page that changes."""
    return _page("progress.html", name)


@blueprint.post("/<name>/<stage>/<any(open, lock, unblind, close):verb>")
@allow(COORDINATORS)
def move(name: str, stage: str, verb: str) -> AnyResponse:
    """Take a stage one step further, or say why it cannot go."""
    return _step(name, stage, verb, leave_open="leave_open" in request.form)


@blueprint.post("/<name>/<stage>/train")
@allow(STAFF)
def train(name: str, stage: str) -> AnyResponse:
    """Have a stage's networks trained; only a coordinator decides that films stay undrawn."""
    return _step(name, stage, "train", leave_open="leave_open" in request.form and signed_in().role in COORDINATORS)


def _step(name: str, stage: str, verb: str, *, leave_open: bool) -> AnyResponse:
    try:
        n_cases = _n_cases(request.form.get("n_cases", ""))
        flash(_move(f"{name}/{stage}", verb, leave_open=leave_open, n_cases=n_cases), "success")
    except InvariantError:
        raise
    except OverreadError as error:
        flash(str(error), "warning")
    return redirect(url_for("coordinator.campaign", name=name))


@blueprint.post("/<name>/jobs/<int:job_id>/cancel")
@allow(COORDINATORS)
def cancel_job(name: str, job_id: int) -> AnyResponse:
    """End a job; what it has finished stays.

    Raises
    ------
    NotFoundError
        If the campaign has no such job.
    """
    record = current.record()
    with record.database.read() as session:
        _job_of(session, name, job_id)
    jobs.cancel(record.database, job_id, actor=signed_in().code)
    flash(f"Job {job_id} is cancelled.", "success")
    return redirect(url_for("coordinator.campaign", name=name))


@blueprint.get("/<name>/jobs/<int:job_id>/log")
@allow(STAFF)
def job_log(name: str, job_id: int) -> str:
    """The end of what a job's children wrote."""
    record = current.record()
    with record.database.read() as session:
        job = _job_of(session, name, job_id)
        lines = log_tail(record.settings, job)
        return render_template("job_log.html", campaign=name, job=job, lines=lines)


@blueprint.get("/<name>/report")
@allow(STAFF)
def report(name: str) -> Response:
    """The campaign's report, as `overread report` wrote it.

    Raises
    ------
    NotFoundError
        If there is none yet.
    """
    with current.record().database.read() as session:
        known = find_campaign(session, name).name
    if not _has_report(known):
        msg = f"Campaign {known} has no report yet."
        raise NotFoundError(msg, hint=f"Run `overread report {known}`.")
    path = current.record().settings.reports_folder / f"{known}.html"
    return Response(path.read_bytes(), mimetype="text/html", headers={"Content-Security-Policy": REPORT_POLICY})


def _n_cases(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal():
        msg = f"The number of films is {text!r}."
        raise InputError(msg, hint="Give a whole number, or nothing for all that can be read.")
    return int(text)


def _move(address: str, verb: str, *, leave_open: bool, n_cases: int | None) -> str:
    """Do it; a sentence that says what was done."""
    record, actor = current.record(), signed_in().code
    if verb == "open":
        with record.database.write() as session:
            open_stage(session, address, n_cases=n_cases, actor=actor)
        return f"Stage {address} is open."
    if verb == "train":
        job_id = request_training(record, address, leave_open=leave_open, actor=actor)
        return f"Training of stage {address} waits for a worker (job {job_id})."
    if verb == "lock":
        n_made = lock_stage(record, address, leave_open=leave_open, actor=actor)
        return f"Stage {address} is locked: {n_made} final masks were made."
    if verb == "unblind":
        unblind_stage(record, address, actor=actor)
        return f"Stage {address} is unblinded."
    with record.database.write() as session:
        close_stage(session, address, actor=actor)
    return f"Stage {address} is closed."


def _job_of(session: Session, name: str, job_id: int) -> Job:
    job = session.get(Job, job_id)
    if job is None or job.campaign.name != name:
        msg = f"Campaign {name} has no job {job_id}."
        raise NotFoundError(msg)
    return job


def _page(template: str, name: str) -> str:
    with current.record().database.read() as session:
        overview: CampaignOverview = campaign_overview(session, find_campaign(session, name))
        return render_template(template, campaign=overview, has_report=_has_report(name), questions=QUESTIONS)


def _has_report(name: str) -> bool:
    return (current.record().settings.reports_folder / f"{name}.html").is_file()

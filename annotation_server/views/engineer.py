"""The engineer's pages: runs and their checkpoints, networks compared, the ensemble of a stage that is to open."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from annotation_server import current
from annotation_server.auth import STAFF, allow, signed_in
from annotation_server.services.choosing import choose_networks, gather_evidence, require_draft
from annotation_server.services.overview import job_overview
from annotation_server.services.runs import find_run, list_runs
from db.domain.errors import InvariantError, OverreadError
from db.repository.cases import find_stage

blueprint = Blueprint("engineer", __name__)


@blueprint.get("/runs")
@allow(STAFF)
def runs() -> str:
    """Trainings and benchmarks, newest first."""
    with current.record().database.read() as session:
        return render_template("runs.html", runs=list_runs(session))


@blueprint.get("/runs/<int:job_id>")
@allow(STAFF)
def run(job_id: int) -> str:
    """One of them: how it goes, and what it left behind."""
    with current.record().database.read() as session:
        found, networks = find_run(session, job_id)
        overview = job_overview(session, found.job)
        return render_template("run.html", run=found, networks=networks, overview=overview)


@blueprint.get("/campaigns/<name>/<stage>/ensemble")
@allow(STAFF)
def ensemble(name: str, stage: str) -> str:
    """Networks compared out-of-fold, for a stage that is still a draft."""
    record = current.record()
    with record.database.read() as session:
        found = find_stage(session, f"{name}/{stage}")
        require_draft(found)
        present = [network.name for network in found.definition.networks]
        evidence = gather_evidence(session, record.store, found)
    scores = evidence.out_of_fold if evidence else None
    size = min(len(present), len(scores.networks)) if scores else 0
    return render_template(
        "ensemble.html",
        campaign=name,
        stage=stage,
        present=present,
        evidence=evidence,
        scores=scores,
        intervals=scores.intervals() if scores else {},
        suggestion=scores.suggest(size) if scores and size else None,
    )


@blueprint.post("/campaigns/<name>/<stage>/ensemble")
@allow(STAFF)
def choose(name: str, stage: str) -> AnyResponse:
    """Give the stage the networks that were ticked or typed."""
    record, address = current.record(), f"{name}/{stage}"
    names = [*request.form.getlist("network"), *request.form.get("further", "").split()]
    try:
        with record.database.read() as session:
            evidence = gather_evidence(session, record.store, find_stage(session, address))
        with record.database.write() as session:
            chosen = choose_networks(session, address, names, evidence, actor=signed_in().code)
            flash(f"Stage {address} has {', '.join(one.name for one in chosen.definition.networks)}.", "success")
    except InvariantError:
        raise
    except OverreadError as error:
        flash(str(error), "warning")
        return redirect(url_for("engineer.ensemble", name=name, stage=stage))
    return redirect(url_for("coordinator.campaign", name=name))

"""New campaigns, and films for them."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as AnyResponse

from annotation_server import current
from annotation_server.auth import COORDINATORS, STAFF, allow, signed_in
from annotation_server.services.coordinating import create_campaign
from annotation_server.services.founding import ASKED, Proposal
from annotation_server.services.overview import job_overview
from annotation_server.services.receiving import MAX_FILES, MAX_UPLOAD_BYTES, SentFile
from annotation_server.services.registering import list_incoming, request_ingest, request_upload
from db.domain.errors import InvariantError, OverreadError
from db.domain.provenance import JobKind
from db.domain.specs import SPECS, find_spec, settable
from db.domain.study import OwnDrawing, SerialFilms
from db.models import Job
from db.repository.cases import find_campaign

blueprint = Blueprint("founding", __name__)

CHOICES = {"study.own_drawing": list(OwnDrawing), "study.serial_films": list(SerialFilms)}
N_JOBS = 5
"""Ingests that a page shows, the newest first."""

N_REFUSALS = 10
"""Refused files that the page names one by one."""


@blueprint.get("/new-campaign")
@allow(COORDINATORS)
def form() -> str:
    """What a new campaign is asked about."""
    return _form({}, next(iter(SPECS)))


@blueprint.post("/new-campaign")
@allow(COORDINATORS)
def create() -> AnyResponse | tuple[str, int]:
    """Create it, or show the form again with what is wrong."""
    name, spec = request.form.get("name", "").strip(), request.form.get("spec", "")
    answers = {key: request.form.get(key, "") for key in ASKED}
    try:
        definition = Proposal(name, spec, answers, request.form.get("further", "")).definition()
        with current.record().database.write() as session:
            create_campaign(session, name, definition, actor=signed_in().code)
    except InvariantError:
        raise
    except OverreadError as error:
        flash(str(error), "warning")
        return _form(request.form.to_dict(), spec), 400
    flash(f"Campaign {name} was created. Next, take in its films.", "success")
    return redirect(url_for("founding.films", name=name))


@blueprint.get("/campaigns/<name>/films")
@allow(STAFF)
def films(name: str) -> str:
    """Folders that wait to be taken in, and how that goes."""
    record = current.record()
    with record.database.read() as session:
        campaign = find_campaign(session, name)
        query = select(Job).where(Job.campaign_id == campaign.id, Job.kind == JobKind.INGEST)
        ingests = session.scalars(query.order_by(Job.id.desc()).limit(N_JOBS)).all()
        return render_template(
            "films.html",
            campaign=name,
            incoming=list_incoming(record.settings),
            roots=record.settings.incoming,
            max_mb=MAX_UPLOAD_BYTES // 2**20,
            max_files=MAX_FILES,
            ingests=[job_overview(session, job) for job in ingests],
        )


@blueprint.post("/campaigns/<name>/films")
@allow(COORDINATORS)
def register(name: str) -> AnyResponse:
    """Have a worker take in a folder of films."""
    record, folder = current.record(), request.form.get("folder", "")
    simulated = "simulated" in request.form
    try:
        with record.database.write() as session:
            job = request_ingest(session, record.settings, name, folder, simulated=simulated, actor=signed_in().code)
            flash(f"The films of {folder} wait for a worker (job {job.id}).", "success")
    except InvariantError:
        raise
    except OverreadError as error:
        flash(str(error), "warning")
    return redirect(url_for("founding.films", name=name))


@blueprint.post("/campaigns/<name>/films/upload")
@allow(COORDINATORS, max_bytes=MAX_UPLOAD_BYTES)
def upload(name: str) -> AnyResponse:
    """Receive films from the browser and have a worker take them in."""
    films = [_sent(one) for one in request.files.getlist("films") if one.filename]
    manifest = next((_sent(one) for one in request.files.getlist("manifest") if one.filename), None)
    simulated, actor = "simulated" in request.form, signed_in().code
    try:
        job_id, reception = request_upload(current.record(), name, films, manifest, simulated=simulated, actor=actor)
        flash(f"{reception.n_films} films were received; they wait for a worker (job {job_id}).", "success")
        for file, why in reception.refused[:N_REFUSALS]:
            flash(f"{file}: {why}", "warning")
        if (n_more := len(reception.refused) - N_REFUSALS) > 0:
            flash(f"{n_more} more files were refused; the job's log will name them all.", "warning")
    except InvariantError:
        raise
    except OverreadError as error:
        flash(str(error), "warning")
    return redirect(url_for("founding.films", name=name))


def _sent(file: FileStorage) -> SentFile:
    return SentFile(file.filename or "", file.stream)


def _form(filled: dict[str, str], spec: str) -> str:
    present = settable(find_spec(spec if spec in SPECS else next(iter(SPECS))))
    return render_template(
        "new_campaign.html",
        specs=[(name, (make.__doc__ or "").partition("\n")[0]) for name, make in SPECS.items()],
        asked=[(key, present[key]) for key in ASKED],
        choices=CHOICES,
        filled=filled,
    )

"""A campaign's exports: what there is, and asking for another."""

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from annotation_server import current
from annotation_server.auth import COORDINATORS, STAFF, allow, signed_in
from annotation_server.services.exporting import find_export, list_exports, request_export, zip_folder
from db.domain.errors import InvariantError, OverreadError
from db.repository.cases import find_campaign

blueprint = Blueprint("exports", __name__, url_prefix="/campaigns/<name>/exports")


@blueprint.get("")
@allow(STAFF)
def page(name: str) -> str:
    """The exports, newest first."""
    record = current.record()
    with record.database.read() as session:
        found = list_exports(session, record.settings, find_campaign(session, name))
        return render_template("exports.html", campaign=name, exports=found)


@blueprint.post("")
@allow(COORDINATORS)
def request_one(name: str) -> AnyResponse:
    """Have a worker make one."""
    record = current.record()
    try:
        with record.database.write() as session:
            job = request_export(session, record.settings, name, actor=signed_in().code)
            flash(f"The export waits for a worker (job {job.id}).", "success")
    except InvariantError:
        raise
    except OverreadError as error:
        flash(str(error), "warning")
    return redirect(url_for("exports.page", name=name))


@blueprint.get("/<int:job_id>.zip")
@allow(STAFF)
def download(name: str, job_id: int) -> Response:
    """One of them, as a ZIP file."""
    record = current.record()
    with record.database.read() as session:
        folder = find_export(session, record.settings, name, job_id)
    headers = {"Content-Disposition": f'attachment; filename="export-{job_id}.zip"'}
    return Response(zip_folder(folder), mimetype="application/zip", headers=headers)

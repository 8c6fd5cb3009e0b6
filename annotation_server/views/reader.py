"""The reader's pages: which stages are open, and the reading screen."""

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from annotation_server import current
from annotation_server.auth import READERS, SIGNED_IN, allow, signed_in
from annotation_server.services.overview import open_stages, shows_phantoms
from db.domain.provenance import Role
from db.repository.cases import find_stage

blueprint = Blueprint("reader", __name__)


@blueprint.get("/")
@allow(SIGNED_IN)
def home() -> str | Response:
    """The stages that the reader can read; others go to the campaigns."""
    if signed_in().role is not Role.READER:
        return redirect(url_for("coordinator.campaigns"))
    with current.record().database.read() as session:
        return render_template("home.html", stages=open_stages(session, signed_in().account_id))


@blueprint.get("/read/<campaign>/<stage>")
@allow(READERS)
def reading(campaign: str, stage: str) -> str:
    """The reading screen of a stage."""
    with current.record().database.read() as session:
        phantoms = shows_phantoms(session, find_stage(session, f"{campaign}/{stage}"))
    idle_minutes = current.record().settings.idle_minutes
    return render_template("reading.html", campaign=campaign, stage=stage, phantoms=phantoms, idle_minutes=idle_minutes)

"""The annotation guide: its versions, and publishing another."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from annotation_server import current
from annotation_server.auth import COORDINATORS, READERS, STAFF, allow, signed_in
from annotation_server.services.guiding import MAX_CHARACTERS, all_guides, newest_guide, publish_guide
from annotation_server.views import answers
from db.domain.errors import InvariantError, OverreadError
from db.models import Account
from db.repository.cases import find_campaign, find_stage

blueprint = Blueprint("guides", __name__)


@blueprint.get("/api/stages/<campaign>/<stage>/guide")
@allow(READERS)
def guide(campaign: str, stage: str) -> answers.GuideAnswer:
    """The guide that counts, or null."""
    with current.record().database.read() as session:
        found = newest_guide(session, find_stage(session, f"{campaign}/{stage}").campaign_id)
        return {"guide": {"version": found.version, "text": found.text} if found else None}


@blueprint.get("/campaigns/<name>/guide")
@allow(STAFF)
def page(name: str) -> str:
    """All versions, and the newest to write on from."""
    with current.record().database.read() as session:
        found = all_guides(session, find_campaign(session, name).id)
        return render_template("guide.html", campaign=name, guides=found, longest=MAX_CHARACTERS)


@blueprint.post("/campaigns/<name>/guide")
@allow(COORDINATORS)
def publish(name: str) -> AnyResponse:
    """Publish another version."""
    try:
        with current.record().database.write() as session:
            author = session.get_one(Account, signed_in().account_id)
            made = publish_guide(session, find_campaign(session, name), request.form.get("text", ""), author=author)
            flash(f"Version {made.version} of the guide is published.", "success")
    except InvariantError:
        raise
    except OverreadError as error:
        flash(str(error), "warning")
    return redirect(url_for("guides.page", name=name))

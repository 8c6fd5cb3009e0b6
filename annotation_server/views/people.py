"""The accounts of everybody: invite, hand out a new link, shut out, let in again."""

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from annotation_server import current
from annotation_server.auth import COORDINATORS, allow, signed_in
from annotation_server.services import inviting
from annotation_server.services.inviting import Host, Invited
from db.domain.errors import InputError
from db.domain.provenance import Role

blueprint = Blueprint("people", __name__, url_prefix="/accounts")


@blueprint.get("")
@allow(COORDINATORS)
def page() -> str:
    """All accounts."""
    return _page([])


@blueprint.post("/invite")
@allow(COORDINATORS)
def invite() -> str:
    """New accounts and their links, which only this answer shows.

    Raises
    ------
    InputError
        If the role is none, or nobody is named.
    """
    role, people = request.form.get("role", ""), inviting.parse_people(request.form.get("people", ""))
    if role not in list(Role) or not people:
        msg = "Nobody was named to invite."
        raise InputError(msg, hint="Write one code a line, an e-mail address after a comma if you like.")
    with current.record().database.write() as rows:
        outcomes = inviting.invite_people(rows, _host(), Role(role), people)
    return _page(outcomes)


@blueprint.post("/link")
@allow(COORDINATORS)
def renew_link() -> str:
    """A link to a new password, which only this answer shows."""
    with current.record().database.write() as rows:
        outcome = inviting.renew_link(rows, _host(), request.form.get("code", ""))
    return _page([outcome])


@blueprint.post("/<any(deactivate, reactivate):verb>")
@allow(COORDINATORS)
def set_active(verb: str) -> AnyResponse:
    """Shut an account out, or let it in again."""
    code = request.form.get("code", "")
    with current.record().database.write() as rows:
        inviting.set_active(rows, _host(), code, active=verb == "reactivate")
    flash(f"Account {code} is {verb}d.", "success")
    return redirect(url_for("people.page"))


def _host() -> Host:
    return Host(signed_in().code, signed_in().role)


def _page(outcomes: Sequence[Invited]) -> str:
    with current.record().database.read() as rows:
        people = inviting.list_people(rows)
    host = _host()
    roles = [role for role in Role if role in host.role.manages]
    return render_template("people.html", people=people, outcomes=outcomes, roles=roles, own_code=host.code)

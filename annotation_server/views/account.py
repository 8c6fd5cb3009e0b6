"""One's own account: password, sessions, API tokens; and the page behind an invitation's link."""

from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from annotation_server import current, sessions
from annotation_server.auth import EVERYBODY, SIGNED_IN, STAFF, allow, limiter, signed_in
from db import invitations, tokens
from db.accounts import end_sessions, set_password, verify_password
from db.domain.errors import InputError
from db.models import Account

blueprint = Blueprint("account", __name__)

GUESSES = "10 per minute"
LINKS_FROM_AN_ADDRESS = "60 per minute"


@blueprint.get("/account")
@allow(SIGNED_IN)
def page() -> str:
    """One's own account."""
    return _page()


@blueprint.post("/account/password")
@allow(SIGNED_IN)
@limiter.limit(GUESSES, key_func=lambda: str(signed_in().account_id))
def change_password() -> AnyResponse | tuple[str, int]:
    """Choose another password; all other sessions end, and this one begins anew."""
    account_id = signed_in().account_id
    with current.record().database.read() as rows:
        hashed = rows.get_one(Account, account_id).password or ""
    try:
        _require_old(hashed)
        new = _chosen_password()
        with current.record().database.write() as rows:
            account = rows.get_one(Account, account_id)
            set_password(rows, account, new, actor=account.code)
            sessions.open_session(session, account.fs_uniquifier)
    except InputError as error:
        return _page(trouble=str(error)), HTTPStatus.BAD_REQUEST
    flash("Your password is changed. Other sessions have ended.", "success")
    return redirect(url_for("account.page"))


@blueprint.post("/account/sessions/end")
@allow(SIGNED_IN)
def end_all_sessions() -> AnyResponse:
    """Sign out everywhere."""
    with current.record().database.write() as rows:
        account = rows.get_one(Account, signed_in().account_id)
        end_sessions(rows, account, actor=account.code)
    session.clear()
    flash("You are signed out everywhere.", "success")
    return redirect(url_for("auth.login"))


@blueprint.post("/account/tokens")
@allow(STAFF)
def make_token() -> str | tuple[str, int]:
    """A new API token; this answer is the only place that shows it."""
    days = request.form.get("days", "", type=str)
    try:
        with current.record().database.write() as rows:
            account = rows.get_one(Account, signed_in().account_id)
            secret = tokens.make_token(
                rows, account, request.form.get("name", ""), days=int(days) if days.isdecimal() else 0
            )
    except InputError as error:
        return _page(trouble=str(error)), HTTPStatus.BAD_REQUEST
    return _page(secret=secret)


@blueprint.post("/account/tokens/<int:token_id>/revoke")
@allow(STAFF)
def revoke_token(token_id: int) -> AnyResponse:
    """End one of one's own tokens."""
    with current.record().database.write() as rows:
        tokens.revoke_token(rows, rows.get_one(Account, signed_in().account_id), token_id)
    flash("The token is revoked.", "success")
    return redirect(url_for("account.page"))


@blueprint.get("/invitation/<token>")
@allow(EVERYBODY)
@limiter.limit(LINKS_FROM_AN_ADDRESS)
def invitation(token: str) -> str:
    """Where a link leads: choose a password."""
    with current.record().database.read() as rows:
        code = invitations.find_invited(rows, token).code
    return render_template("invitation.html", code=code, token=token, trouble="")


@blueprint.post("/invitation/<token>")
@allow(EVERYBODY)
@limiter.limit(LINKS_FROM_AN_ADDRESS)
def use_invitation(token: str) -> AnyResponse | tuple[str, int]:
    """Keep the password and use the link up."""
    with current.record().database.read() as rows:
        code = invitations.find_invited(rows, token).code
    try:
        new = _chosen_password()
        with current.record().database.write() as rows:
            invitations.redeem(rows, token, new)
    except InputError as error:
        page = render_template("invitation.html", code=code, token=token, trouble=str(error))
        return page, HTTPStatus.BAD_REQUEST
    flash(f"Your password is set. Sign in as {code}.", "success")
    return redirect(url_for("auth.login"))


def _require_old(hashed: str) -> None:
    if not verify_password(hashed, request.form.get("old", "")):
        msg = "The old password is not right."
        raise InputError(msg)


def _chosen_password() -> str:
    new = request.form.get("new", "")
    if new != request.form.get("again", ""):
        msg = "The two passwords differ."
        raise InputError(msg, hint="Type the same one twice.")
    return new


def _page(*, trouble: str = "", secret: str = "") -> str:
    user = signed_in()
    with current.record().database.read() as rows:
        found = tokens.list_tokens(rows, user.account_id) if user.role in STAFF else None
        return render_template(
            "account.html", user=user, tokens=found, trouble=trouble, secret=secret, max_days=tokens.MAX_DAYS
        )

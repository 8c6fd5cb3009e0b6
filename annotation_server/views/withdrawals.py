"""Patients who withdrew: the coordinator's page, and the form that erases their films."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from annotation_server import current
from annotation_server.auth import COORDINATORS, allow, signed_in
from annotation_server.services.withdrawing import finish_withdrawals, withdraw_patient
from db.domain.errors import InvariantError, OverreadError
from db.models import Withdrawal
from db.repository.withdrawals import PENDING

blueprint = Blueprint("withdrawals", __name__, url_prefix="/withdrawals")


@blueprint.get("")
@allow(COORDINATORS)
def withdrawals() -> str:
    """The tombstones, newest first."""
    with current.record().database.read() as session:
        found = session.scalars(select(Withdrawal).order_by(Withdrawal.id.desc())).all()
        return render_template("withdrawals.html", withdrawals=found, pending=PENDING)


@blueprint.post("")
@allow(COORDINATORS)
def withdraw() -> AnyResponse:
    """Erase a patient's films, if the case's key was typed twice alike."""
    case, again = (request.form.get(name, "").strip() for name in ("case", "again"))
    if not case or case != again:
        flash("The case was not typed twice alike; nothing was erased.", "warning")
        return redirect(url_for("withdrawals.withdrawals"))
    try:
        reason = request.form.get("reason", "")
        done = withdraw_patient(current.record(), case, reason=reason, actor=signed_in().code)
        flash(f"{done.n_films} films and {done.n_files} files were erased.", "success")
    except InvariantError:
        raise
    except OverreadError as error:
        flash(str(error), "warning")
    return redirect(url_for("withdrawals.withdrawals"))


@blueprint.post("/finish")
@allow(COORDINATORS)
def finish() -> AnyResponse:
    """Erase what an interrupted withdrawal left."""
    flash(f"{finish_withdrawals(current.record())} files were erased.", "success")
    return redirect(url_for("withdrawals.withdrawals"))

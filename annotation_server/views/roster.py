"""Who reads a stage: the coordinator's page of readers, seats and amendments, and the queue of disputed cases."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from annotation_server import current
from annotation_server.auth import COORDINATORS, STAFF, allow, signed_in
from annotation_server.services.adjudicating import adjudication_queue, request_adjudication
from annotation_server.services.amending import Amendment, admit_late, assign, decide_verdicts, let_go, raise_overlap
from annotation_server.services.pacing import stage_pace
from annotation_server.services.staffing import stage_roster
from annotation_server.views.figures import locked_section, roster_charts
from db import audit
from db.accounts import find_account
from db.domain.audit import AuditAction
from db.domain.campaign import StageState
from db.domain.errors import InputError, InvariantError, OverreadError
from db.repository.cases import find_stage
from db.repository.figures import locked_figures
from db.repository.pixels import Likeness
from db.repository.roster import present_readers

blueprint = Blueprint("roster", __name__, url_prefix="/campaigns/<name>/<stage>")

N_ROWS = 50
"""Cases of the matrix on one page."""


@blueprint.get("/readers")
@allow(STAFF)
def readers(name: str, stage: str) -> str:
    """The readers of a stage, and their seats."""
    first, record = max(request.args.get("first", 0, int), 0), current.record()
    with record.database.read() as session:
        found = find_stage(session, f"{name}/{stage}")
        roster = stage_roster(session, found, first=first, n_rows=N_ROWS)
        pace = stage_pace(session, found)
        is_locked = found.state not in {StageState.DRAFT, StageState.OPEN}
        locked = locked_figures(session, record.store, found.rounds[-1].id) if is_locked else None
        return render_template(
            "roster.html",
            campaign=name,
            stage=stage,
            state=found.state,
            roster=roster,
            pace=pace,
            charts=roster_charts(roster, pace),
            locked=locked_section(locked) if locked else None,
            first=first,
            n_rows=N_ROWS,
        )


@blueprint.post("/readers/<any(assign, leave, count, overlap, admit):verb>")
@allow(COORDINATORS)
def amend(name: str, stage: str, verb: str) -> AnyResponse:
    """Amend the stage, with a reason."""
    amendment = Amendment(f"{name}/{stage}", signed_in().code, request.form.get("reason", ""))
    code, counts = request.form.get("code", ""), "counts" in request.form

    def act(session: Session) -> str:
        if verb == "assign":
            assign(session, amendment, code, quota=_quota(request.form.get("quota", "")))
            return f"{code} reads stage {amendment.address}."
        if verb == "leave":
            n_freed = let_go(session, amendment, code, counts=counts)
            return f"{code} has left; {n_freed} seats are free for others."
        if verb == "count":
            decide_verdicts(session, amendment, code, counts=counts)
            return f"The verdicts of {code} {'count' if counts else 'do not count'}."
        if verb == "admit":
            return admit_late(session, amendment).told
        return f"{raise_overlap(session, amendment)} seats were added: one reader more for every case."

    _say(act)
    return redirect(url_for("roster.readers", name=name, stage=stage))


@blueprint.get("/adjudication")
@allow(STAFF)
def adjudication(name: str, stage: str) -> str:
    """The cases whose readers differ. Neither votes nor makers are told."""
    record = current.record()
    with record.database.read() as session:
        found = find_stage(session, f"{name}/{stage}")
        queue = adjudication_queue(session, Likeness(record.store), found)
        codes = [account.code for account in present_readers(session, found.id)]
    return render_template("adjudication.html", campaign=name, stage=stage, queue=queue, readers=codes)


@blueprint.post("/adjudication")
@allow(COORDINATORS)
def adjudicate(name: str, stage: str) -> AnyResponse:
    """Give disputed cases to a further reader."""
    address, code, cases = f"{name}/{stage}", request.form.get("code", ""), request.form.getlist("case")
    likeness = Likeness(current.record().store)

    def act(session: Session) -> str:
        adjudicator = find_account(session, code) if code else None
        found = find_stage(session, address)
        n_made = request_adjudication(session, likeness, found, adjudicator=adjudicator, cases=cases)
        who = {"reader": code} if code else {}
        audit.log(session, signed_in().code, AuditAction.ADJUDICATOR_ASSIGNED, address, n_cases=n_made, **who)
        return f"{n_made} cases wait for {code or 'any further reader'}."

    _say(act)
    return redirect(url_for("roster.adjudication", name=name, stage=stage))


def _quota(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        msg = f"The quota is {text!r}."
        raise InputError(msg, hint="Give a whole number of seats, or nothing for as many as there are.") from None


def _say(act: Callable[[Session], str]) -> None:
    """Do it in one transaction, and show what it says, or why it cannot be."""
    try:
        with current.record().database.write() as session:
            flash(act(session), "success")
    except InvariantError:
        raise
    except OverreadError as error:
        flash(str(error), "warning")

"""The audit log: who did what to what, and when."""

from flask import Blueprint, render_template, request

from annotation_server import current
from annotation_server.auth import COORDINATORS, allow
from annotation_server.services.logbook import LogFilter, read_log
from db import audit
from db.domain.audit import AuditAction

blueprint = Blueprint("log", __name__, url_prefix="/log")


@blueprint.get("")
@allow(COORDINATORS)
def page() -> str:
    """Entries, newest first; with `check` also whether each is as it was written."""
    words = {name: request.args.get(name, "").strip() for name in ("actor", "action", "subject")}
    wanted = LogFilter(before=request.args.get("before", None, int), **words)
    with current.record().database.read() as session:
        checked = "check" in request.args
        broken = audit.verify(session) if checked else None
        found = read_log(session, wanted)
        return render_template(
            "log.html",
            wanted=wanted,
            found=found,
            actions=list(AuditAction),
            head=audit.head(session),
            checked=checked,
            broken=broken,
        )

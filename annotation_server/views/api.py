"""What the reading screen asks for, as JSON. Every answer is built field by field from what a reader may know."""

from typing import Annotated

from flask import Blueprint, request, url_for
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from annotation_server import current
from annotation_server.auth import READERS, allow, signed_in
from annotation_server.openapi import takes
from annotation_server.services.serial import SerialFilm
from annotation_server.services.showing import Feedback, ReadingView
from annotation_server.views import answers
from annotation_server.views.drafts import from_base64
from db.domain.verdict import Decision, UnreadableReason, VerdictKind
from db.repository.cases import find_stage

blueprint = Blueprint("api", __name__, url_prefix="/api")

A_DAY_MS = 86_400_000

KEY_PATTERN = r"^[\w-]{8,64}$"
_KEY = TypeAdapter(Annotated[str, StringConstraints(pattern=KEY_PATTERN)])


class VerdictBody(BaseModel):
    """A verdict as the browser sends it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: VerdictKind
    slot: int | None = None
    also_acceptable: list[int] = []
    reason: UnreadableReason | None = None
    confidence: int | None = None
    visible_ms: int = Field(0, ge=0, le=A_DAY_MS)
    started_from: int | None = None
    drawing: str | None = None

    def decision(self) -> Decision:
        """The verdict as a value."""
        fields = self.model_dump(exclude={"drawing"})
        return Decision(**fields | {"also_acceptable": frozenset(self.also_acceptable)})

    def drawing_bits(self) -> bytes | None:
        """The packed bits of the drawing, or InputError."""
        return None if self.drawing is None else from_base64(self.drawing)


@blueprint.post("/stages/<campaign>/<stage>/next")
@allow(READERS)
def next_comparison(campaign: str, stage: str) -> answers.NextAnswer:
    """The reader's next case, or null."""
    view = current.reading().next_comparison(signed_in().account_id, _stage_id(campaign, stage))
    return {"comparison": _comparison(view) if view else None}


@blueprint.get("/stages/<campaign>/<stage>/history")
@allow(READERS)
def history(campaign: str, stage: str) -> answers.HistoryAnswer:
    """What the reader has decided, newest first."""
    decided = current.reading().history(signed_in().account_id, _stage_id(campaign, stage))
    return {"decided": [{"token": one.token, "kind": one.kind} for one in decided]}


@blueprint.get("/comparisons/<token>")
@allow(READERS)
def comparison(token: str) -> answers.ComparisonAnswer:
    """One of the reader's own cases."""
    return {"comparison": _comparison(current.reading().open_comparison(signed_in().account_id, token))}


@blueprint.post("/comparisons/<token>/ahead")
@allow(READERS)
def ahead(token: str) -> answers.NextAnswer:
    """The case that will come after this one, or null, so that its pictures can be fetched before."""
    view = current.reading().comparison_ahead(signed_in().account_id, token)
    return {"comparison": _comparison(view) if view else None}


@blueprint.post("/comparisons/<token>/serial")
@allow(READERS)
def serial(token: str) -> answers.SerialAnswer:
    """The patient's films in order of acquisition; that they were asked for is recorded."""
    films = current.reading().serial_films(signed_in().account_id, token)
    return {"films": [_serial_film(token, film) for film in films]}


@blueprint.post("/comparisons/<token>/renew")
@allow(READERS)
def renew(token: str) -> answers.Nothing:
    """Keep the case for another lease."""
    current.reading().renew(signed_in().account_id, token)
    return {}


@blueprint.post("/comparisons/<token>/postpone")
@allow(READERS)
def postpone(token: str) -> answers.Nothing:
    """Put the case at the end of the reader's queue."""
    current.reading().postpone(signed_in().account_id, token)
    return {}


@blueprint.put("/comparisons/<token>/verdict")
@allow(READERS)
@takes(VerdictBody, Idempotency_Key=KEY_PATTERN)
def decide(token: str) -> answers.RevisionAnswer:
    """Store a verdict; it is on the disk when the answer comes."""
    key = _KEY.validate_python(request.headers.get("Idempotency-Key", ""))
    body = VerdictBody.model_validate_json(request.get_data())
    drawing = body.drawing_bits()
    revision = current.reading().decide(
        signed_in().account_id, token, body.decision(), idempotency_key=key, drawing=drawing
    )
    feedback = current.reading().feedback(signed_in().account_id, token)
    return {"revision": revision, "feedback": _feedback(feedback) if feedback else None}


def _stage_id(campaign: str, stage: str) -> int:
    with current.record().database.read() as session:
        return find_stage(session, f"{campaign}/{stage}").id


def _comparison(view: ReadingView) -> answers.Comparison:
    return {
        "token": view.token,
        "width_px": view.width_px,
        "height_px": view.height_px,
        "grid_width_px": view.grid_width_px,
        "grid_height_px": view.grid_height_px,
        "n_candidates": view.n_candidates,
        "n_decided": view.n_decided,
        "n_left": view.n_left,
        "verdict": _verdict(view.verdict) if view.verdict else None,
        "task": view.task,
        "with_confidence": view.with_confidence,
        "redraw_from_candidate": view.redraw_from_candidate,
        "is_practice": view.is_practice,
        "n_serial_films": view.n_serial_films,
        "feedback": _feedback(view.feedback) if view.feedback else None,
        "film_url": url_for("media.film", token=view.token),
        "bundle_url": url_for("media.bundle", token=view.token),
        "lungs_url": url_for("media.lungs", token=view.token) if view.has_lungs else None,
    }


def _serial_film(token: str, film: SerialFilm) -> answers.SerialFilm:
    return {
        "film_url": url_for("media.serial", token=token, name=film.name),
        "order": film.order,
        "days": film.days,
    }


def _feedback(feedback: Feedback) -> answers.FeedbackAnswer:
    return {"right_slot": feedback.right_slot, "dice": feedback.dice}


def _verdict(decision: Decision) -> answers.VerdictAnswer:
    return {
        "kind": decision.kind,
        "slot": decision.slot,
        "also_acceptable": sorted(decision.also_acceptable),
        "reason": decision.reason,
        "confidence": decision.confidence,
        "drawing": None,
    }

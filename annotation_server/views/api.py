"""What the reading screen asks for, as JSON. Every answer is built field by field from what a reader may know."""

from typing import Annotated, Any

from flask import Blueprint, request, url_for
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from annotation_server import current
from annotation_server.auth import READERS, allow, signed_in
from annotation_server.services.reading import Feedback, ReadingView
from annotation_server.views.drafts import from_base64
from db.domain.verdict import Decision, UnreadableReason, VerdictKind
from db.repository.cases import find_stage

blueprint = Blueprint("api", __name__, url_prefix="/api")

A_DAY_MS = 86_400_000

_KEY = TypeAdapter(Annotated[str, StringConstraints(min_length=8, max_length=64, pattern=r"^[\w-]+$")])


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
def next_comparison(campaign: str, stage: str) -> dict[str, Any]:
    """The reader's next case, or null."""
    view = current.reading().next_comparison(signed_in().account_id, _stage_id(campaign, stage))
    return {"comparison": view and _comparison(view)}


@blueprint.get("/stages/<campaign>/<stage>/history")
@allow(READERS)
def history(campaign: str, stage: str) -> dict[str, Any]:
    """What the reader has decided, newest first."""
    decided = current.reading().history(signed_in().account_id, _stage_id(campaign, stage))
    return {"decided": [{"token": one.token, "kind": one.kind} for one in decided]}


@blueprint.get("/comparisons/<token>")
@allow(READERS)
def comparison(token: str) -> dict[str, Any]:
    """One of the reader's own cases."""
    return {"comparison": _comparison(current.reading().open_comparison(signed_in().account_id, token))}


@blueprint.post("/comparisons/<token>/renew")
@allow(READERS)
def renew(token: str) -> dict[str, Any]:
    """Keep the case for another lease."""
    current.reading().renew(signed_in().account_id, token)
    return {}


@blueprint.post("/comparisons/<token>/postpone")
@allow(READERS)
def postpone(token: str) -> dict[str, Any]:
    """Put the case at the end of the reader's queue."""
    current.reading().postpone(signed_in().account_id, token)
    return {}


@blueprint.put("/comparisons/<token>/verdict")
@allow(READERS)
def decide(token: str) -> dict[str, Any]:
    """Store a verdict; it is on the disk when the answer comes."""
    key = _KEY.validate_python(request.headers.get("Idempotency-Key", ""))
    body = VerdictBody.model_validate_json(request.get_data())
    drawing = body.drawing_bits()
    revision = current.reading().decide(
        signed_in().account_id, token, body.decision(), idempotency_key=key, drawing=drawing
    )
    feedback = current.reading().feedback(signed_in().account_id, token)
    return {"revision": revision, "feedback": feedback and _feedback(feedback)}


def _stage_id(campaign: str, stage: str) -> int:
    with current.record().database.read() as session:
        return find_stage(session, f"{campaign}/{stage}").id


def _comparison(view: ReadingView) -> dict[str, Any]:
    return {
        "token": view.token,
        "width_px": view.width_px,
        "height_px": view.height_px,
        "grid_width_px": view.grid_width_px,
        "grid_height_px": view.grid_height_px,
        "n_candidates": view.n_candidates,
        "n_decided": view.n_decided,
        "n_left": view.n_left,
        "verdict": view.verdict and _verdict(view.verdict),
        "task": view.task,
        "with_confidence": view.with_confidence,
        "redraw_from_candidate": view.redraw_from_candidate,
        "is_practice": view.is_practice,
        "feedback": view.feedback and _feedback(view.feedback),
        "film_url": url_for("media.film", token=view.token),
        "bundle_url": url_for("media.bundle", token=view.token),
    }


def _feedback(feedback: Feedback) -> dict[str, Any]:
    return {"right_slot": feedback.right_slot, "dice": feedback.dice}


def _verdict(decision: Decision) -> dict[str, Any]:
    return {
        "kind": decision.kind,
        "slot": decision.slot,
        "also_acceptable": sorted(decision.also_acceptable),
        "reason": decision.reason,
        "confidence": decision.confidence,
        "drawing": None,
    }

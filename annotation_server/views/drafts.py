"""Drafts of drawings, and the reader's own drawings, as JSON. The last word on one is a verdict, in `api`."""

import binascii

from flask import Blueprint, request
from pydantic import BaseModel, ConfigDict

from annotation_server import current
from annotation_server.auth import READERS, allow, signed_in
from annotation_server.openapi import takes
from annotation_server.services.drafting import Drawing
from annotation_server.views import answers
from db.domain.errors import InputError

blueprint = Blueprint("drafts", __name__, url_prefix="/api/comparisons/<token>")


class DraftBody(BaseModel):
    """A draft as the browser sends it; `revision` is that of the draft it was made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: int | None
    slot: int | None
    started_from: int | None
    bits: str

    def value(self) -> Drawing:
        """The draft as a value, or InputError."""
        return Drawing(self.slot, from_base64(self.bits), self.started_from)


@blueprint.get("/draft")
@allow(READERS)
def draft(token: str) -> answers.DraftAnswer:
    """The reader's draft, or null."""
    kept = current.drafting().draft(signed_in().account_id, token)
    if kept is None:
        return {"draft": None}
    return {"draft": {"revision": kept.revision, "age_s": kept.age_s, **_drawing(kept.drawing)}}


@blueprint.put("/draft")
@allow(READERS)
@takes(DraftBody)
def keep_draft(token: str) -> answers.DraftRevision:
    """Store a draft; it is on the disk when the answer comes."""
    body = DraftBody.model_validate_json(request.get_data())
    revision = current.drafting().keep(signed_in().account_id, token, body.value(), made_from=body.revision)
    return {"revision": revision}


@blueprint.delete("/draft/<int:revision>")
@allow(READERS)
def discard_draft(token: str, revision: int) -> answers.Nothing:
    """Forget a draft."""
    current.drafting().discard(signed_in().account_id, token, revision=revision)
    return {}


@blueprint.get("/drawing")
@allow(READERS)
def drawing(token: str) -> answers.OwnDrawingAnswer:
    """The reader's own drawing that counts now, or null."""
    own = current.drafting().own_drawing(signed_in().account_id, token)
    return {"drawing": _drawing(own) if own else None}


def from_base64(text: str) -> bytes:
    """The bytes that a browser sent as text, or InputError."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        msg = "The drawing is not base64."
        raise InputError(msg, hint="Reload the page; the drawing is kept in the browser.") from None


def _drawing(drawing: Drawing) -> answers.DrawingBits:
    bits = binascii.b2a_base64(drawing.bits, newline=False).decode()
    return {"slot": drawing.slot, "started_from": drawing.started_from, "bits": bits}

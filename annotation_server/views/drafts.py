"""Drafts of drawings, and the reader's own drawings, as JSON. The last word on one is a verdict, in `api`."""

import binascii
from typing import Any

from flask import Blueprint, request
from pydantic import BaseModel, ConfigDict

from annotation_server import current
from annotation_server.auth import READERS, allow, signed_in
from annotation_server.services.drafting import Drawing
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
def draft(token: str) -> dict[str, Any]:
    """The reader's draft, or null."""
    kept = current.drafting().draft(signed_in().account_id, token)
    return {"draft": kept and {"revision": kept.revision, "age_s": kept.age_s, **_drawing(kept.drawing)}}


@blueprint.put("/draft")
@allow(READERS)
def keep_draft(token: str) -> dict[str, Any]:
    """Store a draft; it is on the disk when the answer comes."""
    body = DraftBody.model_validate_json(request.get_data())
    revision = current.drafting().keep(signed_in().account_id, token, body.value(), made_from=body.revision)
    return {"revision": revision}


@blueprint.delete("/draft/<int:revision>")
@allow(READERS)
def discard_draft(token: str, revision: int) -> dict[str, Any]:
    """Forget a draft."""
    current.drafting().discard(signed_in().account_id, token, revision=revision)
    return {}


@blueprint.get("/drawing")
@allow(READERS)
def drawing(token: str) -> dict[str, Any]:
    """The reader's own drawing that counts now, or null."""
    own = current.drafting().own_drawing(signed_in().account_id, token)
    return {"drawing": own and _drawing(own)}


def from_base64(text: str) -> bytes:
    """The bytes that a browser sent as text, or InputError."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        msg = "The drawing is not base64."
        raise InputError(msg, hint="Reload the page; the drawing is kept in the browser.") from None


def _drawing(drawing: Drawing) -> dict[str, Any]:
    bits = binascii.b2a_base64(drawing.bits, newline=False).decode()
    return {"slot": drawing.slot, "started_from": drawing.started_from, "bits": bits}

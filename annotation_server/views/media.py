"""Films and candidates as bytes. No answer has a name, a date or a tag that could tell one from another."""

from flask import Blueprint, Response

from annotation_server import current
from annotation_server.auth import READERS, allow, signed_in
from annotation_server.openapi import sends

blueprint = Blueprint("media", __name__, url_prefix="/media")


@blueprint.get("/<token>/film")
@allow(READERS)
@sends("image/png")
def film(token: str) -> Response:
    """The film, as PNG."""
    return Response(current.reading().film(signed_in().account_id, token), mimetype="image/png")


@blueprint.get("/<token>/serial/<name>")
@allow(READERS)
@sends("image/png")
def serial(token: str, name: str) -> Response:
    """Another film of the patient, as PNG."""
    return Response(current.reading().serial_film(signed_in().account_id, token, name), mimetype="image/png")


@blueprint.get("/<token>/bundle")
@allow(READERS)
@sends("application/octet-stream")
def bundle(token: str) -> Response:
    """All candidates, as packed bits in slot order."""
    return Response(current.reading().bundle(signed_in().account_id, token), mimetype="application/octet-stream")


@blueprint.get("/<token>/lungs")
@allow(READERS)
@sends("application/octet-stream")
def lungs(token: str) -> Response:
    """The film's lung mask, as packed bits."""
    return Response(current.reading().lungs(signed_in().account_id, token), mimetype="application/octet-stream")

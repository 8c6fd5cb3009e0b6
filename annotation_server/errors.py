"""How errors reach a browser: JSON below /api and /media, a calm page elsewhere, never a trace."""

import logging
import secrets
from http import HTTPStatus

from flask import Flask, Response, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from pydantic import ValidationError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from db.domain.errors import InvariantError, OverreadError

RETRY_AFTER_S = 2

_log = logging.getLogger(__name__)


def register_errors(app: Flask) -> None:
    """Give every kind of error its answer."""
    app.register_error_handler(OverreadError, _expected)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(ValidationError, _malformed)
    for unkept in (DataError, OverflowError):
        app.register_error_handler(unkept, _unacceptable)
    app.register_error_handler(HTTPException, _http)
    for trouble in (OperationalError, InterfaceError, PoolTimeoutError, OSError):
        app.register_error_handler(trouble, _unavailable)
    app.register_error_handler(Exception, _unexpected)


def error_response(status: int, code: str, message: str, hint: str = "") -> Response:
    """The answer for an error, in the form that the request's part of the application speaks."""
    if request.path.startswith(("/api/", "/media/")):
        response = jsonify(error={"code": code, "message": message, "hint": hint})
    else:
        response = make_response(render_template("error.html", status=status, message=message, hint=hint))
    response.status_code = status
    return response


def _expected(error: OverreadError) -> Response:
    if isinstance(error, InvariantError):
        return _unexpected(error)
    return error_response(error.http_status, error.code, error.message, error.hint)


def _csrf(_: CSRFError) -> Response:
    return error_response(HTTPStatus.BAD_REQUEST, "csrf", "The page is out of date.", "Reload it and try again.")


def _malformed(error: ValidationError) -> Response:
    """Names the fields that are wrong; what they held may be private."""
    faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
    return error_response(HTTPStatus.BAD_REQUEST, "input", f"The request is malformed: {faults}.")


def _unacceptable(_: Exception) -> Response:
    """PostgreSQL keeps no NUL in a text, for one, and SQLite no integer of more than 64 bits."""
    return error_response(HTTPStatus.BAD_REQUEST, "input", "The request holds a value that cannot be kept.")


def _http(error: HTTPException) -> Response:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    response = error_response(status, code, error.description or HTTPStatus(status).phrase)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _unavailable(error: Exception) -> Response:
    """The disk or the database fails. The transaction is gone as a whole, so the same request may be sent again."""
    _log.error("Unavailable at %s", request.endpoint, exc_info=error)
    response = error_response(
        HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "The record cannot be reached now.", "Try again in a moment."
    )
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _unexpected(error: Exception) -> Response:
    reference = secrets.token_hex(4)
    _log.error("Unexpected at %s, reference %s", request.endpoint, reference, exc_info=error)
    return error_response(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "unexpected",
        f"Something went wrong (reference {reference}).",
        "Tell the coordinator the reference; the log has the rest.",
    )

"""The web application: reading room and dashboard over one record."""

import os
from tempfile import TemporaryFile

from flask import Flask, Response, request
from sqlalchemy import text

from annotation_server import assets, current, proxy, sessions
from annotation_server.auth import EVERYBODY, allow, register_auth
from annotation_server.errors import register_errors
from annotation_server.metrics import register_metrics
from annotation_server.services.reading import ReadingService
from annotation_server.views import (
    account,
    api,
    coordinator,
    drafts,
    engineer,
    exports,
    figures,
    founding,
    guides,
    log,
    media,
    people,
    reader,
    roster,
    staff_api,
    withdrawals,
)
from db.record import Record

MAX_REQUEST_BYTES = 32 * 2**20
"""A redraw of a film of 100 million pixels, in base64, takes 17 MB."""

IMMUTABLE = "public, max-age=31536000, immutable"
"""For files that are named by the hash of their content."""

BLUEPRINTS = (
    reader.blueprint,
    account.blueprint,
    people.blueprint,
    coordinator.blueprint,
    founding.blueprint,
    guides.blueprint,
    engineer.blueprint,
    roster.blueprint,
    figures.blueprint,
    exports.blueprint,
    log.blueprint,
    withdrawals.blueprint,
    api.blueprint,
    drafts.blueprint,
    staff_api.blueprint,
    media.blueprint,
)

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def create_app(record: Record) -> Flask:
    """The application over `record`.

    Raises
    ------
    InputError
        If there is no session key of enough length.
    """
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=record.settings.session_key(),
        SECRET_KEY_FALLBACKS=record.settings.old_session_keys(),
        SESSION_COOKIE_NAME="overread",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=record.settings.secure_cookies,
        PERMANENT_SESSION_LIFETIME=sessions.LIFETIME,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        MAX_CONTENT_LENGTH=MAX_REQUEST_BYTES,
        MAX_FORM_MEMORY_SIZE=2**16,
    )
    app.extensions["record"] = record
    app.extensions["reading"] = ReadingService(record)
    app.jinja_env.globals |= {"script_url": assets.script_url, "style_urls": assets.style_urls}
    register_errors(app)
    register_metrics(app, record)  # before those who may refuse a request, which takes time too
    register_auth(app, record)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    allow(EVERYBODY)(app.view_functions["static"])
    app.add_url_rule("/healthz", "healthz", allow(EVERYBODY)(_healthz))
    app.add_url_rule("/readyz", "readyz", allow(EVERYBODY)(_readyz))
    app.after_request(_harden)
    proxy.mount(app, record.settings)
    return app


def _healthz() -> dict[str, str]:
    """Whether the process answers, and its database."""
    with current.record().database.read() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}


def _readyz() -> dict[str, str]:
    """Whether work can be done: the database takes a transaction, and the store a file; else 503."""
    with current.record().database.write() as session:
        session.execute(text("SELECT 1"))
    root = current.record().store.root
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=root) as file:
        file.write(b"ready")
        file.flush()
        os.fsync(file.fileno())
    return {"status": "ready"}


def _harden(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    is_hashed_file = request.endpoint == "static" and response.status_code < 400  # noqa: PLR2004 - errors start there
    response.headers["Cache-Control"] = IMMUTABLE if is_hashed_file else "no-store"
    return response

"""Who makes a request, and what each role may do. A view without a stated audience is closed to everybody."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar, cast

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request, session, url_for
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, UserMixin, current_user
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response as AnyResponse

from annotation_server import current, sessions
from annotation_server.errors import error_response
from db import audit
from db.accounts import authenticate, known_code
from db.domain.audit import AuditAction
from db.domain.provenance import Role
from db.models import Account
from db.record import Record
from db.tokens import token_account

View = TypeVar("View", bound=Callable[..., object])

NOBODY: frozenset[str] = frozenset()
EVERYBODY = frozenset({"everybody"})
READERS = frozenset({Role.READER})
COORDINATORS = frozenset({Role.COORDINATOR, Role.ADMIN})
STAFF = COORDINATORS | {Role.ENGINEER}
SIGNED_IN = STAFF | READERS

LOGINS_OF_A_NAME = "10 per minute"
LOGINS_FROM_AN_ADDRESS = "60 per minute"
"""A whole hospital may have one."""

LOCAL_PATH = re.compile(r"/(?![/\\])[^\s\\]*")
"""Where a login may lead: never to another host."""

LOCAL_ADDRESSES = frozenset({"127.0.0.1", "::1"})

blueprint = Blueprint("auth", __name__)
limiter = Limiter(get_remote_address, storage_uri="memory://")
csrf = CSRFProtect()


@dataclass(frozen=True)
class User(UserMixin):  # type: ignore[misc]  # Flask-Login is published without types
    """The account behind a request."""

    account_id: int
    code: str
    role: Role
    simulated: bool


def allow(audience: frozenset[str], *, or_local: bool = False, max_bytes: int | None = None) -> Callable[[View], View]:
    """Open a view to the roles of an audience; with `or_local` to this machine too, where the settings say so.

    With `max_bytes` the audience, and nobody else, may send it more than other views take.
    """

    def mark(view: View) -> View:
        vars(view)["audience"] = audience
        vars(view)["or_local"] = or_local
        vars(view)["max_bytes"] = max_bytes
        return view

    return mark


def register_auth(app: Flask, record: Record) -> None:
    """Sign-in, cross-site protection, rate limits, and the check of every request's role."""
    manager = LoginManager(app, add_context_processor=False)
    manager.session_protection = None  # it would bind a session to the browser's version
    app.jinja_env.globals["current_user"] = current_user  # looked up only where a page shows it: an error's does not

    def load(session_id: str) -> User | None:
        with record.database.read() as rows:
            return _user(sessions.find_account(rows, session_id))

    manager.user_loader(load)
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False  # `_protect` does it
    csrf.init_app(app)
    limiter.init_app(app)
    app.before_request(_make_room)
    app.before_request(_protect)
    app.before_request(_admit)
    app.register_blueprint(blueprint)


def signed_in() -> User:
    """The account that makes the request; only for views that are not open to everybody."""
    return cast("User", _visitor())


@blueprint.get("/login")
@allow(EVERYBODY)
def login() -> str:
    """The sign-in page."""
    return render_template("login.html", identity="", failed=False, target=request.args.get("next", ""))


@blueprint.post("/login")
@allow(EVERYBODY)
@limiter.limit(LOGINS_FROM_AN_ADDRESS)
@limiter.limit(LOGINS_OF_A_NAME, key_func=lambda: request.form.get("identity", "").lower())
def submit_login() -> AnyResponse | tuple[str, int]:
    """Sign in, under a new session. Both outcomes are logged, an unknown name as such: it may be a password."""
    identity, password, target = (request.form.get(name, "") for name in ("identity", "password", "next"))
    with current.record().database.read() as rows:
        account = authenticate(rows, identity, password)
        code = account.code if account else known_code(rows, identity)
    with current.record().database.write() as rows:
        action = AuditAction.SIGNED_IN if account else AuditAction.SIGN_IN_FAILED
        audit.log(rows, account.code if account else audit.SYSTEM, action, code or "unknown")
    if account is None:
        page = render_template("login.html", identity=identity, failed=True, target=target)
        return page, HTTPStatus.FORBIDDEN
    sessions.open_session(session, account.fs_uniquifier)
    return redirect(target if LOCAL_PATH.fullmatch(target) else url_for("reader.home"))


@blueprint.post("/logout")
@allow(SIGNED_IN)
def logout() -> AnyResponse:
    """End the session."""
    code = signed_in().code
    with current.record().database.write() as rows:
        sessions.end_session(rows)
        audit.log(rows, code, AuditAction.SIGNED_OUT, code)
    return redirect(url_for("auth.login"))


def _user(account: Account | None) -> User | None:
    return None if account is None else User(account.id, account.code, account.role, account.simulated)


def _visitor() -> User | None:
    """Who makes the request: a program by its token, else a browser by its session. Never one for the other."""
    if "program" in g:
        program: User | None = g.program
        return program
    return current_user._get_current_object() if current_user.is_authenticated else None  # noqa: SLF001 - Flask-Login's proxy has no other way


def _bearer_secret() -> str | None:
    """The token that a program sent, where tokens are taken at all."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    takes_tokens = request.path.startswith("/api/") or request.path == "/metrics"
    return secret.strip() if takes_tokens and scheme.lower() == "bearer" else None


def _make_room() -> None:
    """Before anything of a request's body is read: how long it may be."""
    stated = vars(current_app.view_functions[request.endpoint]) if request.endpoint else {}
    limit: int | None = stated.get("max_bytes")
    if limit is not None and (visitor := _visitor()) is not None and visitor.role in stated["audience"]:
        request.max_content_length = limit


def _protect() -> None:
    """Refuse changes that another site made a browser ask for. A program's token is never sent by a browser itself."""
    if request.endpoint is not None and _bearer_secret() is None:
        csrf.protect()


def _admit() -> AnyResponse | Response | None:
    """Let the request pass to its view, or say why not."""
    if request.endpoint is None:
        return None  # there is no such page, which everybody may know
    stated = vars(current_app.view_functions[request.endpoint])
    audience = stated.get("audience", NOBODY)
    if audience == EVERYBODY or (stated.get("or_local") and _is_local()):
        return None
    if (secret := _bearer_secret()) is not None:
        g.program = _program(secret)
    visitor = _visitor()
    if visitor is None:
        return _to_login()
    if visitor.role not in audience:
        return error_response(HTTPStatus.FORBIDDEN, "not_allowed", "Your role may not do this.")
    if "program" not in g:
        sessions.touch()
    return None


def _program(secret: str) -> User | None:
    with current.record().database.read() as rows:
        user = _user(token_account(rows, secret))
    return user if user is not None and user.role in STAFF else None


def _is_local() -> bool:
    return current.record().settings.local_metrics and request.remote_addr in LOCAL_ADDRESSES


def _to_login() -> AnyResponse:
    """To the login page, and back from there; programs and scripts are told so instead."""
    if request.path.startswith(("/api/", "/media/")) or "program" in g:
        message = "This token is not known, or not any more." if "program" in g else "You are signed out."
        return error_response(HTTPStatus.UNAUTHORIZED, "signed_out", message, "Sign in again, or make a new token.")
    page = request.script_root + request.path
    login = url_for("auth.login", next=page if request.path != "/" else None)
    if "HX-Request" in request.headers:  # htmx would put the login page into the part that it refreshes
        return Response(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": login})
    return redirect(login)

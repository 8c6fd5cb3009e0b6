"""Who is signed in, and what each role may do. A view without a stated audience is closed to everybody."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar, cast

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request, session, url_for
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf import CSRFProtect
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from annotation_server import current
from annotation_server.errors import error_response
from db.accounts import authenticate
from db.domain.provenance import Role
from db.models import Account
from db.record import Record

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

blueprint = Blueprint("auth", __name__)
limiter = Limiter(get_remote_address, storage_uri="memory://")


@dataclass(frozen=True)
class User(UserMixin):  # type: ignore[misc]  # Flask-Login is published without types
    """The account behind a session."""

    account_id: int
    code: str
    role: Role
    simulated: bool
    session_id: str

    def get_id(self) -> str:
        """What the session holds; a new password gives the account a new one."""
        return self.session_id


def allow(audience: frozenset[str]) -> Callable[[View], View]:
    """Open a view to the roles of an audience."""

    def mark(view: View) -> View:
        vars(view)["audience"] = audience
        return view

    return mark


def register_auth(app: Flask, record: Record) -> None:
    """Sign-in, cross-site protection, rate limits, and the check of every request's role."""
    manager = LoginManager(app, add_context_processor=False)
    app.jinja_env.globals["current_user"] = current_user  # looked up only where a page shows it: an error's does not

    def load(session_id: str) -> User | None:
        with record.database.read() as rows:
            account = rows.scalar(select(Account).where(Account.fs_uniquifier == session_id, Account.active))
            return None if account is None else _user(account)

    manager.user_loader(load)
    CSRFProtect(app)
    limiter.init_app(app)
    app.before_request(_admit)
    app.register_blueprint(blueprint)


def signed_in() -> User:
    """The account that makes the request; only for views that are not open to everybody."""
    return cast("User", current_user._get_current_object())  # noqa: SLF001 - Flask-Login's proxy has no other way


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
    """Sign in, under a new session."""
    identity, password, target = (request.form.get(name, "") for name in ("identity", "password", "next"))
    with current.record().database.read() as rows:
        account = authenticate(rows, identity, password)
    if account is None:
        page = render_template("login.html", identity=identity, failed=True, target=target)
        return page, HTTPStatus.FORBIDDEN
    session.clear()
    login_user(_user(account))
    return redirect(target if LOCAL_PATH.fullmatch(target) else url_for("reader.home"))


@blueprint.post("/logout")
@allow(SIGNED_IN)
def logout() -> AnyResponse:
    """End the session."""
    logout_user()
    session.clear()
    return redirect(url_for("auth.login"))


def _user(account: Account) -> User:
    return User(account.id, account.code, account.role, account.simulated, account.fs_uniquifier)


def _admit() -> AnyResponse | Response | None:
    """Let the request pass to its view, or say why not."""
    if request.endpoint is None:
        return None  # there is no such page, which everybody may know
    audience = vars(current_app.view_functions[request.endpoint]).get("audience", NOBODY)
    if audience == EVERYBODY:
        return None
    if not current_user.is_authenticated:
        if request.path.startswith(("/api/", "/media/")):
            return error_response(HTTPStatus.UNAUTHORIZED, "signed_out", "You are signed out.", "Sign in again.")
        return _to_login()
    if signed_in().role not in audience:
        return error_response(HTTPStatus.FORBIDDEN, "not_allowed", "Your role may not do this.")
    return None


def _to_login() -> AnyResponse:
    """To the login page, and back from there."""
    login = url_for("auth.login", next=request.path if request.path != "/" else None)
    if "HX-Request" in request.headers:  # htmx would put the login page into the part that it refreshes
        return Response(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": login})
    return redirect(login)

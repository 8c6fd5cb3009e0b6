"""Sessions: what the signed cookie of a browser holds, how long it is worth something, and how it ends.

The cookie names the account by its `fs_uniquifier`, which a new password, a deactivation and "sign out everywhere"
change: they end all sessions of the account. One that is signed out alone is remembered as ended until it would have
been too old anyway, so that a copy of its cookie opens nothing.
"""

import secrets
import time
from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

from flask import request, session
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from db.domain.password import secret_digest
from db.models import Account, EndedSession, now

LIFETIME = timedelta(hours=12)
"""A day's reading; after it even a session that is in use has ended."""

IDLE_LIFETIME = timedelta(hours=2)
"""How long a session outlives its last request. A dashboard that refreshes itself is no sign of life."""

TOUCH_S = 60
"""The cookie is written anew no more often than this."""

USER_KEY = "_user_id"
"""Where Flask-Login looks for the account."""


def open_session(browser: MutableMapping[str, Any], session_id: str) -> None:
    """Begin a session of the account with this `fs_uniquifier`; whatever the cookie held before is gone."""
    browser.clear()
    moment = _seconds()
    browser.update({USER_KEY: session_id, "key": secrets.token_hex(16), "begun_at": moment, "seen_at": moment})


def find_account(rows: Session, session_id: str) -> Account | None:
    """The account whose session the request's cookie is, unless the session or the account has ended."""
    moment = _seconds()
    begun_at, seen_at = session.get("begun_at", 0), session.get("seen_at", 0)
    if moment - begun_at > LIFETIME.total_seconds() or moment - seen_at > IDLE_LIFETIME.total_seconds():
        return None
    has_ended = exists().where(EndedSession.session_digest == secret_digest(session.get("key", "")))
    return rows.scalar(select(Account).where(Account.fs_uniquifier == session_id, Account.active, ~has_ended))


def touch() -> None:
    """Take note that the session is in use."""
    refreshes_itself = request.method == "GET" and "HX-Request" in request.headers
    if not refreshes_itself and _seconds() - session["seen_at"] >= TOUCH_S:
        session["seen_at"] = _seconds()


def end_session(rows: Session) -> None:
    """End the request's session for good, and forget those that are too old by now."""
    rows.execute(delete(EndedSession).where(EndedSession.expires_at < now()))
    rows.merge(EndedSession(session_digest=secret_digest(session.get("key", "")), expires_at=now() + LIFETIME))
    session.clear()


def _seconds() -> int:
    return int(time.time())

"""API tokens: secrets with which a program acts for an account. Only their digests are kept."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from db import audit
from db.domain.audit import AuditAction
from db.domain.errors import InputError, NotFoundError
from db.domain.password import secret_digest
from db.models import Account, ApiToken, now

PREFIX = "overread_"
"""So that a token that was published by mistake can be told for one."""

TOKEN_BYTES = 32
MAX_DAYS = 365
MAX_NAME_CHARACTERS = 80


def make_token(session: Session, account: Account, name: str, *, days: int) -> str:
    """A new token's secret, which is shown once.

    Raises
    ------
    InputError
        If the name is empty or longer than 80 characters, or it would live longer than a year.
    """
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
        msg = f"A token's name has 1 to {MAX_NAME_CHARACTERS} characters; this one has {len(name)}."
        raise InputError(msg, hint="Name it by the program that will use it.")
    if not 0 < days <= MAX_DAYS:
        msg = f"A token cannot live {days} days."
        raise InputError(msg, hint=f"Use 1 to {MAX_DAYS}.")
    secret = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = now() + timedelta(days=days)
    session.add(ApiToken(account_id=account.id, name=name, token_digest=secret_digest(secret), expires_at=expires_at))
    audit.log(session, account.code, AuditAction.TOKEN_MADE, account.code, name=name, days=days)
    return secret


def token_account(session: Session, secret: str) -> Account | None:
    """The active account for which a token acts, or None if the token is unknown, revoked or too old."""
    query = select(ApiToken).where(
        ApiToken.token_digest == secret_digest(secret), ApiToken.revoked_at.is_(None), ApiToken.expires_at > now()
    )
    token = session.scalar(query.options(joinedload(ApiToken.account, innerjoin=True)))
    return token.account if token is not None and token.account.active else None


def list_tokens(session: Session, account_id: int) -> Sequence[ApiToken]:
    """The account's tokens that were not revoked, newest first."""
    query = select(ApiToken).where(ApiToken.account_id == account_id, ApiToken.revoked_at.is_(None))
    return session.scalars(query.order_by(ApiToken.id.desc())).all()


def revoke_token(session: Session, account: Account, token_id: int) -> None:
    """End a token of the account.

    Raises
    ------
    NotFoundError
        If the account has no such token.
    """
    token = session.get(ApiToken, token_id)
    if token is None or token.account_id != account.id:
        msg = f"Account {account.code} has no token {token_id}."
        raise NotFoundError(msg)
    token.revoked_at = token.revoked_at or now()
    audit.log(session, account.code, AuditAction.TOKEN_REVOKED, account.code, name=token.name)

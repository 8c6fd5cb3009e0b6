"""Links with which a person chooses a password, once: the way into a new account, and back into an old one.

There is no mail server: whoever made the link hands it over. Only its digest is kept.
"""

import secrets
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db import audit
from db.accounts import set_password
from db.domain.audit import AuditAction
from db.domain.errors import NotFoundError, StateError
from db.domain.password import secret_digest
from db.models import Account, Invitation, now

LIFETIME = timedelta(days=7)
TOKEN_BYTES = 32


def invite(session: Session, account: Account, *, actor: str = audit.SYSTEM) -> str:
    """A new link's secret for the account; earlier ones that wait are worth nothing from now on.

    Raises
    ------
    StateError
        If the account is deactivated, or simulated.
    """
    if not account.active or account.simulated:
        msg = (
            f"Nobody signs in as {account.code}: the account is {'simulated' if account.simulated else 'deactivated'}."
        )
        raise StateError(msg, hint="" if account.simulated else "Reactivate it first.")
    _end_waiting(session, account)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    invitation = Invitation(account_id=account.id, token_digest=secret_digest(token), expires_at=now() + LIFETIME)
    session.add(invitation)
    audit.log(session, actor, AuditAction.INVITED, account.code)
    return token


def find_invited(session: Session, token: str, *, lock: bool = False) -> Account:
    """The account behind a link that is still good.

    Raises
    ------
    NotFoundError
        If the link is forged, used or too old, or the account is shut out: it says the same in each case.
    """
    query = select(Invitation).where(
        Invitation.token_digest == secret_digest(token), Invitation.used_at.is_(None), Invitation.expires_at > now()
    )
    invitation = session.scalar(query.with_for_update() if lock else query)
    if invitation is None or not invitation.account.active:
        msg = "This link does not work, or not any more."
        raise NotFoundError(msg, hint="A link works once, for seven days. Ask who gave it to you for a new one.")
    return invitation.account


def redeem(session: Session, token: str, password: str) -> Account:
    """Give the invited account its password and end its sessions; the link is used up.

    Raises
    ------
    NotFoundError
        If the link does not work any more.
    InputError
        If the password is refused; the link stays good.
    """
    account = find_invited(session, token, lock=True)
    set_password(session, account, password, actor=account.code)
    _end_waiting(session, account)
    audit.log(session, account.code, AuditAction.INVITATION_USED, account.code)
    return account


def _end_waiting(session: Session, account: Account) -> None:
    waiting = update(Invitation).where(Invitation.account_id == account.id, Invitation.used_at.is_(None))
    session.execute(waiting.values(used_at=now()))

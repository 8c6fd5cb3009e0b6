"""Accounts as those who run a study see them: who there is, who is invited, who is let in and out.

A coordinator answers for readers, an admin for everybody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation_server.services.rostering import release_everywhere
from db import accounts
from db.accounts import add_account, find_account
from db.domain.audit import AuditAction
from db.domain.errors import InputError, NotAllowedError, OverreadError
from db.domain.provenance import Role
from db.invitations import invite
from db.models import Account, AuditEntry

MAX_INVITED = 500
"""People invited at once."""

DEACTIVATED, SIMULATED, ACTIVE, INVITED = "deactivated", "simulated", "active", "no password yet"


@dataclass(frozen=True)
class Host:
    """Who invites: the code in the log, and the role that decides whom."""

    code: str
    role: Role


@dataclass(frozen=True)
class Person:
    """An account in a list; `last_seen` is its last sign-in."""

    code: str
    role: Role
    email: str | None
    state: str
    last_seen: datetime | None


@dataclass(frozen=True)
class Invited:
    """What became of one invitation: a link's secret, or what was wrong."""

    code: str
    token: str = ""
    trouble: str = ""


def list_people(session: Session) -> list[Person]:
    """All accounts, by code."""
    seen = select(AuditEntry.actor, func.max(AuditEntry.created_at)).where(AuditEntry.action == AuditAction.SIGNED_IN)
    last_seen = dict(session.execute(seen.group_by(AuditEntry.actor)).all())
    found = session.scalars(select(Account).order_by(Account.code))
    return [Person(one.code, one.role, one.email, _state(one), last_seen.get(one.code)) for one in found]


def invite_people(session: Session, host: Host, role: Role, people: Iterable[tuple[str, str]]) -> Sequence[Invited]:
    """A new account and its link for each (code, e-mail address or empty); one that fails holds up no other.

    Raises
    ------
    NotAllowedError
        If the host may not invite this role.
    InputError
        If they are more than 500.
    """
    people = list(people)
    _require(host, role)
    if len(people) > MAX_INVITED:
        msg = f"{len(people)} people were invited at once."
        raise InputError(msg, hint=f"Invite at most {MAX_INVITED} at a time.")
    outcomes = []
    for code, email in people:
        try:
            account = add_account(session, code, role, email=email or None, actor=host.code)
            outcomes.append(Invited(code, token=invite(session, account, actor=host.code)))
        except OverreadError as error:  # raised before anything was written
            outcomes.append(Invited(code, trouble=error.message))
    return outcomes


def renew_link(session: Session, host: Host, code: str) -> Invited:
    """A link with which the person of an existing account chooses a new password."""
    return Invited(code, token=invite(session, _managed(session, host, code), actor=host.code))


def set_active(session: Session, host: Host, code: str, *, active: bool) -> None:
    """Shut an account out, which frees the seats that it holds undecided, or let it in again.

    Raises
    ------
    NotAllowedError
        If the host may not do that to this account, or it is the host's own.
    """
    account = _managed(session, host, code)
    if code == host.code:
        msg = "You cannot shut yourself out."
        raise NotAllowedError(msg, hint="Ask another admin.")
    if active:
        accounts.reactivate(session, account, actor=host.code)
        return
    release_everywhere(session, account)
    accounts.deactivate(session, account, actor=host.code)


def parse_people(text: str) -> list[tuple[str, str]]:
    """The (code, e-mail address) of each line `code` or `code, e-mail`; a heading and empty lines are skipped."""
    rows = [
        [field.strip() for field in line.replace(";", ",").split(",")] for line in text.splitlines() if line.strip()
    ]
    return [(row[0], row[1] if len(row) > 1 else "") for row in rows if row[0].lower() != "code"]


def _managed(session: Session, host: Host, code: str) -> Account:
    account = find_account(session, code)
    _require(host, account.role)
    return account


def _require(host: Host, role: Role) -> None:
    if role not in host.role.manages:
        msg = f"As {host.role} you cannot invite or change an account of the role {role}."
        raise NotAllowedError(msg, hint="Ask an admin.")


def _state(account: Account) -> str:
    if not account.active:
        return DEACTIVATED
    if account.simulated:
        return SIMULATED
    return INVITED if account.password is None else ACTIVE

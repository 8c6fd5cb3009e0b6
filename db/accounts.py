"""Accounts: how they are made, found and checked. Passwords are kept as argon2id hashes only.

What changes an account stands in the audit log, by the `actor` who did it.
"""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from db import audit
from db.domain.audit import AuditAction
from db.domain.errors import InputError, NotFoundError
from db.domain.password import MAX_LENGTH, check_password
from db.domain.provenance import Role
from db.models import Account

_HASHER = PasswordHasher()


def add_account(  # noqa: PLR0913 - one argument for each column that a person fills in
    session: Session,
    code: str,
    role: Role,
    *,
    email: str | None = None,
    password: str | None = None,
    simulated: bool = False,
    actor: str = audit.SYSTEM,
) -> Account:
    """A new account. Without a password nobody can sign in with it.

    Raises
    ------
    InputError
        If the code or the address is taken, or the password is refused (`check_password`).
    """
    if not code or not code.isprintable() or code != code.strip():
        msg = f"An account cannot have the code {code!r}."
        raise InputError(msg, hint="Use letters, digits and dashes.")
    email = email and email.lower()
    taken = select(Account).where(or_(Account.code == code, and_(Account.email.is_not(None), Account.email == email)))
    if session.scalar(taken.limit(1)) is not None:
        msg = f"There is an account with the code {code!r} or its address already."
        raise InputError(msg, hint="See `overread users list`.")
    account = Account(
        code=code,
        role=role,
        email=email,
        password=None if password is None else hash_password(password, code, email or ""),
        fs_uniquifier=_fresh(),
        simulated=simulated,
    )
    session.add(account)
    audit.log(session, actor, AuditAction.ACCOUNT_ADDED, code, role=role)
    return account


def find_account(session: Session, code: str) -> Account:
    """The account of that code.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    account = session.scalar(select(Account).where(Account.code == code))
    if account is None:
        msg = f"There is no account with the code {code!r}."
        raise NotFoundError(msg, hint=f"Add it with `overread users add {code} --role reader`.")
    return account


def set_password(session: Session, account: Account, password: str, *, actor: str = audit.SYSTEM) -> None:
    """Give the account another password and end its sessions.

    Raises
    ------
    InputError
        If the password is refused (`check_password`).
    """
    account.password = hash_password(password, account.code, account.email or "")
    account.fs_uniquifier = _fresh()
    audit.log(session, actor, AuditAction.PASSWORD_CHANGED, account.code)


def end_sessions(session: Session, account: Account, *, actor: str = audit.SYSTEM) -> None:
    """Sign the account out everywhere."""
    account.fs_uniquifier = _fresh()
    audit.log(session, actor, AuditAction.SESSIONS_ENDED, account.code)


def deactivate(session: Session, account: Account, *, actor: str = audit.SYSTEM) -> None:
    """Shut the account out and end its sessions; its verdicts stay."""
    account.active = False
    account.fs_uniquifier = _fresh()
    audit.log(session, actor, AuditAction.ACCOUNT_DEACTIVATED, account.code)


def reactivate(session: Session, account: Account, *, actor: str = audit.SYSTEM) -> None:
    """Let the account in again, with the password that it had."""
    account.active = True
    audit.log(session, actor, AuditAction.ACCOUNT_REACTIVATED, account.code)


def authenticate(session: Session, identity: str, password: str) -> Account | None:
    """The active account that this code or e-mail address and password open, or None; both take the same time.

    The case of letters counts in a code, and does not in an address.
    """
    query = select(Account).where(or_(Account.code == identity, Account.email == identity.lower()))
    account = session.scalar(query.order_by(Account.code != identity).limit(1))
    is_known = account is not None and account.active and account.password is not None
    hashed = account.password if account is not None and is_known else None
    is_right = verify_password(hashed or _unknown(), password)
    return account if is_known and is_right else None


def known_code(session: Session, identity: str) -> str | None:
    """The code of the account that this code or address names, or None."""
    query = select(Account.code).where(or_(Account.code == identity, Account.email == identity.lower()))
    return session.scalar(query.order_by(Account.code != identity).limit(1))


def hash_password(password: str, *names: str) -> str:
    """The argon2id hash to keep.

    Raises
    ------
    InputError
        If the password is refused (`check_password`); `names` are those of its account.
    """
    check_password(password, *names)
    return _HASHER.hash(password)


def verify_password(hashed: str, password: str) -> bool:
    """Whether `password` is the one behind the hash."""
    try:
        return _HASHER.verify(hashed, password[: MAX_LENGTH + 1])
    except (InvalidHashError, VerificationError):
        return False


def _fresh() -> str:
    """A new word for the sessions of an account; those that hold the old one have ended."""
    return secrets.token_hex(16)


@cache
def _unknown() -> str:
    """A hash to compare with where there is no account, so that the answer takes as long."""
    return _HASHER.hash(secrets.token_hex(16))

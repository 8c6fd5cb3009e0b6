"""Accounts: how they are made, found and checked. Passwords are kept as argon2id hashes only."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from db.domain.errors import InputError, NotFoundError
from db.domain.provenance import Role
from db.models import Account

MIN_PASSWORD_LENGTH = 12
MAX_PASSWORD_LENGTH = 256
"""Longer ones would only cost time to hash."""

_HASHER = PasswordHasher()


def add_account(  # noqa: PLR0913 - one argument for each column that a person fills in
    session: Session,
    code: str,
    role: Role,
    *,
    email: str | None = None,
    password: str | None = None,
    simulated: bool = False,
) -> Account:
    """A new account. Without a password nobody can sign in with it.

    Raises
    ------
    InputError
        If the code or the address is taken, or the password too short or too long.
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
        password=None if password is None else hash_password(password),
        fs_uniquifier=secrets.token_hex(16),
        simulated=simulated,
    )
    session.add(account)
    session.flush()
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


def set_password(account: Account, password: str) -> None:
    """Give the account another password and end its sessions."""
    account.password = hash_password(password)
    account.fs_uniquifier = secrets.token_hex(16)


def deactivate(account: Account) -> None:
    """Shut the account out and end its sessions; its verdicts stay."""
    account.active = False
    account.fs_uniquifier = secrets.token_hex(16)


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


def hash_password(password: str) -> str:
    """The argon2id hash to keep.

    Raises
    ------
    InputError
        If the password is shorter than 12 or longer than 256 characters.
    """
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        msg = f"The password has {len(password)} characters."
        raise InputError(msg, hint=f"Use {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH}.")
    return _HASHER.hash(password)


def verify_password(hashed: str, password: str) -> bool:
    """Whether `password` is the one behind the hash."""
    try:
        return _HASHER.verify(hashed, password[: MAX_PASSWORD_LENGTH + 1])
    except (InvalidHashError, VerificationError):
        return False


@cache
def _unknown() -> str:
    """A hash to compare with where there is no account, so that the answer takes as long."""
    return _HASHER.hash(secrets.token_hex(16))

"""Links to a password: once, for seven days, for one account."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from db import audit
from db.accounts import add_account, authenticate, deactivate
from db.domain.errors import InputError, NotFoundError, StateError
from db.domain.provenance import Role
from db.invitations import find_invited, invite, redeem
from db.models import AuditEntry, Invitation, now

PASSWORD = "correct horse battery"


def test_a_link_gives_the_account_its_password_once(session, account):
    token = invite(session, account, actor="c1")
    before = account.fs_uniquifier
    assert find_invited(session, token) is account
    redeem(session, token, PASSWORD)
    assert authenticate(session, "r1", PASSWORD) is account
    assert account.fs_uniquifier != before
    with pytest.raises(NotFoundError):
        redeem(session, token, "another long password")
    assert authenticate(session, "r1", PASSWORD) is account


def test_only_the_digest_of_a_link_is_kept(session, account):
    token = invite(session, account)
    kept = session.scalars(select(Invitation)).one()
    assert token not in kept.token_digest
    with pytest.raises(NotFoundError):
        find_invited(session, kept.token_digest)


def test_forged_old_and_superseded_links_and_those_of_the_shut_out_say_the_same(session, account):
    superseded = invite(session, account)
    old = invite(session, account)
    session.execute(update(Invitation).values(expires_at=now() - timedelta(seconds=1)))
    gone = add_account(session, "r2", Role.READER)
    of_gone = invite(session, gone)
    deactivate(session, gone)
    messages = set()
    for token in ("", "forged", superseded, old, of_gone):
        with pytest.raises(NotFoundError) as refused:
            find_invited(session, token)
        messages.add(str(refused.value))
    assert len(messages) == 1


def test_a_link_lives_seven_days(session, account):
    invite(session, account)
    left = session.scalars(select(Invitation)).one().expires_at - now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)


def test_a_refused_password_leaves_the_link_good(session, account):
    token = invite(session, account)
    with pytest.raises(InputError):
        redeem(session, token, "password1234")
    redeem(session, token, PASSWORD)


def test_nobody_is_invited_to_an_account_that_nobody_may_use(session, account):
    deactivate(session, account)
    with pytest.raises(StateError, match="deactivated"):
        invite(session, account)
    with pytest.raises(StateError, match="simulated"):
        invite(session, add_account(session, "s1", Role.READER, simulated=True))


def test_the_log_names_who_invited_and_never_the_link(session, account):
    token = invite(session, account, actor="c1")
    redeem(session, token, PASSWORD)
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(entry.actor, entry.action) for entry in entries] == [
        ("system", "account_added"),
        ("c1", "invited"),
        ("r1", "password_changed"),
        ("r1", "invitation_used"),
    ]
    assert token not in str([vars(entry) for entry in entries])
    assert audit.verify(session) is None

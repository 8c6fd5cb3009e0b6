from datetime import timedelta

import pytest
from sqlalchemy import select, update

from db.accounts import add_account, deactivate
from db.domain.errors import InputError, NotFoundError
from db.domain.provenance import Role
from db.models import ApiToken, now
from db.tokens import list_tokens, make_token, revoke_token, token_account


def test_a_token_acts_for_its_account_until_it_is_revoked(session, account):
    secret = make_token(session, account, "nightly", days=1)
    assert token_account(session, secret) == account
    assert token_account(session, secret + "x") is None
    (token,) = list_tokens(session, account.id)
    assert secret not in token.token_digest
    revoke_token(session, account, token.id)
    assert token_account(session, secret) is None
    assert list_tokens(session, account.id) == []


def test_a_token_that_is_too_old_or_whose_account_is_shut_out_opens_nothing(session, account):
    secret = make_token(session, account, "nightly", days=1)
    session.execute(update(ApiToken).values(expires_at=now() - timedelta(seconds=1)))
    assert token_account(session, secret) is None
    secret = make_token(session, account, "weekly", days=7)
    deactivate(session, account)
    assert token_account(session, secret) is None


def test_nobody_revokes_the_token_of_another(session, account):
    make_token(session, account, "nightly", days=1)
    other = add_account(session, "e2", Role.ENGINEER)
    with pytest.raises(NotFoundError):
        revoke_token(session, other, session.scalars(select(ApiToken.id)).one())


@pytest.mark.parametrize(("name", "days"), [("", 1), (" ", 1), ("x" * 81, 1), ("a\nb", 1), ("n", 0), ("n", 366)])
def test_a_token_has_a_name_and_lives_a_year_at_most(session, account, name, days):
    with pytest.raises(InputError):
        make_token(session, account, name, days=days)

"""A transaction, and an account in it."""

import pytest

from db.accounts import add_account
from db.domain.provenance import Role


@pytest.fixture
def session(record):
    """A transaction that ends with the test."""
    with record.database.write() as session:
        yield session


@pytest.fixture
def account(session):
    """Reader r1."""
    return add_account(session, "r1", Role.READER)

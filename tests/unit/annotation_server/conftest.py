"""The web application on a record whose stage pilot/I is being read, with an account of each role."""

import os
import re
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from annotation_server.app import create_app
from annotation_server.sessions import open_session
from db.accounts import add_account, find_account, hash_password, set_password
from db.domain.provenance import Role
from db.models import Account
from db.record import Record

PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)


@dataclass
class Visitor:
    """A browser: it keeps cookies and sends the page's token against cross-site requests."""

    client: FlaskClient

    def get(self, path: str, **headers: str) -> TestResponse:
        """GET."""
        return self.client.get(path, headers=headers)

    def post(self, path: str, **form: str) -> TestResponse:
        """POST a form."""
        return self.client.post(path, data={"csrf_token": self.token(), **form})

    def token(self) -> str:
        """The token of the page that is open to everybody."""
        found = re.search(r'csrf-token" content="([^"]+)', self.client.get("/login").text)
        assert found
        return found[1]

    def sign_in(self, identity: str, password: str = PASSWORD, **form: str) -> TestResponse:
        """Send the login form."""
        return self.post("/login", identity=identity, password=password, **form)


@dataclass
class Site:
    """The application and its record; every visitor has a browser of their own."""

    app: Flask
    record: Record

    def visit(self, identity: str | None = None) -> Visitor:
        """A visitor; the one of an account has signed in already, without the time that a password takes."""
        visitor = Visitor(self.app.test_client())
        if identity is not None:
            with self.record.database.read() as rows, visitor.client.session_transaction() as session:
                open_session(session, find_account(rows, identity).fs_uniquifier)
        return visitor


@pytest.fixture
def site(build_room, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # nothing here loses power, and it takes most of the time
    record = build_room()
    with record.database.write() as session:
        for role in Role:
            add_account(session, str(role), role, email=f"{role}@example.org").password = HASH
    return Site(create_app(record), record)


@pytest.fixture
def change_account(site):
    """`change_account("reader", active=False, password="...")`."""

    def change(code, *, password=None, **columns):
        with site.record.database.write() as session:
            account = session.query(Account).filter_by(code=code).one()
            for name, value in columns.items():
                setattr(account, name, value)
            if password:
                set_password(session, account, password)

    return change

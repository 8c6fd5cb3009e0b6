import pytest
from click.testing import CliRunner

from db.accounts import authenticate
from db.record import Record
from db.settings import Settings
from pipelines.cli import users

PASSWORD = "correct horse battery"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("OVERREAD_HOME", str(tmp_path))
    return lambda *arguments, stdin=None: CliRunner().invoke(
        users.command, arguments, input=stdin, catch_exceptions=False
    )


def who(tmp_path, code, password):
    record = Record.open(Settings(home=tmp_path))
    with record.database.read() as session:
        found = authenticate(session, code, password)
    record.database.dispose()
    return found


def test_an_account_is_added_listed_and_shut_out(run, tmp_path):
    assert run("add", "r1", "--role", "reader", "--password-file", "-", stdin=f"{PASSWORD}\n").exit_code == 0
    run("add", "s1", "--role", "reader", "--simulated")
    assert run("list").output.splitlines() == ["r1 reader", "s1 reader simulated"]
    assert who(tmp_path, "r1", PASSWORD) is not None
    run("deactivate", "r1")
    assert run("list").output.splitlines() == ["r1 reader inactive", "s1 reader simulated"]
    assert who(tmp_path, "r1", PASSWORD) is None


def test_a_password_is_asked_for_twice_and_can_be_changed(run, tmp_path):
    run("add", "c1", "--role", "coordinator", stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert who(tmp_path, "c1", PASSWORD) is not None
    new = "another long password"
    shown = run("password", "c1", stdin=f"{new}\n{new}\n").output
    assert new not in shown
    assert who(tmp_path, "c1", PASSWORD) is None
    assert who(tmp_path, "c1", new) is not None

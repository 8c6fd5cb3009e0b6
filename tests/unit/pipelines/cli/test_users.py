import pytest
from click.testing import CliRunner

from db.accounts import authenticate
from db.domain.errors import InputError
from db.invitations import redeem
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


def redeem_from(tmp_path, output, password):
    """Use the link that a command printed."""
    record = Record.open(Settings(home=tmp_path))
    with record.database.write() as session:
        redeem(session, output.split("/invitation/")[1].strip(), password)
    record.database.dispose()


def test_a_link_is_printed_with_the_address_of_the_site(run, tmp_path):
    shown = run("invite", "r1", "--role", "reader", "--site", "https://films.example.org/overread/").output
    assert shown.startswith("r1: https://films.example.org/overread/invitation/")
    redeem_from(tmp_path, shown, PASSWORD)
    assert who(tmp_path, "r1", PASSWORD) is not None
    redeem_from(tmp_path, run("link", "r1").output, "another long password")
    assert who(tmp_path, "r1", PASSWORD) is None


def test_many_are_invited_from_a_file_and_the_bad_ones_are_named(run, tmp_path):
    (tmp_path / "people.csv").write_text("code,e-mail\nr1,r1@example.org\nr2,R1@example.org\nr3\n")
    with pytest.raises(InputError, match="1 of 3"):
        run("invite", "--role", "reader", "--csv", str(tmp_path / "people.csv"))
    assert run("list").output.splitlines() == ["r1 reader", "r3 reader"]


@pytest.mark.parametrize("arguments", [[], ["r1", "--csv", "-"]])
def test_either_one_code_or_a_file_is_needed(run, arguments):
    with pytest.raises(InputError, match="one code"):
        run("invite", "--role", "reader", *arguments, stdin="")


def test_who_is_shut_out_is_let_in_again(run, tmp_path):
    run("add", "r1", "--role", "reader", "--password-file", "-", stdin=f"{PASSWORD}\n")
    run("deactivate", "r1")
    assert who(tmp_path, "r1", PASSWORD) is None
    run("reactivate", "r1")
    assert who(tmp_path, "r1", PASSWORD) is not None

import pytest

from annotation_server.services.inviting import (
    Host,
    invite_people,
    list_people,
    parse_people,
    renew_link,
    set_active,
)
from db.accounts import add_account, authenticate, find_account
from db.domain.errors import InputError, NotAllowedError
from db.domain.provenance import Role
from db.invitations import redeem

COORDINATOR = Host("c1", Role.COORDINATOR)
ADMIN = Host("a1", Role.ADMIN)
PASSWORD = "correct horse battery"


@pytest.fixture
def session(record):
    with record.database.write() as session:
        add_account(session, "a1", Role.ADMIN, password=PASSWORD)
        add_account(session, "c1", Role.COORDINATOR)
        yield session


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.ENGINEER, Role.ADMIN])
def test_a_coordinator_invites_readers_and_an_admin_everybody(session, role):
    with pytest.raises(NotAllowedError):
        invite_people(session, COORDINATOR, role, [("x1", "")])
    assert invite_people(session, ADMIN, role, [("x1", "")])[0].token
    assert invite_people(session, COORDINATOR, Role.READER, [("r1", "")])[0].token
    with pytest.raises(NotAllowedError):
        renew_link(session, COORDINATOR, "x1")
    with pytest.raises(NotAllowedError):
        set_active(session, COORDINATOR, "x1", active=False)


@pytest.mark.parametrize("role", [Role.READER, Role.ENGINEER])
def test_readers_and_engineers_invite_nobody(session, role):
    with pytest.raises(NotAllowedError):
        invite_people(session, Host("x", role), Role.READER, [("r1", "")])


def test_one_bad_line_of_many_holds_up_no_other(session):
    people = parse_people("code,email\nr1, R1@example.org\n\nr1\nr2;r2@example.org\nr\x003\nr4")
    outcomes = invite_people(session, COORDINATOR, Role.READER, people)
    assert [one.code for one in outcomes if one.token] == ["r1", "r2", "r4"]
    assert [bool(one.trouble) for one in outcomes] == [False, True, False, True, False]
    redeem(session, outcomes[0].token, PASSWORD)
    assert authenticate(session, "r1@example.org", PASSWORD) is not None


def test_too_many_at_once_are_refused(session):
    with pytest.raises(InputError, match="501"):
        invite_people(session, ADMIN, Role.READER, [(f"r{i}", "") for i in range(501)])


def test_an_account_is_shut_out_and_let_in_again(session):
    invite_people(session, COORDINATOR, Role.READER, [("r1", "")])
    set_active(session, COORDINATOR, "r1", active=False)
    assert not find_account(session, "r1").active
    set_active(session, COORDINATOR, "r1", active=True)
    assert find_account(session, "r1").active


def test_nobody_shuts_themselves_out(session):
    with pytest.raises(NotAllowedError, match="yourself"):
        set_active(session, ADMIN, "a1", active=False)


def test_the_list_says_where_each_account_stands(session):
    add_account(session, "s1", Role.READER, simulated=True)
    invite_people(session, COORDINATOR, Role.READER, [("r1", "r1@example.org"), ("r2", "")])
    set_active(session, COORDINATOR, "r2", active=False)
    states = {person.code: person.state for person in list_people(session)}
    assert states == {
        "a1": "active",
        "c1": "no password yet",
        "r1": "no password yet",
        "r2": "deactivated",
        "s1": "simulated",
    }

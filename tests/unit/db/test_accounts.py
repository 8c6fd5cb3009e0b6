import pytest

from db.accounts import add_account, authenticate, deactivate, find_account, set_password
from db.domain.errors import InputError, NotFoundError
from db.domain.provenance import Role

PASSWORD = "correct horse battery"


def test_a_code_or_an_address_opens_the_account_with_its_password_only(session):
    account = add_account(session, "r1", Role.READER, email="R1@example.org", password=PASSWORD)
    assert authenticate(session, "r1", PASSWORD) is account
    assert authenticate(session, "r1@example.org", PASSWORD) is account
    assert authenticate(session, "R1@Example.org", PASSWORD) is account
    assert authenticate(session, "R1", PASSWORD) is None
    assert authenticate(session, "r1", PASSWORD + "!") is None
    assert authenticate(session, "r2", PASSWORD) is None


def test_passwords_are_kept_as_argon2id_with_a_salt_of_their_own(session):
    hashes = [add_account(session, code, Role.READER, password=PASSWORD).password for code in ("r1", "r2")]
    assert all(str(hashed).startswith("$argon2id$") for hashed in hashes)
    assert hashes[0] != hashes[1]


def test_nobody_signs_in_without_a_password_or_when_deactivated(session):
    add_account(session, "s1", Role.READER, simulated=True)
    gone = add_account(session, "r1", Role.READER, password=PASSWORD)
    sessions = gone.fs_uniquifier
    deactivate(session, gone)
    assert authenticate(session, "s1", "") is None
    assert authenticate(session, "r1", PASSWORD) is None
    assert gone.fs_uniquifier != sessions


def test_a_new_password_ends_the_old_one_and_its_sessions(session):
    account = add_account(session, "r1", Role.READER, password=PASSWORD)
    sessions = account.fs_uniquifier
    set_password(session, account, "another long password")
    assert authenticate(session, "r1", PASSWORD) is None
    assert authenticate(session, "r1", "another long password") is account
    assert account.fs_uniquifier != sessions


def test_two_accounts_without_an_address_are_fine_but_codes_and_addresses_are_unique(session):
    add_account(session, "r1", Role.READER)
    add_account(session, "r2", Role.READER, email="x@example.org")
    for code, email in [("r1", None), ("r3", "X@example.org")]:
        with pytest.raises(InputError, match="already"):
            add_account(session, code, Role.READER, email=email)


@pytest.mark.parametrize("password", ["elevenchars", "x" * 257])
def test_passwords_of_the_wrong_length_are_refused(session, password):
    with pytest.raises(InputError, match="characters"):
        add_account(session, "r1", Role.READER, password=password)


@pytest.mark.parametrize("code", ["", " r1", "r\n1"])
def test_a_code_is_printable_and_not_empty(session, code):
    with pytest.raises(InputError):
        add_account(session, code, Role.READER)


def test_a_code_that_is_another_ones_address_opens_its_own_account(session):
    add_account(session, "r1", Role.READER, email="r2", password=PASSWORD)
    second = add_account(session, "r2", Role.READER, password=PASSWORD)
    assert authenticate(session, "r2", PASSWORD) is second


def test_an_unknown_code_is_named(session):
    with pytest.raises(NotFoundError, match="r9"):
        find_account(session, "r9")

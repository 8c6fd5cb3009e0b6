import pytest

from db.domain.errors import InputError
from db.domain.password import check_password, secret_digest


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "another password", "kT9-vv3.Lq2x", "Stethoskop im Regen", "x" * 200 + "abyz!?"],
)
def test_a_password_that_nobody_would_try_first_is_fine(password):
    check_password(password, "r1", "r1@example.org")


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd2024",
        "Passwort2024!!",
        "123456789012",
        "210987654321",
        "qwertyuiop12",
        "qwertzuiop12",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "welcome2hospital",
        "letmeinletmein",
        "Overread-2024",
        "r.miller12r.miller12",
    ],
)
def test_a_password_that_anybody_would_try_is_refused_and_not_repeated(password):
    with pytest.raises(InputError) as refused:
        check_password(password, "r.miller", "r.miller@example.org")
    assert password not in str(refused.value)


@pytest.mark.parametrize("password", ["", "elevenchars", "x" * 257])
def test_a_password_has_12_to_256_characters(password):
    with pytest.raises(InputError, match=str(len(password))):
        check_password(password)


def test_secrets_have_a_digest_of_their_own():
    assert secret_digest("a") != secret_digest("b")
    assert "a-secret" not in secret_digest("a-secret")

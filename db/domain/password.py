"""What a password must be, and how secrets that are not passwords are kept."""

import hashlib
import re

from db.domain.errors import InputError

MIN_LENGTH = 12
MAX_LENGTH = 256
"""Longer ones would only cost time to hash."""

MIN_REST = 4
"""Different characters that must be left when everything easily guessed is taken out."""

RUN = 3
"""From so many characters on, neighbours on the keyboard or in the alphabet count as one thought."""

WORDS = (
    "password passwort motdepasse contrasena kennwort geheim secret letmein welcome willkommen bienvenue iloveyou "
    "admin changeme default login qwerty qwertz azerty master dragon monkey football baseball sunshine princess "
    "hospital klinik radiology radiologie doctor reader coordinator engineer overread xray covid corona"
)
LOOKALIKES = {"a": "[a@4]", "e": "[e3]", "i": "[i1!]", "o": "[o0]", "s": "[s$5]"}
OBVIOUS = re.compile(
    "|".join(
        [
            *("".join(LOOKALIKES.get(letter, letter) for letter in word) for word in WORDS.split()),
            r"(?:19|20)\d\d",  # years
        ]
    )
)
ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "yxcvbnm",
    "zxcvbnm",
)


def check_password(password: str, *names: str) -> None:
    """Refuse a password that is short, or among the first that anybody would try.

    A rule and no list: common words, the account's own `names`, repeats, and runs along the alphabet or a keyboard are
    taken out; at least 4 different characters must be left.

    Raises
    ------
    InputError
        If it is refused. The message does not repeat it.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        msg = f"The password has {len(password)} characters."
        raise InputError(msg, hint=f"Use {MIN_LENGTH} to {MAX_LENGTH}.")
    if len(set(_without_the_obvious(password.casefold(), names))) < MIN_REST:
        msg = "The password is among the first that anybody would try."
        raise InputError(msg, hint="Use a few words that do not belong together.")


def secret_digest(secret: str) -> str:
    """sha256 in hex of a random secret of at least 128 bits, all that is kept of it.

    It is looked up by this digest, so that the time of a look-up tells nothing about the secret. Passwords need a slow
    hash instead: they can be guessed.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def _without_the_obvious(text: str, names: tuple[str, ...]) -> str:
    for name in names:
        if len(name) >= RUN:
            text = text.replace(name.casefold(), "")
    text = OBVIOUS.sub("", text)
    text = re.sub(r"(.+?)\1{2,}", r"\1", text)  # what stands three times or more stands once
    rest, run = "", ""
    for character in text:
        if run and not _are_neighbours(run[-1], character):
            rest, run = rest + (run if len(run) < RUN else ""), ""
        run += character
    return rest + (run if len(run) < RUN else "")


def _are_neighbours(one: str, other: str) -> bool:
    return one == other or any(one + other in row or other + one in row for row in ROWS)

"""Whether a file is the one that its maker, or its user, means."""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from db.domain.errors import InputError
from ml_backend.importing.corpora import PUBLISHED, Published

BLOCK_BYTES = 1 << 20


class Checksum(StrEnum):
    """Against what a file's digest was held."""

    GIVEN = "given"
    PUBLISHED = "published"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verified:
    """A file's sha256 and what is known of it; `published` if its maker's digest is this file's."""

    sha256: str
    checksum: Checksum
    published: Published | None


def verify(path: Path, file: BinaryIO, sha256: str | None) -> Verified:
    """Digest `file` and compare it with `sha256`, or with what was published.

    Raises
    ------
    InputError
        If it is not the file of `sha256`, or bears a published name and is not the published file.
    """
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        msg = f"{sha256!r} is no sha256: 64 hexadecimal digits."
        raise InputError(msg, hint="Give what `sha256sum` prints.")
    digests = _digests(file)
    published = next((one for one in PUBLISHED if _is(one, path.name, digests[one.algorithm])), None)
    if sha256 is not None:
        if digests["sha256"] != sha256.lower():
            msg = f"{path.name} has the sha256 {digests['sha256']} instead of {sha256.lower()}."
            raise InputError(msg, hint="It is damaged or another file. Fetch it again.")
        return Verified(digests["sha256"], Checksum.GIVEN, published)
    for named in PUBLISHED:
        if path.name == named.name and named is not published:
            found = digests[named.algorithm]
            msg = f"{path.name} has the {named.algorithm} {found}; the file published so begins with {named.digest}."
            raise InputError(msg, hint="It is damaged or was changed. Fetch it again, or vouch for it with --sha256.")
    return Verified(digests["sha256"], Checksum.PUBLISHED if published else Checksum.UNKNOWN, published)


def _is(one: Published, name: str, digest: str) -> bool:
    """Whether a file is a published one; where only the digest's beginning is known, anybody could match that alone."""
    return digest == one.digest or (name == one.name and digest.startswith(one.digest))


def _digests(file: BinaryIO) -> dict[str, str]:
    file.seek(0)
    digests = {"md5": hashlib.md5(usedforsecurity=False), "sha256": hashlib.sha256()}
    while block := file.read(BLOCK_BYTES):
        for digest in digests.values():
            digest.update(block)
    file.seek(0)
    return {name: digest.hexdigest() for name, digest in digests.items()}

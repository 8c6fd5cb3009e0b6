"""Whether a file is the one that is meant."""

import hashlib

import pytest

from db.domain.errors import InputError
from db.domain.network import Encoder
from ml_backend.importing import checksums
from ml_backend.importing.checksums import Checksum, verify
from ml_backend.importing.corpora import PUBLISHED, Published

DATA = b"weights"
SHA256 = hashlib.sha256(DATA).hexdigest()


def verify_data(tmp_path, name="a.h5", sha256=None):
    path = tmp_path / name
    path.write_bytes(DATA)
    with path.open("rb") as file:
        found = verify(path, file, sha256)
        assert file.tell() == 0
    return found


def test_a_given_digest_must_be_the_files(tmp_path):
    found = verify_data(tmp_path, sha256=SHA256.upper())
    assert (found.sha256, found.checksum) == (SHA256, Checksum.GIVEN)
    with pytest.raises(InputError, match=f"sha256 {SHA256} instead of {'0' * 64}"):
        verify_data(tmp_path, sha256="0" * 64)
    with pytest.raises(InputError, match="is no sha256"):
        verify_data(tmp_path, sha256="abc")


def test_without_one_nothing_is_known(tmp_path):
    found = verify_data(tmp_path)
    assert (found.checksum, found.published) == (Checksum.UNKNOWN, None)


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_published_file_is_known_under_any_name(algorithm, tmp_path, monkeypatch):
    digest = hashlib.new(algorithm, DATA).hexdigest()
    published = Published("a.h5", algorithm, digest, Encoder.RESNET50)
    monkeypatch.setattr(checksums, "PUBLISHED", (published,))
    found = verify_data(tmp_path, "renamed.h5")
    assert (found.checksum, found.published) == (Checksum.PUBLISHED, published)
    assert verify_data(tmp_path, "renamed.h5", SHA256).checksum is Checksum.GIVEN


def test_the_beginning_of_a_digest_vouches_for_the_file_of_that_name_only(tmp_path, monkeypatch):
    beginning = Published("a.h5", "sha256", hashlib.sha256(DATA).hexdigest()[:8], Encoder.RESNET50)
    monkeypatch.setattr(checksums, "PUBLISHED", (beginning,))
    assert verify_data(tmp_path, "a.h5").checksum is Checksum.PUBLISHED
    assert verify_data(tmp_path, "renamed.h5").checksum is Checksum.UNKNOWN


@pytest.mark.parametrize("published", PUBLISHED)
def test_a_changed_file_under_a_published_name_is_refused_unless_vouched_for(published, tmp_path):
    with pytest.raises(InputError, match=f"the file published so begins with {published.digest}"):
        verify_data(tmp_path, published.name)
    assert verify_data(tmp_path, published.name, SHA256).checksum is Checksum.GIVEN

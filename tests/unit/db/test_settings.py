"""Where configuration comes from."""

import errno
import os
import stat

import pytest
from pydantic import ValidationError

from db.domain.errors import InputError
from db.settings import Settings, key_file


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_variables_win_over_the_file(tmp_path, monkeypatch):
    (tmp_path / "overread.toml").write_text("port = 9000\nthreads = 3\n")
    monkeypatch.setenv("OVERREAD_PORT", "9001")
    settings = Settings()
    assert (settings.port, settings.threads) == (9001, 3)


def test_an_unknown_setting_is_refused(tmp_path):
    (tmp_path / "overread.toml").write_text("prot = 9000\n")
    with pytest.raises(ValidationError, match="prot"):
        Settings()


def test_the_embedded_database_lies_in_home(tmp_path):
    assert Settings(home=tmp_path).database_url == f"sqlite:///{tmp_path}/overread.sqlite"


def test_there_is_no_default_session_key(tmp_path):
    with pytest.raises(InputError, match="has 0 characters; at least 32"):
        Settings(home=tmp_path).session_key()


def test_a_short_session_key_is_refused(tmp_path):
    with pytest.raises(InputError, match="has 5 characters"):
        Settings(home=tmp_path, secret_key="short").session_key()


def test_the_pseudonym_key_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    key = Settings(home=tmp_path).pseudonym_key
    assert Settings(home=tmp_path).pseudonym_key == key
    assert stat.S_IMODE((tmp_path / "keys" / "pseudonym.key").stat().st_mode) == 0o600


def test_a_key_that_could_not_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            key_file(tmp_path / "keys" / "pseudonym.key")
    assert list((tmp_path / "keys").iterdir()) == []
    assert len(key_file(tmp_path / "keys" / "pseudonym.key")) == 64


def test_the_key_of_a_process_that_was_first_counts(tmp_path, monkeypatch):
    path = tmp_path / "pseudonym.key"
    monkeypatch.setattr(os, "fsync", lambda _: path.write_bytes(b"first"))
    assert key_file(path) == b"first"

"""Folders of results."""

import pytest

from db.domain.errors import InputError
from pipelines.publishing import publish_folder


def test_a_folder_appears_when_its_block_ends_and_nothing_stays_beside_it(tmp_path):
    (tmp_path / "made").mkdir()
    with publish_folder(tmp_path / "made") as folder:
        (folder / "file").write_text("whole")
        assert list((tmp_path / "made").iterdir()) == []
    assert (tmp_path / "made" / "file").read_text() == "whole"
    assert list(tmp_path.iterdir()) == [tmp_path / "made"]


def test_a_block_that_fails_leaves_no_trace(tmp_path):
    with pytest.raises(ZeroDivisionError), publish_folder(tmp_path / "made") as folder:
        (folder / "file").write_text(str(1 / 0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", ["full/file", "full"])
def test_what_is_there_is_refused_and_kept(tmp_path, taken):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("kept")
    with pytest.raises(InputError, match="is not an empty folder"), publish_folder(tmp_path / taken):
        pass
    assert (tmp_path / "full" / "file").read_text() == "kept"


def test_a_published_folder_is_as_readable_as_any_other(tmp_path):
    with publish_folder(tmp_path / "made"):
        pass
    (tmp_path / "other").mkdir()
    assert (tmp_path / "made").stat().st_mode == (tmp_path / "other").stat().st_mode

from pathlib import Path

import pytest

from ml_backend.publishing import discard_unfinished, publish


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text("old")

    def fail() -> None:
        with publish(path) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_finished_write_replaces_the_old_file_and_makes_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "run" / "card.json"
    for content in ("old", "new"):
        with publish(path) as temporary:
            temporary.write_text(content)
    assert path.read_text() == "new"


def test_what_a_killed_writer_left_is_discarded(tmp_path: Path) -> None:
    (tmp_path / "card.json").touch()
    killed = publish(tmp_path / "card.json")
    killed.__enter__().write_text("half")
    discard_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]

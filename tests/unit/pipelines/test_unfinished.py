from contextlib import suppress

import pytest

from db.domain.errors import InputError, StateError
from pipelines.unfinished import unfinished

ASKED = {"folder": "films", "networks": [["unet-tiny", 32]]}


class BreakdownError(Exception):
    pass


def interrupt(output, asked=ASKED, stem="a"):
    """Keep one part, then fail."""
    with suppress(BreakdownError), unfinished(output, asked) as so_far:
        (so_far.result / f"{stem}.png").write_bytes(b"made")
        so_far.keep([{"stem": stem}])
        raise BreakdownError


def test_what_was_kept_is_there_again_and_the_output_appears_whole(tmp_path):
    output = tmp_path / "out"
    interrupt(output)
    assert not output.exists()
    with unfinished(output, ASKED) as so_far:
        assert so_far.kept() == [{"stem": "a"}]
        (so_far.result / "b.png").write_bytes(b"b")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in output.iterdir()) == ["a.png", "b.png"]


def test_a_line_torn_by_a_crash_is_left_out_and_harms_no_other(tmp_path):
    output = tmp_path / "out"
    interrupt(output)
    with (tmp_path / ".out.unfinished/kept.jsonl").open("a") as file:
        file.write('{"stem": "b')
    interrupt(output, stem="c")
    with unfinished(output, ASKED) as so_far:
        assert so_far.kept() == [{"stem": "a"}, {"stem": "c"}]


def test_results_of_something_else_are_neither_mixed_nor_lost(tmp_path):
    output = tmp_path / "out"
    interrupt(output)
    with pytest.raises(StateError, match="of something else: networks"), unfinished(output, {**ASKED, "networks": []}):
        pass
    with unfinished(output, ASKED) as so_far:
        assert so_far.kept() == [{"stem": "a"}]


def test_a_failure_before_anything_was_kept_leaves_nothing(tmp_path):
    with pytest.raises(BreakdownError), unfinished(tmp_path / "out", ASKED):
        raise BreakdownError
    assert list(tmp_path.iterdir()) == []


def test_two_processes_never_work_on_one_output(tmp_path):
    output = tmp_path / "out"
    with unfinished(output, ASKED), pytest.raises(StateError, match="Another process"), unfinished(output, ASKED):
        pass
    assert output.exists()


def test_an_output_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(InputError, match="not an empty folder"), unfinished(tmp_path / "out", ASKED):
        pass

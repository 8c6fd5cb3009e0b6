"""How an error reaches the one who typed a command."""

import sys

import pytest

from pipelines import cli


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command with these settings in an empty folder; its exit status and what it wrote to standard error."""

    def run_(*arguments, **settings):
        for name, value in {"home": str(tmp_path / "home"), **settings}.items():
            monkeypatch.setenv(f"OVERREAD_{name.upper()}", value)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["overread", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr().err

    return run_


def test_an_error_of_ours_is_a_message_a_hint_and_a_status(run):
    status, shown = run("stage", "status", "pilot/I")
    assert status == 4
    assert shown.splitlines()[0] == "Error: There is no campaign 'pilot'."
    assert "overread campaign create" in shown.splitlines()[1]


def test_what_the_disk_refuses_is_no_trace(run, tmp_path):
    (tmp_path / "file").touch()
    status, shown = run("campaign", "list", home=str(tmp_path / "file" / "home"))
    assert status == 6
    assert shown.startswith("Error: The system refuses. Not a directory")


def test_a_database_that_cannot_be_reached_is_no_trace(run, tmp_path):
    status, shown = run("campaign", "list", db=f"sqlite:///{tmp_path}/nowhere/x.sqlite")
    assert status == 6
    assert shown.startswith("Error: The database cannot be used. unable to open database file")


def test_a_setting_that_is_wrong_is_named_without_what_it_holds(run):
    status, shown = run("campaign", "list", port="s3cret")
    assert status == 2
    assert shown.startswith("Error: The settings cannot be used. port: Input should be a valid integer")
    assert "s3cret" not in shown


def test_a_settings_file_that_is_broken_is_an_input_error(run, tmp_path):
    (tmp_path / "overread.toml").write_text("port = \n")
    status, shown = run("campaign", "list")
    assert status == 2
    assert "overread.toml is no TOML" in shown


def test_a_bug_is_shown_whole(run, monkeypatch):
    def fail():
        raise KeyError

    monkeypatch.setattr(cli, "command", fail)
    with pytest.raises(KeyError):
        run("campaign", "list")

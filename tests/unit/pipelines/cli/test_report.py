"""`overread report` at the command line."""

import pytest
from click.testing import CliRunner

from pipelines.cli.report import command


@pytest.fixture
def overread_report(record, monkeypatch):
    monkeypatch.setattr("pipelines.cli.report.open_record", lambda: record)
    return lambda *arguments: CliRunner().invoke(command, arguments, catch_exceptions=False)


@pytest.mark.usefixtures("campaign")
def test_the_report_goes_where_the_dashboard_looks_for_it(record, overread_report):
    result = overread_report("pilot")
    path = record.settings.reports_folder / "pilot.html"
    assert str(path) in result.stdout
    assert "<!doctype html>" in path.read_text()


@pytest.mark.usefixtures("campaign")
def test_the_report_goes_where_it_is_told(tmp_path, overread_report):
    overread_report("pilot", "--output", str(tmp_path / "here" / "mine.html"))
    assert (tmp_path / "here" / "mine.html").is_file()

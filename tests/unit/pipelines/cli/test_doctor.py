from click.testing import CliRunner
from sqlalchemy import text

from db import audit
from db.domain.audit import AuditAction
from db.record import Record
from db.settings import Settings
from pipelines.cli import doctor


def test_the_doctor_notes_where_the_log_ends_and_finds_it_cut_the_next_time(tmp_path, monkeypatch):
    monkeypatch.setenv("OVERREAD_HOME", str(tmp_path))
    record = Record.open(Settings(home=tmp_path))
    with record.database.write() as session:
        for subject in ("pilot/I", "pilot/II"):
            audit.log(session, "c1", AuditAction.STAGE_LOCKED, subject)
    shown = CliRunner().invoke(doctor.command, ["--init"])
    with record.database.read() as session:
        last = audit.head(session)
    assert f"2 entries and ends with {last.digest}" in shown.output
    assert shown.exit_code == 0
    with record.database.write() as session:  # as somebody would who may change the schema
        session.execute(text("DROP TRIGGER audit_entry_no_delete"))
        session.execute(text("DELETE FROM audit_entry WHERE id = 2"))
    shown = CliRunner().invoke(doctor.command)
    assert "audit log: Entry 2 and what followed was cut off: the log had 2 entries." in shown.output
    assert shown.exit_code == 5
    assert audit.noted_head(record.settings.key_folder) == last, "what was noted stays"
    record.database.dispose()

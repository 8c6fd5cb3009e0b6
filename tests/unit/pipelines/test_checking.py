"""What the doctor finds."""

import pytest
from sqlalchemy import select

from db import audit
from db.domain.audit import AuditAction
from db.models import AuditEntry, CaseRow, FinalMask, TrainingExample
from db.record import Record
from db.repository.finals import settle_round
from db.settings import Settings, key_file
from pipelines.checking import check_installation


def troubles(record):
    return {finding.what: finding.trouble for finding in check_installation(record) if finding.trouble}


@pytest.fixture
def read(campaign):
    key_file(campaign.record.settings.key_folder / "session.key")
    campaign.open("I").train("I").read("I")
    settle_round(campaign.record, 1)
    return campaign.record


def files_of_checkpoints_are_not_made(found):
    """The builder's checkpoints have no weights, and its tables no revision."""
    return {what: trouble for what, trouble in found.items() if what not in {"schema", "files of the store"}}


def test_a_new_record_is_well_but_for_its_session_key(tmp_path):
    record = Record.open(Settings(home=tmp_path))
    assert set(troubles(record)) == {"session key"}
    record.database.dispose()


def test_a_read_campaign_is_well(read):
    assert files_of_checkpoints_are_not_made(troubles(read)) == {}


def test_missing_and_damaged_files_are_named(read):
    with read.database.read() as session:
        missing, damaged = session.scalars(select(CaseRow.film_digest).limit(2))
    read.store.path(missing).unlink()
    read.store.path(damaged).write_bytes(b"rot")
    found = troubles(read)["files of the store"]
    assert f"1 files are damaged: {damaged[:12]}." in found
    assert "2 files are missing" in found


def test_a_leak_is_found(read):
    with read.database.write() as session:
        final = session.scalars(select(FinalMask).limit(1)).one()
        session.add(TrainingExample(checkpoint_id=final.mask.checkpoint_id, case_id=final.case_id))
    assert "descends from a network that saw" in troubles(read)["certificates of final masks"]


def test_a_log_that_was_cut_since_the_last_check_is_found(read):
    with read.database.write() as session:
        for _ in range(2):
            audit.log(session, "c1", AuditAction.STAGE_LOCKED, "pilot/I")
        audit.note_head(read.settings.key_folder, audit.head(session))
    assert "audit log" not in troubles(read)
    with read.database.write() as session:
        session.delete(session.get_one(AuditEntry, 2))
    assert "cut off" in troubles(read)["audit log"]

"""Exports that the dashboard asks for, and their ZIP files."""

import io
import zipfile

import pytest

from annotation_server.services.exporting import find_export, list_exports, request_export, zip_folder
from db.domain.errors import NotFoundError, StateError
from db.domain.provenance import JobKind, JobState
from db.models import Campaign, Job


def test_without_final_masks_there_is_nothing_to_export(build_room):
    record = build_room()
    with pytest.raises(StateError, match="no final masks"), record.database.write() as session:
        request_export(session, record.settings, "pilot", actor="c1")


def test_only_finished_exports_of_the_dashboards_folder_can_be_downloaded(build_room, tmp_path):
    record = build_room()
    ours = record.settings.exports_folder.resolve() / "pilot-1"
    ours.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    places = [
        (str(ours), JobState.DONE),
        (str(tmp_path / "elsewhere"), JobState.DONE),
        (str(ours), JobState.RUNNING),
        (str(record.settings.exports_folder / ".." / "store"), JobState.DONE),
    ]
    with record.database.write() as session:
        session.add_all(
            Job(kind=JobKind.EXPORT, workflow_id=f"e{i}", campaign_id=1, arguments={"folder": place}, state=state)
            for i, (place, state) in enumerate(places)
        )
    with record.database.read() as session:
        found = list_exports(session, record.settings, session.get_one(Campaign, 1))
        assert [one.is_here for one in reversed(found)] == [True, False, False, False]
        here = [one.job.id for one in found if one.is_here]
        assert find_export(session, record.settings, "pilot", here[0]) == record.settings.exports_folder / "pilot-1"
        for one in found:
            if not one.is_here:
                with pytest.raises(NotFoundError):
                    find_export(session, record.settings, "pilot", one.job.id)
        for campaign, job_id in (("other", here[0]), ("pilot", 999), ("pilot", 1)):
            with pytest.raises(NotFoundError):
                find_export(session, record.settings, campaign, job_id)


def test_the_zip_file_holds_the_folder(tmp_path):
    folder = tmp_path / "pilot-1"
    (folder / "masks").mkdir(parents=True)
    (folder / "manifest.csv").write_text("case\n")
    (folder / "masks" / "c1.png").write_bytes(bytes(range(256)) * 1000)
    with zipfile.ZipFile(io.BytesIO(b"".join(zip_folder(folder)))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["pilot-1/manifest.csv", "pilot-1/masks/c1.png"]
        assert archive.read("pilot-1/masks/c1.png") == (folder / "masks" / "c1.png").read_bytes()

"""A patient who withdraws leaves nothing behind but a tombstone."""

import json

import numpy as np
import pytest
from sqlalchemy import func, select

from annotation_server.services.reading import ReadingService
from annotation_server.services.withdrawing import finish_withdrawals, withdraw_patient
from db.domain.campaign import Arm, RoundState, StageState
from db.domain.errors import InputError, NotFoundError, StateError
from db.domain.provenance import JobKind, JobState
from db.domain.verdict import Decision, VerdictKind
from db.migrations.append_only import protect
from db.models import (
    AuditEntry,
    CampaignCase,
    CaseRow,
    Checkpoint,
    Comparison,
    FinalMask,
    Job,
    MaskRow,
    Stage,
    TrainingExample,
    Verdict,
    Withdrawal,
)
from db.repository.files import known_digests
from db.repository.finals import settle_round
from db.repository.withdrawals import unfinished
from pipelines.checking import check_installation

REASON = "asked on 3 May"
PICK = Decision(VerdictKind.PICK, slot=0)


@pytest.fixture
def record(build_room):
    """Four cases, the first two of one patient and with films of their own; a reader has judged all but one."""
    record = build_room(n_cases=4)
    rng = np.random.default_rng(9)
    with record.database.write() as session:
        for case in session.scalars(select(CaseRow).where(CaseRow.key.in_(["secret-case-0", "secret-case-1"]))):
            case.patient, case.fingerprint = "secret-patient-0", b"x"
            case.film_digest = record.store.put_film(rng.integers(0, 4000, (60, 50), np.uint16))
            case.lung_digest = record.store.put_mask(rng.random((60, 50)) > 0.5)
            for mask in session.scalars(select(MaskRow).where(MaskRow.case_id == case.id, MaskRow.digest.is_(None))):
                mask.map_digest = record.store.put_map(rng.random((16, 16), np.float32))
    with record.database.engine.begin() as connection:
        protect(connection, "verdict", "verdicts are append-only")
    room = ReadingService(record)
    for _ in range(3):
        view = room.next_comparison(1, 1)
        assert view
        room.decide(1, view.token, PICK, idempotency_key="key", drawing=None)
    return record


def files(record):
    return {path.name for path in record.store.root.glob("??/*")}


def test_every_file_of_the_patient_goes_and_the_others_stay(record):
    with record.database.read() as session:
        ids = session.scalars(select(CaseRow.id).where(CaseRow.patient == "secret-patient-0")).all()
        own = set(session.scalars(select(CaseRow.film_digest).where(CaseRow.id.in_(ids))))
        own |= set(session.scalars(select(CaseRow.lung_digest).where(CaseRow.id.in_(ids))))
        for column in (MaskRow.map_digest, MaskRow.digest):
            own |= set(session.scalars(select(column).where(MaskRow.case_id.in_(ids)))) - {None}
    before = files(record)
    done = withdraw_patient(record, "secret-case-1", reason=REASON, actor="c1")
    assert own <= before
    assert not own & files(record)
    assert (done.n_films, done.n_files) == (2, len(own))
    with record.database.read() as session:
        assert known_digests(session) <= files(record) | {"w" * 64}
        assert unfinished(session) == []


def test_no_row_says_who_it_was(record):
    withdraw_patient(record, "secret-case-0", reason=REASON)
    with record.database.read() as session:
        gone = session.scalars(select(CaseRow).where(CaseRow.film_digest == "")).all()
        assert len(gone) == 2
        for case in gone:
            assert case.key.startswith("withdrawn-")
            assert (case.sex, case.age_years, case.taken_on) == (None, None, None)
            assert (case.fingerprint, case.source, case.licence, case.lung_digest) == (b"", "", "", None)
        words = [value for row in session.execute(select(CaseRow.__table__)) for value in map(str, row)]
        words += [value for row in session.execute(select(CampaignCase.__table__)) for value in map(str, row)]
        words += [value for row in session.execute(select(Withdrawal.__table__)) for value in map(str, row)]
        assert not [word for word in words for name in ("case-0", "case-1", "patient-0") if f"secret-{name}" in word]
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert (entry.action, entry.detail) == ("patient_withdrawn", {"n_films": 2, "reason": REASON})


def test_verdicts_stay_and_count_no_more(record):
    with record.database.read() as session:
        n_verdicts = session.scalar(select(func.count()).select_from(Verdict))
    withdraw_patient(record, "secret-case-0", reason=REASON)
    with record.database.write() as session:
        assert session.scalar(select(func.count()).select_from(Verdict)) == n_verdicts
        members = session.scalars(select(CampaignCase).where(CampaignCase.arm == Arm.SET_ASIDE)).all()
        assert {(member.stage_id, member.reason) for member in members} == {(None, "withdrawn")}
        stage = session.get_one(Stage, 1)
        stage.state, stage.rounds[0].state = StageState.LOCKED, RoundState.DONE
    assert settle_round(record, 1) <= 2
    with record.database.read() as session:
        finals = set(session.scalars(select(FinalMask.case_id)))
        assert finals.isdisjoint(session.scalars(select(CaseRow.id).where(CaseRow.film_digest == "")))


def test_its_reader_is_told_calmly(build_room):
    record = build_room(n_cases=2)
    room = ReadingService(record)
    view = room.next_comparison(1, 1)
    assert view
    with record.database.read() as session:
        key = session.scalars(select(Comparison).where(Comparison.token == view.token)).one().case.key
    withdraw_patient(record, key, reason=REASON)
    with pytest.raises(NotFoundError, match="not yours"):
        room.decide(1, view.token, PICK, idempotency_key="key", drawing=None)
    assert room.next_comparison(1, 1)


def test_what_learned_from_the_films_is_named_and_what_learned_from_that(record):
    with record.database.write() as session:
        case = session.scalars(select(CaseRow).where(CaseRow.key == "secret-case-0")).one()
        other = session.scalars(select(CaseRow).where(CaseRow.key == "secret-case-3")).one()
        by_first = session.scalars(select(MaskRow).where(MaskRow.case_id == other.id, MaskRow.checkpoint_id == 1)).one()
        session.add(TrainingExample(checkpoint_id=1, case_id=case.id))
        session.add(TrainingExample(checkpoint_id=2, case_id=other.id, mask_id=by_first.id))
        session.add(TrainingExample(checkpoint_id=3, case_id=other.id))
        export = {"folder": "/somewhere/pilot-1.0"}
        session.add(Job(kind=JobKind.EXPORT, workflow_id="e", campaign_id=1, arguments=export, state=JobState.DONE))
    tainted = withdraw_patient(record, "secret-case-0", reason=REASON).tainted
    assert [one["id"] for one in tainted["checkpoints"]] == [1, 2]
    assert tainted["exports"] == ["/somewhere/pilot-1.0"]
    assert tainted["reports"] == ["pilot"]


def test_an_interrupted_withdrawal_is_noticed_and_finished(record, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("annotation_server.services.withdrawing.finish_withdrawals", lambda _: 0)
        withdraw_patient(record, "secret-case-0", reason=REASON)
    before = files(record)
    [trouble] = [one.trouble for one in check_installation(record) if one.what == "withdrawals"]
    assert "--finish" in trouble
    assert finish_withdrawals(record) == len(before - files(record)) > 0
    assert finish_withdrawals(record) == 0
    assert [one.trouble for one in check_installation(record) if one.what == "withdrawals"] == [""]


def test_a_withdrawal_that_begins_while_another_ends_is_not_forgotten(record, monkeypatch):
    late = {"pending": {"files": [], "cases": ["c9"]}}

    def begin_another(_runs, _keys):
        with record.database.write() as session:
            session.add(Withdrawal(patient="p9", n_films=1, tainted=late))
        return []

    monkeypatch.setattr("annotation_server.services.withdrawing._stored_predictions", begin_another)
    withdraw_patient(record, "secret-case-0", reason=REASON)
    with record.database.read() as session:
        assert [one.patient for one in unfinished(session)] == ["p9"]


def test_stored_predictions_of_the_films_go_too(record):
    runs = record.settings.runs_folder
    for name, keys in (("a", ["secret-case-0", "secret-case-3"]), ("b", ["secret-case-3"])):
        (runs / name).mkdir(parents=True)
        np.savez(runs / name / "predictions-1.npz", keys=np.array(keys), maps=np.zeros((len(keys), 4, 4), np.uint16))
    (runs / "c").mkdir()
    (runs / "c" / "predictions-1.npz").write_bytes(b"half a file")
    withdraw_patient(record, "secret-case-0", reason=REASON)
    assert [path.parent.name for path in runs.glob("*/predictions-1.npz")] == ["b"]


def test_cards_of_checkpoints_keep_the_tombstone_and_no_key(record):
    card = {"train": ["secret-case-0", "secret-case-3"], "validation": ["secret-case-1"], "fold": "0", "losses": [0.5]}
    path = record.settings.runs_folder / "a" / "card.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(card))
    with record.database.write() as session:
        session.get_one(Checkpoint, 1).card = card
        for case_id in session.scalars(select(CaseRow.id).where(CaseRow.key != "secret-case-2")):
            session.add(TrainingExample(checkpoint_id=1, case_id=case_id))
    withdraw_patient(record, "secret-case-0", reason=REASON)
    with record.database.read() as session:
        gone = sorted(session.scalars(select(CaseRow.key).where(CaseRow.film_digest == "")))
        kept = session.get_one(Checkpoint, 1).card
    assert kept == json.loads(path.read_text())
    assert sorted(kept["train"] + kept["validation"]) == sorted(["secret-case-3", *gone])
    assert len(kept["validation"]) == 1
    assert (kept["fold"], kept["losses"]) == ("0", [0.5])


def test_what_cannot_be_withdrawn_is_refused(record):
    with pytest.raises(NotFoundError, match="no case 'c9'"):
        withdraw_patient(record, "c9", reason=REASON)
    with pytest.raises(InputError, match="reason"):
        withdraw_patient(record, "secret-case-0", reason=" ")
    with record.database.write() as session:
        session.add(Job(kind=JobKind.TRAIN, workflow_id="t", campaign_id=1, state=JobState.RUNNING))
    with pytest.raises(StateError, match="not ended"):
        withdraw_patient(record, "secret-case-0", reason=REASON)
    with record.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Withdrawal)) == 0

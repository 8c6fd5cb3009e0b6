"""`verdicts.csv`: every verdict on the seats of unblinded stages, all revisions, with its data dictionary beside it."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from db.domain.campaign import Arm
from db.models import Campaign, CampaignCase, Candidate, Comparison, MaskRow, Round, Stage, Verdict
from db.repository.judgements import UNBLINDED, origin_name
from db.repository.roster import left_out
from pipelines.report.flow import find_flow


def _column(meaning: str) -> str:
    column: str = field(metadata={"meaning": meaning})
    return column


@dataclass(frozen=True)
class VerdictRow:
    """One revision of one reader's verdict. Times are UTC, ISO 8601; slots count from 0 in the order that was seen."""

    stage: str = _column("name of the stage")
    round: str = _column("number of the round in the stage, from 1")
    case: str = _column("key of the film")
    arm: str = _column("read, or sentinel: drawn before any candidate existed")
    reader: str = _column("code of the reader")
    simulated_reader: str = _column("1 if the reader is a program")
    seat: str = _column("number of the seat before the case; with stage, round and case it names the comparison")
    seat_kind: str = _column("reading, repeat, check, practice, pair, adjudication, drawing or sentinel")
    counts: str = _column("0 if the reader left and the verdicts were left out by a recorded decision")
    available_at: str = _column("not shown before: the washout of a repeat")
    offered_at: str = _column("when the reader got the seat")
    decided_at: str = _column("when it was first decided")
    revision: str = _column("1 for the first verdict on the seat")
    is_last: str = _column("1 for the revision that counts")
    said_at: str = _column("when this revision was stored")
    kind: str = _column("pick, touch_up, deny_all, no_infection, unreadable or drawn")
    slot: str = _column("slot of a pick or a touch-up")
    origin: str = _column("who made the mask in that slot: a network, drawing, right or flawed")
    origins: str = _column("who made the mask in each slot, separated by semicolons")
    also_acceptable: str = _column("further slots marked as acceptable, separated by semicolons")
    started_from: str = _column("slot that a redraw began with, empty for a blank one")
    reason: str = _column("why a film is unreadable")
    confidence: str = _column("1 to 5, where the stage asks")
    visible_ms: str = _column("milliseconds that the film was visible before this revision")
    saw_serial_films: str = _column("1 if the reader had asked for the patient's other films by then")
    mask_origin: str = _column("what counts: network, drawing, touch_up, redraw, empty, sentinel or flawed")
    protocol_sha256: str = _column("protocol version: definition, choice of networks and analysis plan")
    software_version: str = _column("version of Overread that stored it")


def write_verdicts(session: Session, campaign: Campaign, folder: Path) -> int:
    """Write the verdicts with their dictionary, the flow and each stage's plan; how many verdicts."""
    names = [one.name for one in fields(VerdictRow)]
    stages = [stage for stage in campaign.stages if stage.state in UNBLINDED]
    rows = [row for stage in stages for row in _rows(session, stage)]
    _write(folder / "verdicts.csv", names, [list(asdict(row).values()) for row in rows])
    meanings = [[one.name, one.metadata["meaning"]] for one in fields(VerdictRow)]
    _write(folder / "verdicts.dictionary.csv", ["column", "meaning"], meanings)
    steps = [
        [str(step.depth), step.name, str(step.n_films), str(step.n_patients)] for step in find_flow(session, campaign)
    ]
    _write(folder / "flow.csv", ["depth", "step", "n_films", "n_patients"], steps)
    plans = {stage.name: json.loads(stage.analysis_plan) for stage in stages if stage.analysis_plan}
    (folder / "analysis_plans.json").write_text(json.dumps(plans, indent=2, sort_keys=True) + "\n")
    return len(rows)


def _rows(session: Session, stage: Stage) -> Iterator[VerdictRow]:
    members = select(CampaignCase.case_id, CampaignCase.arm).where(CampaignCase.campaign_id == stage.campaign_id)
    arms = dict(session.execute(members).all())
    without = left_out(session, stage.id)
    seats = (
        select(Comparison)
        .join(Round)
        .where(Round.stage_id == stage.id, Comparison.decided_at.is_not(None))
        .order_by(Round.number, Comparison.case_id, Comparison.seat)
        .options(
            joinedload(Comparison.case),
            joinedload(Comparison.round),
            selectinload(Comparison.verdicts).joinedload(Verdict.account),
            selectinload(Comparison.verdicts).joinedload(Verdict.mask),
        )
    )
    origins = _origins(session, stage)
    for seat in session.scalars(seats):
        if arms.get(seat.case_id) is Arm.SET_ASIDE:
            continue  # the film was taken away
        shown = [origins[seat.round_id, seat.case_id, position] for position in seat.order or []]
        for verdict in seat.verdicts:
            yield _row(seat, verdict, shown, arm=arms.get(seat.case_id, ""), counts=verdict.account_id not in without)


def _origins(session: Session, stage: Stage) -> dict[tuple[int, int, int], str]:
    """Who made the candidate at each round, case and position."""
    query = select(Candidate).join(Round, Round.id == Candidate.round_id).where(Round.stage_id == stage.id)
    query = query.options(joinedload(Candidate.mask).joinedload(MaskRow.checkpoint))
    return defaultdict(str, {(c.round_id, c.case_id, c.position): origin_name(c.mask) for c in session.scalars(query)})


def _row(seat: Comparison, verdict: Verdict, shown: list[str], *, arm: str, counts: bool) -> VerdictRow:
    return VerdictRow(
        stage=seat.round.stage.name,
        round=str(seat.round.number),
        case=seat.case.key,
        arm=arm,
        reader=verdict.account.code,
        simulated_reader=str(int(verdict.account.simulated)),
        seat=str(seat.seat),
        seat_kind=seat.kind,
        counts=str(int(counts)),
        available_at=_time(seat.available_at),
        offered_at=_time(seat.claimed_at),
        decided_at=_time(seat.decided_at),
        revision=str(verdict.revision),
        is_last=str(int(verdict is seat.verdicts[-1])),
        said_at=_time(verdict.created_at),
        kind=verdict.kind,
        slot=_text(verdict.slot),
        origin="" if verdict.slot is None else shown[verdict.slot],
        origins=";".join(shown),
        also_acceptable=";".join(map(str, verdict.also_acceptable)),
        started_from=_text(verdict.started_from),
        reason=verdict.reason or "",
        confidence=_text(verdict.confidence),
        visible_ms=str(verdict.visible_ms),
        saw_serial_films=str(int(verdict.saw_serial_films)),
        mask_origin=verdict.mask.origin if verdict.mask else "",
        protocol_sha256=verdict.protocol_digest,
        software_version=verdict.software_version,
    )


def _time(moment: datetime | None) -> str:
    return moment.isoformat(timespec="milliseconds") if moment else ""


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


def _write(path: Path, names: list[str], rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)

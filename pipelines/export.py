"""Masks out: films, final masks and a manifest that others can load (P6).

Layout of an export::

    films/CASE.png      grey, as ingested
    masks/CASE.png      0 and 255, at the film's size
    manifest.csv        a row a film: licence, source, fold, and where its mask comes from
    dataset.json        what this is: counts, protocols, versions, what is simulated
    verdicts.csv        every verdict, all revisions and times, with the origin in each slot
    verdicts.dictionary.csv    what each of its columns means
    flow.csv            how many films and patients went where (the counts of a STARD diagram)
    analysis_plans.json what each stage's plan was before anybody read

Normal films have an empty mask. The folder appears whole or not at all.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.campaign import Arm
from db.domain.errors import StateError
from db.domain.provenance import SOFTWARE_VERSION
from db.jobs import JobContext
from db.models import Campaign, CampaignCase, CaseRow, FinalMask
from db.record import Record
from db.repository.cases import find_campaign
from db.repository.judgements import UNBLINDED
from db.repository.lineage import certify
from db.repository.plans import final_masks
from pipelines.publishing import publish_folder
from pipelines.verdict_table import write_verdicts

NOTICE = "For research use. Not a medical device."

Report = Callable[[str, int, int], None]
"""Told of progress: part, done, total."""


def _silent(_part: str, _n_done: int, _n_total: int) -> None:
    pass


@dataclass(frozen=True)
class ManifestRow:
    """One film of an export. Digests are sha256; `ancestors_seen` counts the films behind the mask's networks."""

    case: str
    film: str
    mask: str
    case_class: str
    source: str
    licence: str
    patient: str
    view: str
    sex: str
    age_years: str
    width_px: int
    height_px: int
    fold: int
    film_sha256: str
    mask_sha256: str
    stage: str = ""
    round: str = ""
    verdict: str = ""
    origin: str = ""
    reader: str = ""
    network: str = ""
    checkpoint: str = ""
    job: str = ""
    ancestors_seen: str = ""
    accepted_at: str = ""
    software_version: str = ""
    simulated_film: bool = False
    simulated_reader: bool = False


def run(context: JobContext) -> None:
    """Job: export the campaign to the folder in the job's arguments."""
    campaign, folder = context.arguments["campaign"], Path(context.arguments["folder"])
    export_campaign(context.record, campaign, folder, report=context.report)


def export_campaign(record: Record, campaign: str, folder: Path, *, report: Report = _silent) -> int:
    """Write the final masks of a campaign's unblinded stages, and its control group; the number of films.

    Raises
    ------
    InputError
        If the folder is not empty.
    StateError
        If no stage is unblinded yet: origins do not leave before.
    """
    with publish_folder(folder) as temporary, record.database.read() as session:
        found = find_campaign(session, campaign)
        rows = list(_write_films(session, record, found, temporary, report))
        _write_manifest(temporary / "manifest.csv", rows)
        write_verdicts(session, found, temporary)
        _write_card(temporary / "dataset.json", found, rows)
    return len(rows)


def _write_films(
    session: Session, record: Record, campaign: Campaign, folder: Path, report: Report
) -> Iterator[ManifestRow]:
    finals = _exported_finals(session, campaign)
    seen = {id_: len(one.seen) for id_, one in certify(session, [final.mask_id for final in finals.values()]).items()}
    members = [member for member in _members(session, campaign) if member.case.key in finals or _is_control(member)]
    for name in ("films", "masks"):
        (folder / name).mkdir()
    for n_done, member in enumerate(members, 1):
        final = finals.get(member.case.key)
        row = _manifest_row(member, final, seen[final.mask_id] if final else None)
        film = record.store.get(member.case.film_digest)
        mask = record.store.get_mask(final.digest) if final else np.zeros((row.height_px, row.width_px), np.bool_)
        (folder / row.film).write_bytes(film)
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / row.mask)
        yield replace(row, mask_sha256=hashlib.sha256((folder / row.mask).read_bytes()).hexdigest())
        report("export", n_done, len(members))


def _exported_finals(session: Session, campaign: Campaign) -> dict[str, FinalMask]:
    """The newest final mask of each case whose stage is unblinded."""
    finals = {
        key: visible[0]
        for key, found in final_masks(session, campaign.id).items()
        if (visible := [final for final in found if final.round.stage.state in UNBLINDED])
    }
    if not finals:
        msg = f"Campaign {campaign.name} has no final masks of an unblinded stage."
        raise StateError(msg, hint=f"Run `overread stage status {campaign.name}/{campaign.stages[0].name}`.")
    return finals


def _members(session: Session, campaign: Campaign) -> Sequence[CampaignCase]:
    query = select(CampaignCase).join(CaseRow).where(CampaignCase.campaign_id == campaign.id).order_by(CaseRow.key)
    return session.scalars(query).all()


def _is_control(member: CampaignCase) -> bool:
    return member.arm is Arm.CONTROL


def _manifest_row(member: CampaignCase, final: FinalMask | None, n_seen: int | None) -> ManifestRow:
    case = member.case
    row = ManifestRow(
        case=case.key,
        film=f"films/{case.key}.png",
        mask=f"masks/{case.key}.png",
        case_class=case.case_class,
        source=case.source,
        licence=case.licence,
        patient=case.patient,
        view=case.view,
        sex=case.sex or "",
        age_years="" if case.age_years is None else f"{case.age_years:g}",
        width_px=case.width_px,
        height_px=case.height_px,
        fold=-1 if member.fold is None else member.fold,
        film_sha256=case.film_digest,
        mask_sha256="",
        simulated_film=case.simulated,
    )
    return row if final is None else replace(row, **_provenance(final), ancestors_seen=str(n_seen))


def _provenance(final: FinalMask) -> dict[str, Any]:
    """Where a final mask comes from, as columns."""
    checkpoint = final.mask.checkpoint
    return {
        "stage": final.round.stage.name,
        "round": str(final.round.number),
        "verdict": final.verdict.kind,
        "origin": final.mask.origin,
        "reader": final.verdict.account.code,
        "network": checkpoint.network if checkpoint else "",
        "checkpoint": checkpoint.key if checkpoint else "",
        "job": str(checkpoint.job_id) if checkpoint else "",
        "accepted_at": final.verdict.created_at.isoformat(timespec="seconds"),
        "software_version": final.verdict.software_version,
        "simulated_reader": final.verdict.account.simulated,
    }


def _write_manifest(path: Path, rows: Sequence[ManifestRow]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(ManifestRow)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def _write_card(path: Path, campaign: Campaign, rows: Sequence[ManifestRow]) -> None:
    card = {
        "campaign": campaign.name,
        "protocol_sha256": campaign.definition.digest,
        "protocol_sha256_of_stage": {
            stage.name: stage.protocol_digest for stage in campaign.stages if stage.state in UNBLINDED
        },
        "software_version": SOFTWARE_VERSION,
        "n_films": len(rows),
        "n_final_masks": sum(bool(row.verdict) for row in rows),
        "licences": sorted({row.licence for row in rows}),
        "n_simulated_films": sum(row.simulated_film for row in rows),
        "n_masks_by_simulated_readers": sum(row.simulated_reader for row in rows),
        "notice": NOTICE,
    }
    path.write_text(json.dumps(card, indent=2) + "\n")

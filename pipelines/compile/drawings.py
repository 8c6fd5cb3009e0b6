"""Drawings in: mask files become a reader's drawings of stage I. Doing it again changes nothing."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.accounts import find_account
from db.domain.campaign import RoundState, StageState
from db.domain.errors import InputError, NotFoundError, OverreadError, StateError
from db.domain.provenance import MaskOrigin
from db.models import Account, Campaign, CaseRow, MaskRow
from db.record import Record
from db.repository.cases import find_campaign
from pipelines.compile.manifest import Refusal
from pipelines.compile.masks import MaskFile, read_mask

FILE_PATTERN = "{case}.png"


@dataclass(frozen=True)
class ImportReport:
    """What came of a batch of masks."""

    n_new: int
    n_known: int
    refused: tuple[Refusal, ...]


def import_masks(
    record: Record, folder: Path, campaign: str, reader: str, *, file_pattern: str = FILE_PATTERN
) -> ImportReport:
    """Take the PNG masks in `folder`, named by their cases, as drawings of `reader` for stage I of `campaign`.

    A mask has the size of its film and two values, the larger for infection; one of nothing but 0 says that there is
    none. Bad files are refused one by one and reported; the drawings appear in one transaction.

    Raises
    ------
    InputError
        If no file of the folder fits the pattern.
    NotFoundError
        If the campaign or the reader does not exist.
    StateError
        If the stage takes no drawings any more.
    """
    files = _mask_files(folder, file_pattern)
    with record.database.read() as session:
        _open_campaign(session, campaign)
        find_account(session, reader)
        cases = {row.key: row for row in session.scalars(select(CaseRow))}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        stored = list(pool.map(lambda key: _store(record, files[key], key, cases), files))
    refused = tuple(item for item in stored if isinstance(item, Refusal))
    drawn = {cases[item.case].id: item.digest for item in stored if isinstance(item, _StoredMask)}
    with record.database.write() as session:
        n_new = _add_rows(session, _open_campaign(session, campaign), find_account(session, reader), drawn)
    return ImportReport(n_new, len(drawn) - n_new, refused)


@dataclass(frozen=True)
class _StoredMask:
    """A mask file that was accepted."""

    case: str
    digest: str


def _mask_files(folder: Path, pattern: str) -> Mapping[str, Path]:
    """The file of each case."""
    prefix, hole, suffix = pattern.partition("{case}")
    if not hole or "/" in pattern:
        msg = f"The file pattern {pattern!r} does not say where the case stands in a name."
        raise InputError(msg, hint="For example `--file-pattern '{case}_mask.png'`.")
    files = {
        path.name.removeprefix(prefix).removesuffix(suffix): path
        for path in sorted(folder.glob("*"))
        if path.name.startswith(prefix) and path.name.endswith(suffix) and path.is_file()
    }
    if not files:
        msg = f"Folder {folder} holds no mask named like {pattern}."
        raise InputError(msg, hint="Masks are PNG files named by their cases, c045.png for case c045.")
    return files


def _store(record: Record, path: Path, key: str, cases: Mapping[str, CaseRow]) -> _StoredMask | Refusal:
    try:
        if key not in cases:
            msg = f"There is no case {key!r} for the mask {path.name}."
            raise NotFoundError(msg, hint="Masks are named by the case keys of the manifest that was ingested.")
        size = cases[key].height_px, cases[key].width_px
        file = MaskFile(path, f"Mask for case {key}", inside="infection", verb="import-masks")
        return _StoredMask(key, record.store.put_mask(read_mask(file, *size)))
    except OverreadError as error:
        return Refusal(key, str(error))


def _open_campaign(session: Session, name: str) -> Campaign:
    """The campaign, if its first stage still takes drawings."""
    campaign = find_campaign(session, name)
    stage = campaign.stages[0]
    is_drawing = stage.state is StageState.OPEN and stage.rounds[-1].state is RoundState.DRAWING
    if stage.state is not StageState.DRAFT and not is_drawing:
        state = stage.rounds[-1].state if stage.state is StageState.OPEN else stage.state
        msg = f"Stage {stage.address} takes no drawings any more: it is {state}."
        raise StateError(msg, hint="Drawings come in before the first training.")
    return campaign


def _add_rows(session: Session, campaign: Campaign, account: Account, drawn: Mapping[int, str]) -> int:
    """Add a drawing (case id -> digest) where the reader has no equal one; how many were new."""
    query = select(MaskRow.case_id, MaskRow.digest).where(
        MaskRow.campaign_id == campaign.id, MaskRow.account_id == account.id, MaskRow.origin == MaskOrigin.DRAWING
    )
    there = {(case_id, digest) for case_id, digest in session.execute(query)}
    rows = [
        MaskRow(
            campaign_id=campaign.id,
            case_id=case_id,
            origin=MaskOrigin.DRAWING,
            digest=digest,
            account_id=account.id,
            simulated=account.simulated,
        )
        for case_id, digest in drawn.items()
        if (case_id, digest) not in there
    ]
    session.add_all(rows)
    return len(rows)

"""Drawings in: mask files become a reader's drawings of stage I. Doing it again changes nothing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.accounts import find_account
from db.artifacts import Store
from db.domain.campaign import RoundState, StageState
from db.domain.errors import InputError, OverreadError, StateError
from db.domain.mask import Mask
from db.domain.provenance import MaskOrigin
from db.models import Account, Campaign, CaseRow, MaskRow
from db.record import Record
from db.repository.cases import find_campaign, find_case
from pipelines.compile.films import MAX_PIXELS
from pipelines.compile.manifest import Refusal


@dataclass(frozen=True)
class ImportReport:
    """What came of a batch of masks."""

    n_new: int
    n_known: int
    refused: tuple[Refusal, ...]


def import_masks(record: Record, folder: Path, campaign: str, reader: str) -> ImportReport:
    """Take the PNG masks in `folder`, named by their cases, as drawings of `reader` for stage I of `campaign`.

    A mask has the size of its film and two values, the larger for infection; one of nothing but 0 says that there is
    none. Bad files are refused one by one and reported.

    Raises
    ------
    InputError
        If the folder holds no PNG file.
    NotFoundError
        If the campaign or the reader does not exist.
    StateError
        If the stage takes no drawings any more.
    """
    files = sorted(folder.glob("*.png"))
    if not files:
        msg = f"Folder {folder.name} holds no PNG mask."
        raise InputError(msg, hint="Masks are PNG files named like their cases, c045.png for case c045.")
    refused, n_new = [], 0
    with record.database.write() as session:
        found = find_campaign(session, campaign)
        account = find_account(session, reader)
        _check_open(found)
        for path in files:
            try:
                n_new += _import(session, record.store, path, found, account)
            except OverreadError as error:
                refused.append(Refusal(path.stem, str(error)))
    return ImportReport(n_new, len(files) - n_new - len(refused), tuple(refused))


def read_mask(path: Path, case: CaseRow) -> Mask:
    """The mask in a file, bool at the film's size.

    Raises
    ------
    InputError
        If the file is damaged, of another size than the film, or has more than two values.
    """
    values = _read_values(path)
    height, width = values.shape
    if (height, width) != (case.height_px, case.width_px):
        msg = f"Mask for case {case.key} is {width}x{height}, its film is {case.width_px}x{case.height_px}."
        raise InputError(msg, hint="Export the mask at the film's size and run `overread import-masks` again.")
    levels = np.unique(values)
    if len(levels) > 2:  # noqa: PLR2004 - inside and outside
        msg = f"Mask for case {case.key} has {len(levels)} values; two are allowed, the larger for infection."
        raise InputError(msg, hint="Export it without smoothing, grey levels or classes.")
    if len(levels) == 1 and levels[0] != 0:
        msg = f"Mask for case {case.key} has {levels[0]} in every pixel; it does not say what is outside."
        raise InputError(msg, hint="An empty mask has 0 in every pixel.")
    inside: Mask = values == levels.max() if len(levels) > 1 else np.zeros(values.shape, np.bool_)
    return inside


def _read_values(path: Path) -> npt.NDArray[np.generic]:
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                msg = f"{path.name} is {picture.width}x{picture.height}; at most {MAX_PIXELS} pixels are read."
                raise InputError(msg)
            return np.asarray(picture.convert("L") if picture.mode in {"RGB", "RGBA", "LA", "P"} else picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, OSError, SyntaxError) as error:
        msg = f"{path.name} is not a readable PNG file: {error}."
        raise InputError(msg, hint="Export the mask again.") from None


def _check_open(campaign: Campaign) -> None:
    stage = campaign.stages[0]
    drawing = stage.state is StageState.OPEN and stage.rounds[-1].state is RoundState.DRAWING
    if stage.state is not StageState.DRAFT and not drawing:
        msg = f"Stage {stage.address} takes no drawings any more."
        raise StateError(msg, hint="Drawings come in before the first training.")


def _import(session: Session, store: Store, path: Path, campaign: Campaign, account: Account) -> bool:
    case = find_case(session, path.stem)
    digest = store.put_mask(read_mask(path, case))
    same = select(MaskRow.id).where(
        MaskRow.campaign_id == campaign.id,
        MaskRow.case_id == case.id,
        MaskRow.account_id == account.id,
        MaskRow.origin == MaskOrigin.DRAWING,
        MaskRow.digest == digest,
    )
    if session.scalar(same) is not None:
        return False
    session.add(
        MaskRow(
            campaign_id=campaign.id,
            case_id=case.id,
            origin=MaskOrigin.DRAWING,
            digest=digest,
            account_id=account.id,
            simulated=account.simulated,
        )
    )
    return True

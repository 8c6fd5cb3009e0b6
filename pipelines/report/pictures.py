"""Films with their final masks and infection maps, small enough to stand in a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.artifacts import Store
from db.domain.mask import THRESHOLD, Mask, ProbabilityMap, canonical_mask, resample
from db.models import Campaign, CaseRow, Checkpoint, PhantomTruth, Prediction
from db.repository.plans import final_masks
from pipelines.infection_map import USUAL_FLOOR, Picture, render
from pipelines.report.measured import Measured
from pipelines.severity import Severity, assess

SIDE_PX = 300
"""Long side of a picture."""

N_CASES = 6
OUTLINE = (255, 196, 0)


@dataclass(frozen=True, eq=False)
class CasePictures:
    """One case in three pictures, data URIs of PNG, with what must stand beneath them."""

    case: CaseRow
    film: str
    outline: str
    infection_map: str
    severity: Severity
    peak: float
    dice: float | None


def find_pictures(session: Session, store: Store, campaign: Campaign, measured: Measured) -> list[CasePictures]:
    """Cases of the best network of a benchmark: its infected films from low to high Dice, and a normal one.

    They are spread evenly over all films by rank, not chosen by eye.
    """
    scores = measured.best
    ranked = sorted(scores.segmentation.infected, key=lambda film: (film.dice, film.case))
    clean = [film.case for film in scores.segmentation.films if film.is_empty][:1]
    rows = np.unique(np.linspace(0, len(ranked) - 1, min(len(ranked), N_CASES - len(clean))).astype(int))
    dice_of = {ranked[row].case: ranked[row].dice for row in rows}
    wanted = [*dice_of, *clean]
    query = select(Prediction).join(Checkpoint).join(CaseRow, CaseRow.id == Prediction.case_id)
    query = query.where(
        Checkpoint.job_id == measured.job.id, Checkpoint.network == scores.network, CaseRow.key.in_(wanted)
    )
    found = {prediction.case.key: prediction for prediction in session.scalars(query)}
    finals = final_masks(session, campaign.id)
    truths = {truth.case_id: truth for truth in session.scalars(select(PhantomTruth))}
    shown = []
    for key in wanted:
        case = found[key].case
        truth = truths.get(case.id)
        shown.append(
            picture_case(
                case,
                film=store.get_film(case.film_digest),
                final=store.get_mask(finals[key][0].digest) if key in finals else None,
                probability=store.get_map(found[key].map_digest),
                lung=store.get_mask(truth.lung_digest) if truth else None,
                dice=dice_of.get(key),
            )
        )
    return shown


def picture_case(  # noqa: PLR0913 - the parts of one picture, all named
    case: CaseRow,
    *,
    film: np.ndarray,
    final: Mask | None,
    probability: ProbabilityMap,
    lung: Mask | None = None,
    dice: float | None = None,
) -> CasePictures:
    """The pictures of one case; `film`, `final` and `lung` at the film's size, `probability` at any."""
    height, width = _fitted(*film.shape)
    grey = resample(film.astype(np.float32) / np.float32(np.iinfo(film.dtype).max), height, width).clip(0, 1)
    small_map = resample(probability, height, width).clip(0, 1)
    plain = np.repeat(np.rint(grey * 255).astype(np.uint8)[..., None], 3, axis=-1)
    return CasePictures(
        case=case,
        film=as_uri(plain),
        outline=as_uri(plain if final is None else outlined(plain, _shrunk(final, height, width))),
        infection_map=as_uri(render(grey, small_map, floor=USUAL_FLOOR)),
        severity=assess(canonical_mask(probability, *film.shape), lung),
        peak=float(probability.max()),
        dice=dice,
    )


def outlined(picture: Picture, mask: Mask) -> Picture:
    """A copy of an RGB picture [height, width, 3] with the inner edge of a mask of its size drawn."""
    drawn = picture.copy()
    drawn[mask & ~ndimage.binary_erosion(mask, border_value=1)] = OUTLINE
    return drawn


def as_uri(picture: Picture) -> str:
    """A picture as PNG in a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _fitted(height: int, width: int) -> Sequence[int]:
    scale = SIDE_PX / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _shrunk(mask: Mask, height: int, width: int) -> Mask:
    return resample(mask.astype(np.float32), height, width) >= THRESHOLD

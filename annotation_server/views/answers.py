"""What the JSON routes answer: types without room for a further field. The OpenAPI document is made from them."""

from typing import Any

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from annotation_server.services.serial import Order
from annotation_server.services.showing import Task
from db.domain.campaign import RoundState, StageState
from db.domain.provenance import JobKind, JobState
from db.domain.verdict import UnreadableReason, VerdictKind

CLOSED = with_config(ConfigDict(extra="forbid"))


@CLOSED
class Nothing(TypedDict):
    """Done; there is nothing to say."""


@CLOSED
class VerdictAnswer(TypedDict):
    """The reader's own verdict."""

    kind: VerdictKind
    slot: int | None
    also_acceptable: list[int]
    reason: UnreadableReason | None
    confidence: int | None
    drawing: None


@CLOSED
class FeedbackAnswer(TypedDict):
    """What practice tells."""

    right_slot: int
    dice: float | None


@CLOSED
class Comparison(TypedDict):
    """A case before its reader."""

    token: str
    width_px: int
    height_px: int
    grid_width_px: int
    grid_height_px: int
    n_candidates: int
    n_decided: int
    n_left: int
    verdict: VerdictAnswer | None
    task: Task
    with_confidence: bool
    redraw_from_candidate: bool
    is_practice: bool
    n_serial_films: int
    feedback: FeedbackAnswer | None
    film_url: str
    bundle_url: str
    lungs_url: str | None


@CLOSED
class ComparisonAnswer(TypedDict):
    """A case."""

    comparison: Comparison


@CLOSED
class SerialFilm(TypedDict):
    """One of the patient's films, and how it stands to the one that is read; no days where dates are hidden."""

    film_url: str
    order: Order
    days: int | None


@CLOSED
class SerialAnswer(TypedDict):
    """The patient's films in order of acquisition, those without a date last."""

    films: list[SerialFilm]


@CLOSED
class GuideVersion(TypedDict):
    """A version of the annotation guide; plain text."""

    version: int
    text: str


@CLOSED
class GuideAnswer(TypedDict):
    """The guide that counts, or null."""

    guide: GuideVersion | None


@CLOSED
class NextAnswer(TypedDict):
    """A case, or null when nothing is left."""

    comparison: Comparison | None


@CLOSED
class Decided(TypedDict):
    """A case that the reader decided."""

    token: str
    kind: VerdictKind


@CLOSED
class HistoryAnswer(TypedDict):
    """The reader's decided cases."""

    decided: list[Decided]


@CLOSED
class RevisionAnswer(TypedDict):
    """The number of the verdict that was stored."""

    revision: int
    feedback: FeedbackAnswer | None


@CLOSED
class DrawingBits(TypedDict):
    """A drawing: packed bits at the film's size in base64, and the slots that it edits or started from."""

    slot: int | None
    started_from: int | None
    bits: str


@CLOSED
class Draft(DrawingBits):
    """A drawing that was not sent yet."""

    revision: int
    age_s: int


@CLOSED
class DraftAnswer(TypedDict):
    """The reader's draft, or null."""

    draft: Draft | None


@CLOSED
class DraftRevision(TypedDict):
    """The number of the draft that was stored."""

    revision: int


@CLOSED
class OwnDrawingAnswer(TypedDict):
    """The reader's own drawing that counts now, or null."""

    drawing: DrawingBits | None


@CLOSED
class JobAnswer(TypedDict):
    """A durable piece of work. Times are UTC in ISO 8601."""

    id: int
    kind: JobKind
    state: JobState
    campaign: str
    error: str
    created_at: str
    started_at: str | None
    finished_at: str | None


@CLOSED
class StageAnswer(TypedDict):
    """Where a stage stands, without anything that would unblind it."""

    address: str
    state: StageState
    round_number: int | None
    round_state: RoundState | None
    n_cases: int
    n_drawn: int
    n_comparisons: int
    n_decided: int
    protocol: str
    job: JobAnswer | None
    next_verb: str | None


@CLOSED
class CampaignAnswer(TypedDict):
    """A campaign and the addresses of its stages."""

    name: str
    stages: list[str]


@CLOSED
class CampaignsAnswer(TypedDict):
    """All campaigns."""

    campaigns: list[CampaignAnswer]


@CLOSED
class LockedAnswer(TypedDict):
    """A stage that was locked, and how many final masks that made."""

    stage: StageAnswer
    n_made: int


Document = dict[str, Any]
"""The OpenAPI document."""


@CLOSED
class ErrorDetail(TypedDict):
    """What failed, and what to do next."""

    code: str
    message: str
    hint: str


@CLOSED
class ErrorAnswer(TypedDict):
    """Every error below /api and /media."""

    error: ErrorDetail

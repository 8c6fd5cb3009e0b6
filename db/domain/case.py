"""A case: one film of one patient."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class CaseClass(StrEnum):
    """What the film is in the study. `infection` films go through the stages; `normal` ones are the control group."""

    INFECTION = "infection"
    NORMAL = "normal"
    OTHER = "other"


class View(StrEnum):
    """How the film was taken, as far as its source says."""

    PA = "pa"
    AP = "ap"
    AP_SUPINE = "ap_supine"
    LATERAL = "lateral"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Case:
    """One film with what the study knows of it; `patient` and `taken_on` are already de-identified.

    `component` names the set of cases that must stay on one side of every split: films of one patient, and
    near-duplicate films. It is the smallest key among its members.
    """

    key: str
    patient: str
    component: str
    case_class: CaseClass
    view: View
    source: str
    licence: str
    width_px: int
    height_px: int
    film_digest: str
    sex: str | None = None
    age_years: float | None = None
    taken_on: date | None = None
    simulated: bool = False

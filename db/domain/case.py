"""What a case, one film of one patient, may be."""

from enum import StrEnum

MANIFEST = "manifest.csv"
"""The file that describes the films of a folder."""


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

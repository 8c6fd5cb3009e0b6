"""A campaign as a form describes it: a specification, and what is changed of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.domain.campaign import CampaignDefinition
from db.domain.errors import InputError
from db.domain.specs import find_spec, override, parse_settings

ASKED = (
    "seed",
    "n_folds",
    "readers_per_case",
    "study.repeat_share",
    "study.repeat_washout_days",
    "study.n_check_cases",
    "study.n_practice_cases",
    "study.own_drawing",
    "study.own_washout_days",
    "study.sentinel_share",
    "study.pair_share",
    "study.serial_films",
    "study.redraw_from_candidate",
    "study.with_confidence",
)
"""The settings that a campaign's form asks about; its template has the questions."""


@dataclass(frozen=True)
class Proposal:
    """What a form says: the name, the specification, answers to what is `ASKED`, and further settings, one a line."""

    name: str
    spec: str
    answers: Mapping[str, str]
    further: str = ""

    def definition(self) -> CampaignDefinition:
        """The campaign that it describes.

        Raises
        ------
        InputError
            If the specification, a setting or a value is unknown, or a setting is given twice.
        """
        settings = {key: text for key, text in self.answers.items() if text.strip()}
        lines = [line.strip() for line in self.further.splitlines() if line.strip()]
        further = parse_settings(lines)
        if twice := sorted(set(further) & set(settings)):
            msg = f"{', '.join(twice)} is given twice."
            raise InputError(msg, hint="Give it above or among the further settings.")
        return override(find_spec(self.spec), settings | further)

"""The analysis plan of a stage: what will be computed of its verdicts, fixed and hashed before anybody reads."""

import json
from dataclasses import asdict

from db.domain.agreement import Z_95
from db.domain.campaign import StageDefinition
from db.domain.candidate import EQUAL_DICE
from db.domain.clustering import N_DRAWS

VERSION = 1

_INTERVAL = (
    "95 %: Student's t over readers around the pooled share, no narrower than Wilson over judgements or than a "
    "percentile bootstrap that draws readers and patients independently; of one reader Wilson and patients"
)
_OVER_PATIENTS = "95 %: percentile bootstrap that draws patients"


def analysis_plan(definition: StageDefinition, *, seed: int) -> str:
    """Canonical JSON: sorted keys, no spaces.

    Parameters
    ----------
    seed
        The campaign's: repeats, sentinels and the orders of cases and slots follow from it.
    """
    study = definition.study
    figures = {
        "denied": {"of": "all but unreadable films, last revisions", "interval": _INTERVAL},
        "position_bias": {"test": "chi-square against an even spread"},
        "strengths": {"model": "Bradley-Terry over picks, choices taken for independent"},
    }
    if definition.with_drawing:
        figures["machine_preferred"] = {
            "of": "picks where a drawing and a machine's mask were on offer; equal masks share the credit",
            "against": "what an indifferent reader would give the machines, by how alike they are",
            "by": "whether the reader's own drawing was on offer",
            "interval": _INTERVAL,
        }
    if definition.readers_per_case > 1:
        figures["agreement"] = {
            "categories": "chosen origin, or kind of verdict: Fleiss' kappa, Krippendorff's nominal alpha",
            "masks": "Dice between chosen masks",
            "interval": _OVER_PATIENTS,
            "final": "more than half of the readers, else an adjudicator who sees neither votes nor names",
        }
    if study.repeat_share:
        figures["repeats"] = {"of": "equal mask chosen again by the same reader", "interval": _INTERVAL}
    if study.n_check_cases:
        figures["checks"] = {"of": "right mask picked among flawed ones", "interval": _INTERVAL}
    if study.pair_share:
        figures["pairs"] = {"of": "machine picked of two panes", "against": "one half", "interval": _INTERVAL}
    if study.sentinel_share:
        figures["sentinel"] = {
            "of": "final mask and candidates against the independent drawing; minutes a mask",
            "interval": _OVER_PATIENTS,
        }
    plan = {
        "version": VERSION,
        "stage": definition.name,
        "n_candidates": definition.n_candidates,
        "networks": [network.name for network in definition.networks],
        "with_drawing": definition.with_drawing,
        "readers_per_case": definition.readers_per_case,
        "study": asdict(study),
        "figures": figures,
        "constants": {"equal_dice": EQUAL_DICE, "z": Z_95, "bootstrap_draws": N_DRAWS, "bootstrap_seed": 1},
        "seed": seed,
        "readers_who_left": "kept or left out by a recorded decision; the preference is stated with them besides",
        "sentinels": "never learned from, neither their drawings nor their final masks",
    }
    return json.dumps(plan, sort_keys=True, separators=(",", ":"))

import json
from dataclasses import replace

import pytest

from db.domain.analysis import analysis_plan
from db.domain.campaign import StageDefinition
from db.domain.network import NetworkSpec
from db.domain.recipe import TrainingRecipe
from db.domain.study import StudyDesign

PLAIN = StageDefinition("I", (NetworkSpec("unet", "tiny"),), with_drawing=True, recipe=TrainingRecipe())


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        ({"readers_per_case": 2}, "agreement"),
        ({"study": StudyDesign(repeat_share=0.1)}, "repeats"),
        ({"study": StudyDesign(n_check_cases=3)}, "checks"),
        ({"study": StudyDesign(pair_share=0.1)}, "pairs"),
        ({"study": StudyDesign(sentinel_share=0.1)}, "sentinel"),
    ],
)
def test_the_plan_names_a_figure_for_each_part_of_the_design(change, figure):
    plain = json.loads(analysis_plan(PLAIN, seed=1))
    assert set(plain["figures"]) == {"denied", "position_bias", "strengths", "machine_preferred"}
    changed = json.loads(analysis_plan(replace(PLAIN, **change), seed=1))
    assert set(changed["figures"]) - set(plain["figures"]) == {figure}


def test_the_plan_is_canonical_and_holds_the_seed():
    assert analysis_plan(PLAIN, seed=1) == analysis_plan(replace(PLAIN), seed=1) != analysis_plan(PLAIN, seed=2)

"""Specifications: what a campaign and a benchmark compute. Each is a function whose docstring says its cost.

Source: P8, P12 for the stages' numbers of networks; the paper does not say which five, so `paper` documents ours.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from db.domain import recipes
from db.domain.campaign import CampaignDefinition, StageDefinition
from db.domain.errors import InputError
from db.domain.network import NetworkSpec
from db.domain.recipe import TrainingRecipe
from db.domain.study import StudyDesign

_THREE = ("unet", "unet_plus_plus", "dla")


def paper() -> CampaignDefinition:
    """The paper's campaign at 224 pixels: for a GPU; a fold takes days on two cores.

    Stage I: U-Net, UNet++ and DLA on DenseNet-121, its best encoder. Stage II: these, and U-Net on Inception-v3 and
    ResNet-50, so that the five differ in decoder or encoder; all learn throughout. The paper names neither the three
    nor the five (P8, P12): `overread stage ensemble` chooses others by what they are measured to do.
    """
    three = _named("densenet121", *_THREE)
    return _stages("paper", recipes.paper(), three, three + _named("inception_v3", "unet") + _named("resnet50", "unet"))


def laptop() -> CampaignDefinition:
    """Small encoders, for two cores and no weights.

    Stage I: three networks x five folds; stage II: five networks, three decoders on `medium` and two on `small`.
    """
    three = _named("medium", *_THREE)
    return _stages("laptop", recipes.laptop(), three, three + _named("small", "unet", "dla"))


def smoke() -> CampaignDefinition:
    """The smallest campaign that goes through everything: seconds a network, for tests; its masks mean nothing."""
    return _stages(
        "smoke", recipes.smoke(), _named("tiny", *_THREE), _named("tiny", *_THREE), _named("tiny", "unet", "dla")
    )


def demo() -> CampaignDefinition:
    """What `overread demo` runs on phantom films: 64 pixels, 210 steps a network, a few minutes on two cores.

    A third stage, for films that came late, is left to the visitor.
    """
    three, two = _named("small", *_THREE), _named("small", "unet", "dla")
    return _stages("demo", recipes.demo(), three, three + _named("tiny", "unet", "dla"), two)


SPECS: Mapping[str, Callable[[], CampaignDefinition]] = {"paper": paper, "laptop": laptop, "smoke": smoke, "demo": demo}


def find_spec(name: str) -> CampaignDefinition:
    """The specification of `name`, or InputError that lists those there are."""
    if name not in SPECS:
        msg = f"There is no specification {name!r}."
        raise InputError(msg, hint=f"Known: {', '.join(SPECS)}.")
    return SPECS[name]()


def parse_settings(pairs: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping, or InputError for one without a value."""
    parsed = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not value:
            msg = f"Setting {pair!r} is not of the form KEY=VALUE."
            raise InputError(msg, hint="For example `--set epochs=2`.")
        parsed[key] = value
    return parsed


OF_CAMPAIGN = ("n_folds", "seed", "group_by_patient")
OF_STAGE = ("readers_per_case",)
STUDY = "study."


def settable(definition: CampaignDefinition) -> dict[str, object]:
    """What `--set` can change, with its present value: of the campaign, of its stages, their study and recipe."""
    stage = definition.stages[0]
    return (
        {key: getattr(definition, key) for key in OF_CAMPAIGN}
        | {key: getattr(stage, key) for key in OF_STAGE}
        | {STUDY + field.name: getattr(stage.study, field.name) for field in fields(StudyDesign)}
        | {field.name: getattr(stage.recipe, field.name) for field in fields(TrainingRecipe)}
    )


def override(definition: CampaignDefinition, settings: Mapping[str, str]) -> CampaignDefinition:
    """The definition with `--set key=value` applied: a field of the campaign, or one of every stage (`settable`).

    Raises
    ------
    InputError
        If a key is unknown (the nearest one is named) or a value is not of its field's type.
    """
    known = settable(definition)
    values: dict[str, Any] = {}
    for key, text in settings.items():
        if key not in known:
            near = get_close_matches(key, known, 1)
            msg = f"Unknown setting {key!r}."
            raise InputError(msg, hint=f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}.")
        values[key] = _value(key, text, known[key])
    of_campaign = {key: values.pop(key) for key in OF_CAMPAIGN if key in values}
    of_stage = {key: values.pop(key) for key in OF_STAGE if key in values}
    of_study = {key.removeprefix(STUDY): values.pop(key) for key in list(values) if key.startswith(STUDY)}
    stages = tuple(
        replace(stage, recipe=replace(stage.recipe, **values), study=replace(stage.study, **of_study), **of_stage)
        for stage in definition.stages
    )
    return replace(definition, stages=stages, **of_campaign)


def _value(key: str, text: str, present: object) -> object:
    if isinstance(present, StrEnum):
        kind = type(present)
        if text not in set(kind):
            msg = f"Setting {key} was {text!r}."
            raise InputError(msg, hint=f"It is one of {', '.join(kind)}.")
        return kind(text)
    if isinstance(present, str):
        return text
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    kinds = (int, float) if isinstance(present, float) else (int,) if present is None else (type(present),)
    if not isinstance(value, kinds) or isinstance(value, bool) is not isinstance(present, bool):
        msg = f"Setting {key} was {text!r}; it takes a value like {present!r}."
        raise InputError(msg, hint=f"For example `--set {key}={present}`.")
    return value


def _named(encoder: str, *decoders: str) -> tuple[NetworkSpec, ...]:
    return tuple(NetworkSpec.parse(f"{decoder}-{encoder}") for decoder in decoders)


def _stages(
    preset: str, recipe: TrainingRecipe, first: tuple[NetworkSpec, ...], *later: tuple[NetworkSpec, ...]
) -> CampaignDefinition:
    """Stage I with drawings among its candidates, then stages of networks alone."""
    names = ("II", "III", "IV")
    return CampaignDefinition(
        preset=preset,
        stages=(
            StageDefinition("I", first, with_drawing=True, recipe=recipe),
            *(
                StageDefinition(name, networks, with_drawing=False, recipe=recipe)
                for name, networks in zip(names, later, strict=False)
            ),
        ),
    )

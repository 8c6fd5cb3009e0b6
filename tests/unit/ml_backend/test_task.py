import json
from dataclasses import replace
from pathlib import Path

import pytest

from db.domain import recipes
from db.domain.errors import InputError, InvariantError
from db.domain.network import NetworkSpec
from db.domain.recipe import LossSpec
from ml_backend.task import Fold, TrainingSpec, TrainingTask, key

SPEC = TrainingSpec.of(NetworkSpec.parse("unet-tiny"), recipes.smoke())
FOLD = Fold("0", ("a", "b"), ("c",))


def test_a_specification_survives_json() -> None:
    spec = TrainingSpec.of(NetworkSpec.parse("dla-densenet121-frozen"), recipes.laptop(), seed=4)
    assert TrainingSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(InputError, match=r"'epoch'.*'epochs'"):
        TrainingSpec.from_json(SPEC.to_json() | {"epoch": 3})


@pytest.mark.parametrize("change", [{"epochs": 0}, {"steps_per_epoch": 0}, {"learning_rate": float("nan")}])
def test_a_value_that_cannot_train_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(change))):
        replace(SPEC, **change)  # type: ignore[arg-type]  # wrong values are the point


def test_the_key_follows_what_the_result_depends_on_and_nothing_else() -> None:
    first = key(SPEC, FOLD, "data")
    assert key(SPEC, Fold("renamed", ("b", "a"), ("other",)), "data") == first
    changed = [
        key(replace(SPEC, seed=1), FOLD, "data"),
        key(SPEC, Fold("0", ("a",)), "data"),
        key(SPEC, FOLD, "other data"),
    ]
    assert len({first, *changed}) == 4


def test_the_key_of_a_known_training_stays() -> None:
    """A change here makes every installation train everything again: raise TRAINING_VERSION on purpose instead."""
    known = replace(SPEC, loss=LossSpec(over="batch", smoothing=1.0))
    assert key(known, FOLD, "data").startswith("92ae35a48096fa44")


def test_a_fold_never_predicts_what_it_trains_on() -> None:
    with pytest.raises(InvariantError, match="c07"):
        Fold("0", ("c07", "c08"), ("c07",))


def test_a_task_comes_back_as_it_was(tmp_path: Path) -> None:
    task = TrainingTask(SPEC, tmp_path / "data.npz", tmp_path / "runs", (FOLD,))
    task.save(tmp_path / "task.json")
    assert TrainingTask.load(tmp_path / "task.json") == task


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_file_that_is_no_task_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "task.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"task\.json"):
        TrainingTask.load(path)

"""What a report's figures were made with."""

import pytest
from sqlalchemy import select

from db.models import Campaign, Checkpoint
from pipelines.report.provenance import find_folds, find_trainings, find_versions

CARD = {
    "wall_s": 1.5,
    "versions": {"keras": "3.15.0"},
    "n_parameters": {"trainable": 5, "non_trainable": 2},
    "spec": {"input_size": 32, "epochs": 2, "batch_size": 4, "learning_rate": 1e-3},
}


@pytest.fixture
def ask(record, campaign):
    """What a function finds in a campaign whose stage I is trained."""
    campaign.open("I").train("I")
    with record.database.write() as session:
        for checkpoint in session.scalars(select(Checkpoint)):
            checkpoint.card = CARD | {"versions": {"keras": f"3.{checkpoint.fold}"}}

    def find(function):
        with record.database.read() as session:
            return function(session, session.scalars(select(Campaign)).one())

    return find


def test_checkpoints_are_summed_by_network(ask):
    (training,) = ask(find_trainings)
    assert (training.network, training.n_checkpoints, training.n_parameters) == ("unet-tiny", 3, 7)
    assert training.seconds == pytest.approx(4.5)
    assert training.recipe == "32x32 px, 2 epochs, batch 4, Adam at 0.001, from random values"
    assert training.job.endswith("stage I")


def test_a_training_names_what_the_weights_saw_that_it_started_from(record, ask):
    with record.database.write() as session:
        for checkpoint in session.scalars(select(Checkpoint)):
            checkpoint.card = checkpoint.card | {"initial_weights": {"digest": "d", "corpus": "NIH ChestX-ray14"}}
    (training,) = ask(find_trainings)
    assert training.recipe.endswith("from weights that saw NIH ChestX-ray14")


def test_every_version_behind_the_checkpoints_is_named(ask):
    assert ask(find_versions)["keras"] == "3.0, 3.1, 3.2"


def test_folds_hold_every_film_once_but_those_set_aside(ask):
    folds = ask(find_folds)
    assert [fold.fold for fold in folds] == [0, 1, 2]
    assert sum(fold.n_control for fold in folds) == 10
    assert sum(fold.n_read for fold in folds) == 29
    assert sum(fold.n_components for fold in folds) == 20

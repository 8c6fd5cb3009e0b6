"""Named ways to train a network. Each is a function, so that it can say what it costs and what to expect."""

from db.domain.recipe import LossSpec, TrainingRecipe

OUR_LOSS = LossSpec(over="batch", smoothing=1.0)
"""Dice over the batch with smoothing 1: films without infection teach, where the paper's formula has no gradient."""


def paper() -> TrainingRecipe:
    """The paper's recipe (P20 to P27): 224 pixels, 50 epochs, batch 32, Adam at 1e-4. Needs a GPU."""
    return TrainingRecipe()


def laptop() -> TrainingRecipe:
    """300 steps for a small network from random values: under a minute on 2 cores once it is traced."""
    return TrainingRecipe(
        input_size=96,
        epochs=10,
        batch_size=8,
        steps_per_epoch=30,
        learning_rate=3e-3,
        schedule="cosine",
        augment="all",
        loss=OUR_LOSS,
    )


def smoke() -> TrainingRecipe:
    """A few steps at 32 pixels: whether everything fits together, in seconds. Learns nothing."""
    return TrainingRecipe(
        input_size=32,
        epochs=2,
        batch_size=4,
        steps_per_epoch=3,
        learning_rate=3e-3,
        schedule="cosine",
        augment="all",
        loss=OUR_LOSS,
    )

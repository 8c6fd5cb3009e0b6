"""Named ways to train a network. Each is a function, so that it can say what it costs and what to expect."""

from db.domain.recipe import LossSpec, TrainingRecipe

OUR_LOSS = LossSpec(over="batch", smoothing=1.0, alpha=0.75)
"""Dice over the batch with smoothing 1: films without infection teach, where the paper's formula has no gradient.

A missed pixel weighs three times a false one in the focal term: the other way round, as in the paper, networks marked
0.8 of what they should.
"""


def paper() -> TrainingRecipe:
    """The paper's recipe (P20 to P27): 224 pixels, 50 epochs, batch 32, Adam at 1e-4. Needs a GPU."""
    return TrainingRecipe()


def laptop() -> TrainingRecipe:
    """600 steps for a network on a small encoder, after 3000 on phantom films: for two cores and few films.

    The phantoms are simulated; what a network learns of them it learns once, for all folds and campaigns. Five folds of
    `unet-medium` on 107 real films took 12 minutes, phantoms included, and gave a mean Dice of 0.55 and a pixel F1 of
    0.70 on the masked ones (docs/engineers.md).
    """
    return TrainingRecipe(
        input_size=96,
        epochs=20,
        batch_size=8,
        steps_per_epoch=30,
        learning_rate=3e-3,
        schedule="cosine",
        augment="all",
        variation="wide",
        pretext="phantoms",
        pretext_epochs=100,
        n_views=5,
        loss=OUR_LOSS,
    )


def demo() -> TrainingRecipe:
    """210 steps at 64 pixels from random values: under a minute on 2 cores once the network is traced."""
    return TrainingRecipe(
        input_size=64,
        epochs=7,
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

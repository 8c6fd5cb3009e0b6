from db.domain import recipes
from db.domain.network import NetworkSpec
from db.domain.recipe import LossSpec

NETWORK = NetworkSpec.parse("unet-densenet121")


def test_the_papers_recipe_has_the_papers_numbers() -> None:
    spec = recipes.paper()
    assert (spec.input_size, spec.epochs, spec.batch_size, spec.learning_rate) == (224, 50, 32, 1e-4)
    assert spec.schedule == "constant"
    assert spec.loss == LossSpec(alpha=0.25, gamma=2.0, over="film", smoothing=0.0)


def test_our_recipes_let_films_without_infection_teach() -> None:
    for recipe in (recipes.laptop, recipes.demo, recipes.smoke):
        assert recipe().loss == LossSpec(over="batch", smoothing=1.0, alpha=0.75)

from functools import cache

import numpy as np
import pytest

from db.domain.errors import InputError
from pipelines.simulate import CONSPICUOUS, SUBTLE, Phantom, Preset, make_phantom

SIDE_PX = 96
N_FILMS = 40


@cache
def _films(*, infected: bool, preset: Preset = SUBTLE, first_seed: int = 0) -> list[Phantom]:
    seeds = range(first_seed, first_seed + N_FILMS)
    return [make_phantom(np.random.default_rng(s), side_px=SIDE_PX, infected=infected, preset=preset) for s in seeds]


def _ranked_above(greys: list[float], others: list[float]) -> float:
    """The chance that a grey level exceeds another one: the area under the curve."""
    return float(np.mean(np.subtract.outer(greys, others) > 0))


def test_equal_generators_give_equal_films_and_others_differ() -> None:
    first, again = (make_phantom(np.random.default_rng(3), side_px=64, infected=True, preset=SUBTLE) for _ in range(2))
    other = make_phantom(np.random.default_rng(4), side_px=64, infected=True, preset=SUBTLE)
    assert np.array_equal(first.film, again.film)
    assert np.array_equal(first.infection, again.infection)
    assert first.severity == again.severity
    assert not np.array_equal(first.film, other.film)


def test_a_used_generator_gives_a_new_film() -> None:
    rng = np.random.default_rng(5)
    first, second = (make_phantom(rng, side_px=64, infected=False, preset=SUBTLE) for _ in range(2))
    assert not np.array_equal(first.lung, second.lung)


@pytest.mark.parametrize("preset", [SUBTLE, CONSPICUOUS])
def test_infected_films_show_infection_inside_the_lung_only(preset: Preset) -> None:
    for phantom in _films(infected=True, preset=preset):
        assert phantom.film.dtype == np.uint8
        assert phantom.film.shape == phantom.lung.shape == phantom.infection.shape == (SIDE_PX, SIDE_PX)
        assert phantom.infection.sum() >= 4
        assert not (phantom.infection & ~phantom.lung).any()
        assert 0 < phantom.severity < 1


def test_healthy_films_have_a_lung_and_no_infection() -> None:
    for phantom in _films(infected=False):
        assert phantom.severity == 0
        assert not phantom.infection.any()
        assert 0.15 < phantom.lung.mean() < 0.5


def test_both_lungs_are_seen_on_either_side_of_the_middle() -> None:
    for phantom in _films(infected=False):
        left, right = np.hsplit(phantom.lung, 2)
        assert left.mean() > 0.1
        assert right.mean() > 0.1


def test_lungs_are_darker_than_the_body_and_brighter_than_the_air_around_it() -> None:
    for phantom in _films(infected=False):
        middle = phantom.film[SIDE_PX // 2 : 3 * SIDE_PX // 4, 15 * SIDE_PX // 32 : 17 * SIDE_PX // 32]
        assert phantom.film[phantom.lung].mean() + 30 < middle.mean()


def test_lesions_brighten_the_same_patient_where_the_truth_lies_and_hardly_elsewhere() -> None:
    pairs = zip(_films(infected=True, preset=CONSPICUOUS), _films(infected=False), strict=True)
    gains = [(sick.film.astype(float) - healthy.film, sick.infection) for sick, healthy in pairs]
    inside = np.mean([gain[truth].mean() for gain, truth in gains])
    outside = np.mean([np.abs(gain[~truth]).mean() for gain, truth in gains])
    assert inside > 15
    assert outside < 0.25 * inside


def test_sick_and_healthy_films_are_equally_bright_outside_the_lung() -> None:
    sick, healthy = _films(infected=True), _films(infected=False, first_seed=1000)
    greys = [[float(phantom.film[~phantom.lung].mean()) for phantom in films] for films in (sick, healthy)]
    assert abs(np.mean(greys[0]) - np.mean(greys[1])) < 12
    assert 0.3 < _ranked_above(*greys) < 0.7


def test_the_mean_of_the_film_hardly_tells_sick_from_healthy() -> None:
    sick, healthy = _films(infected=True), _films(infected=False, first_seed=1000)
    greys = [[float(phantom.film.mean()) for phantom in films] for films in (sick, healthy)]
    assert abs(np.mean(greys[0]) - np.mean(greys[1])) < 12
    assert 0.3 < _ranked_above(*greys) < 0.72


@pytest.mark.parametrize(("preset", "bound"), [(SUBTLE, 0.55), (CONSPICUOUS, 0.7)])
def test_no_threshold_on_brightness_solves_the_task(preset: Preset, bound: float) -> None:
    def best_dice(phantom: Phantom) -> float:
        grey, truth = phantom.film[phantom.lung], phantom.infection[phantom.lung]
        masks = [grey >= level for level in np.unique(grey)]
        return float(max(2 * (mask & truth).sum() / (mask.sum() + truth.sum()) for mask in masks))

    assert np.mean([best_dice(phantom) for phantom in _films(infected=True, preset=preset)]) < bound


def test_subtle_films_are_less_infected_than_conspicuous_ones() -> None:
    def share(preset: Preset) -> float:
        films = _films(infected=True, preset=preset)
        return float(np.mean([phantom.infection.sum() / phantom.lung.sum() for phantom in films]))

    subtle, conspicuous = share(SUBTLE), share(CONSPICUOUS)
    assert 0.10 < subtle < 0.26
    assert subtle + 0.02 < conspicuous < 0.34


def test_severity_grows_with_the_infected_share_of_the_lung() -> None:
    films = _films(infected=True)
    shares = [phantom.infection.sum() / phantom.lung.sum() for phantom in films]
    assert np.corrcoef([phantom.severity for phantom in films], shares)[0, 1] > 0.4


def test_a_film_too_small_for_anatomy_is_refused_with_its_size() -> None:
    with pytest.raises(InputError, match="32 pixels"):
        make_phantom(np.random.default_rng(0), side_px=32, infected=False, preset=SUBTLE)

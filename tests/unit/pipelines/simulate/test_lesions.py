import numpy as np
import pytest

from db.domain.errors import InputError
from pipelines.simulate import CONSPICUOUS, SUBTLE, Preset, make_phantom, set_lesions
from pipelines.simulate.lesions import make_lesions


def _lung() -> np.ndarray:
    lung = np.zeros((300, 240), np.bool_)
    lung[60:240, 30:100] = lung[60:240, 140:210] = True
    return lung


@pytest.mark.parametrize("preset", [SUBTLE, CONSPICUOUS])
def test_lesions_add_attenuation_up_to_the_densest_of_the_preset_and_only_in_the_lung(preset: Preset) -> None:
    lung = _lung()
    for seed in range(10):
        lesions = make_lesions(np.random.default_rng(seed), lung, preset)
        assert lesions.attenuation.max() <= preset.amplitudes[-1][1]
        assert lesions.attenuation[lesions.infection].mean() > 0.01
        assert not lesions.attenuation[~lung].any()


def test_lesions_without_a_lung_are_refused() -> None:
    with pytest.raises(InputError, match="blank"):
        make_lesions(np.random.default_rng(0), np.zeros((64, 64), np.bool_), SUBTLE)


def test_a_lung_of_a_few_pixels_still_gets_its_lesion() -> None:
    lung = np.zeros((64, 64), np.bool_)
    lung[30, 30:33] = True
    assert make_lesions(np.random.default_rng(0), lung, SUBTLE).infection.any()


def test_lesions_set_into_a_film_brighten_it_where_the_truth_lies() -> None:
    healthy = make_phantom(np.random.default_rng(1), side_px=320, infected=False, preset=SUBTLE)
    film, truth = set_lesions(np.random.default_rng(2), healthy.film, healthy.lung, strength=0.4)
    gain = film.astype(float) - healthy.film
    assert truth.any()
    assert not (truth & ~healthy.lung).any()
    assert gain[truth].mean() > 5
    assert abs(gain[~healthy.lung].mean()) < 1


def test_strength_zero_leaves_the_film_but_for_the_noise_of_the_chain() -> None:
    healthy = make_phantom(np.random.default_rng(1), side_px=128, infected=False, preset=SUBTLE)
    film, truth = set_lesions(np.random.default_rng(2), healthy.film, healthy.lung, strength=0.0)
    gain = film.astype(float) - healthy.film
    assert not truth.any()
    assert 0 < np.abs(gain).max() <= 4
    assert abs(gain.mean()) < 0.1


def test_lesions_fit_a_film_that_is_not_square() -> None:
    film = np.full((1024, 850), 100, np.uint8)
    lung = np.zeros(film.shape, np.bool_)
    lung[200:800, 100:400] = True
    out, truth = set_lesions(np.random.default_rng(3), film, lung, strength=0.3)
    assert out.shape == truth.shape == film.shape
    assert truth.any()

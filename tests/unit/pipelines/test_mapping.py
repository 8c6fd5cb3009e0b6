from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from ml_backend.engine import N_RESIDENT
from pipelines.mapping import CHUNK, map_films
from pipelines.predicted_films import film_groups

N_FILMS = 2 * CHUNK + 3


@pytest.fixture
def groups(tmp_path):
    ramp = np.linspace(0, 255, 40 * 40).reshape(40, 40).astype(np.uint8)
    for i in range(N_FILMS):
        Image.fromarray(np.roll(ramp, i, axis=0)).save(tmp_path / f"f{i:02}.png")
    (tmp_path / "f05.png").write_bytes(b"no film")
    return film_groups(tmp_path)


def whole(films):
    return np.full(films.shape, 1.0, np.float32)


def nothing(films):
    return np.zeros(films.shape, np.float32)


def test_chunks_come_in_order_without_the_unreadable_film(groups):
    with ThreadPoolExecutor(2) as pool:
        chunks = [
            ([film.path.name for film in chunk.films], chunk.n_unread, list(chunk.problems))
            for chunk in map_films(iter(groups), [(32, whole)], pool)
        ]
    names = [f"f{i:02}.png" for i in range(N_FILMS) if i != 5]
    assert chunks == [(names[:7], 1, ["f05.png"]), (names[7:15], 0, []), (names[15:], 0, [])]


def test_the_next_chunk_is_read_while_the_first_is_computed(groups):
    """With one thread, what is submitted while a network works is done before what is submitted after it."""
    order: list[str] = []

    def forward(films):
        pool.submit(order.append, "computed").result()
        return whole(films)

    with ThreadPoolExecutor(1) as pool:
        submit = pool.submit

        def noting(function, *arguments):
            if arguments != ("computed",):
                order.append("read")
            return submit(function, *arguments)

        pool.submit = noting  # type: ignore[method-assign,assignment]
        list(map_films(iter(groups), [(32, forward)], pool))
    assert order[: 2 * CHUNK + 1] == ["read"] * 2 * CHUNK + ["computed"]


def test_where_networks_are_loaded_for_each_chunk_it_is_long(groups):
    ensemble = [(32, whole), *[(32, nothing)] * (N_RESIDENT + 1)]
    with ThreadPoolExecutor(2) as pool:
        _, chunk = map_films(iter(groups), ensemble, pool)  # the first is short: films might be large
    assert len(chunk.films) == N_FILMS - CHUNK > CHUNK
    np.testing.assert_allclose(chunk.maps, 1 / (N_RESIDENT + 2), atol=1e-6)
    assert chunk.maps.dtype == np.float32


def test_a_network_that_answers_for_too_few_films_is_no_network(groups):
    with ThreadPoolExecutor(2) as pool, pytest.raises(ValueError, match="zip"):
        next(map_films(iter(groups), [(32, lambda films: whole(films[1:]))], pool))

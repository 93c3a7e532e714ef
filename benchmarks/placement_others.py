"""Two simulated worlds of playlists to judge settings by that were chosen on others.

`eras`: playlists by genre, era and mood. Three latent moods a track shape eleven numbers through
squares, products, octave errors and many zeros; artists are active for some years; popularity
fades; lengths of playlists are log-normal. `scenes`: playlists by artists of neighbouring scenes.
Numbers say little, tags of one to three words are missing from two tracks in five, lengths follow
a power law, and artists' fame drifts over the years.

Each gives tracks, playlists as listens, and the day from which tracks are new.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Wide = NDArray[np.float64]
Ints = NDArray[np.int64]
World = tuple[pa.Table, pa.Table, date]

GENRES, SUBGENRES, SCENES = 6, 24, 40
NOW = 2021.0


def eras(count: int, new: int, seed: int = 11) -> World:
    """Playlists by genre, era and mood, of so many tracks of which so many are new."""
    rng = np.random.default_rng(seed)
    artist = artists_of_tracks(count, 1.7, rng)
    makers = int(artist.max()) + 1
    home = rng.integers(SUBGENRES, size=makers)
    sibling = home % GENRES + GENRES * rng.integers(SUBGENRES // GENRES, size=makers)
    style = np.where(rng.random(count) < 0.7, home[artist], sibling[artist])
    mood = 1.1 * rng.normal(size=(GENRES, 3))[style % GENRES]
    mood += 0.6 * rng.normal(size=(SUBGENRES, 3))[style]
    mood += 0.5 * rng.normal(size=(makers, 3))[artist] + 0.8 * rng.normal(size=(count, 3))
    began = NOW - rng.exponential(12, makers)[artist]
    years = np.minimum(began + rng.random(count) ** 0.7 * (NOW - began), NOW - 0.01)
    fame = np.log(rng.pareto(1.5, makers) + 0.2)[artist]
    fame += 0.8 * rng.normal(size=count) - 0.05 * (NOW - years)
    lists: list[Ints] = []
    for _ in range(300):
        own = rng.integers(SUBGENRES)
        middle, width = rng.uniform(1985, 2017), 7.0
        if rng.random() < 0.6:
            middle, width = NOW - rng.exponential(1.5), 2.0
        fit = 1.6 * (style == own) + 0.9 * (style % GENRES == own % GENRES) + 0.7 * fame
        centre = mood[rng.choice(np.flatnonzero(style == own))]
        fit -= ((mood - centre) ** 2).sum(axis=1) / 2 + ((years - middle) / width) ** 2 / 2
        loved = rng.choice(artist[style == own], 6)
        fit += 1.5 * np.isin(artist, loved) + rng.gumbel(size=count)
        lists.append(np.argsort(-fit)[: int(np.clip(rng.lognormal(np.log(40), 0.8), 8, 400))])
    return tables(artist, years, numbers_of_moods(mood, rng), None, lists, new)


def numbers_of_moods(mood: Wide, rng: np.random.Generator) -> dict[str, Wide]:
    """Eleven numbers of unlike shapes that three moods shape together."""
    a, b, c = mood.T
    count = len(mood)
    noise = rng.normal(size=(11, count))
    pace = 120 * 2 ** np.tanh(0.6 * a - 0.4 * b + 0.3 * noise[0])
    pace *= np.where(rng.random(count) < 0.15, 2.0, 1.0)
    columns = (
        1 / (1 + np.exp(-(a + 0.5 * b + 0.5 * noise[1]))),
        -9 + 4 * np.tanh(a + 0.4 * noise[2]),
        1 / (1 + np.exp(2 * a - c + 0.8 * noise[3])) ** 2,
        1 / (1 + np.exp(-(c - 0.4 * b**2 + 0.6 * noise[4]))),
        1 / (1 + np.exp(-(b * c + 0.5 * noise[5]))),
        pace,
        0.03 * np.exp(0.8 * np.abs(c - b) + 0.5 * noise[6]),
        np.where(b + 0.7 * noise[7] > 1.2, 1 / (1 + np.exp(-2 * noise[8])), 0.0),
        rng.integers(12, size=count).astype(float),
        (b + noise[9] > 0).astype(float),
        np.exp(12.2 + 0.25 * noise[10]),
    )
    return {f"feature{n}": np.asarray(column) for n, column in enumerate(columns)}


def scenes(count: int, new: int, seed: int = 12) -> World:
    """Playlists by artists of neighbouring scenes, of so many tracks of which so many are new."""
    rng = np.random.default_rng(seed)
    artist = artists_of_tracks(count, 1.5, rng)
    makers = int(artist.max()) + 1
    places = rng.normal(size=(SCENES, 2))
    scene = rng.integers(SCENES, size=makers)
    where = places[scene] + 0.25 * rng.normal(size=(makers, 2))
    years = np.minimum(NOW - rng.exponential(6, count), NOW - 0.01)
    fame, drift = np.log(rng.pareto(1.3, makers) + 0.2), 0.08 * rng.normal(size=makers)
    liked = fame[artist] + drift[artist] * (years - 2010) + 0.7 * rng.normal(size=count)
    lists: list[Ints] = []
    for _ in range(250):
        centre = places[rng.integers(SCENES)] + 0.2 * rng.normal(size=2)
        near = -((where - centre) ** 2).sum(axis=1) / (2 * 0.35**2)
        keen = near + 0.6 * fame + 1.6 * rng.gumbel(size=makers)
        fit = keen[artist] + 0.8 * liked + 1.2 * rng.gumbel(size=count)
        lists.append(np.argsort(-fit)[: int(np.clip(12 * (1 + rng.pareto(1.2)), 10, 400))])
    numbers = where[artist] @ rng.normal(size=(2, 8)) + 2.2 * rng.normal(size=(count, 8))
    columns = {f"feature{n}": column for n, column in enumerate(numbers.T)}
    return tables(artist, years, columns, tags_of(scene[artist], rng), lists, new)


def tags_of(scene: Ints, rng: np.random.Generator) -> list[list[str]]:
    """One to three words that a scene shares with others; none of two tracks in five."""
    words = rng.integers(60, size=(SCENES, 5))
    found = []
    for own in scene:
        count = 0 if rng.random() < 0.4 else rng.integers(1, 4)
        loose = rng.integers(60, size=count)
        drawn = np.where(rng.random(count) < 0.75, rng.choice(words[own], count), loose)
        found.append([f"word {n}" for n in drawn])
    return found


def artists_of_tracks(count: int, power: float, rng: np.random.Generator) -> Ints:
    """The artist of each track; how many tracks artists have follows a power law."""
    chances = rng.pareto(power, count // 3) + 0.4
    artist: Ints = rng.choice(len(chances), size=count, p=chances / chances.sum())
    return artist


def tables(
    artist: Ints,
    years: Wide,
    numbers: dict[str, Wide],
    tags: list[list[str]] | None,
    lists: Iterable[Ints],
    new: int,
) -> World:
    """What was made, as tables, and the day from which so many tracks are new."""
    days = [date(1970, 1, 1) + timedelta(days=int((year - 1970) * 365.2425)) for year in years]
    held = list(lists)
    columns = {
        "track_id": [f"t{n}" for n in range(len(artist))],
        "title": [f"song {n * 7919 % 4001}" for n in range(len(artist))],
        "artists": [[f"artist {n}"] for n in artist],
        "released": days,
        **numbers,
    }
    if tags is not None:
        columns["genres"] = tags
    playlists = {
        "user_id": [f"p{n}" for n, rows in enumerate(held) for _ in rows],
        "track_id": [f"t{row}" for rows in held for row in rows],
    }
    return pa.table(columns), pa.table(playlists), sorted(days)[-new]

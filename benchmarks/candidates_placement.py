"""New tracks placed into playlists: a simulator, and how a track encoder does on it.

    python benchmarks/candidates_placement.py [--worlds usual few … eras scenes] [--tracks 5000]

Nobody's music: tracks of artists in 24 styles, ten or twelve numbers of unlike scales that blur
style, artist and track, release dates; playlists that draw tracks near a centre of their own, of
one style, by favourite artists, and by how popular a track is, which nobody is told. The newest
440 tracks are asked for (`evaluate_candidates`, split "new-releases"): from the older tracks of a
playlist to its newer ones, Recall@10 among all new ones, by the generator as it is served, without
caps, and by the plain scorer of every candidate. The parameters were chosen so that the
baselines score about what they do on real playlists (numbers .27, numbers and artist .37); the
encoder's settings were chosen on these worlds, so its own numbers flatter.

Two worlds of another kind come from `placement_others.py`: a setting that wins on the first four
and loses there is not taken.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from placement_others import eras, scenes
from plotted import add_out, recalls, write_plot

from musicu.evaluation.recommendation import Findings, Protocol, evaluate_candidates
from musicu.pipeline.run import scan

STYLES, NEW = 24, 440
FIRST = date(1970, 1, 1)
BASELINES = ("random", "artist", "content-knn", "artist+content")
SERVED, UNCAPPED, PLAIN = "track-encoder", "track-encoder, no caps", "track-encoder, set fit"
MODELS = (*BASELINES, SERVED, UNCAPPED, PLAIN)
PLOTTED = {
    SERVED: "musicu, as served",
    PLAIN: "the best plain scorer",
    "artist+content": "artist and content",
    "content-knn": "content alone",
}


@dataclass(frozen=True)
class World:
    """What is simulated. each: tracks of an artist, on average. missing: share of the numbers."""

    seed: int
    lists: int = 220
    numbers: int = 10
    missing: float = 0.01
    each: int = 3
    noise: float = 0.9
    genres: bool = False


WORLDS = {
    "usual": World(0),
    "few": World(1, lists=100),
    "sparse": World(2, numbers=12, missing=0.2, each=6, noise=0.8),
    "genres": World(3, each=2, noise=1.0, genres=True),
}


OTHERS = {"eras": eras, "scenes": scenes}


def made(world: World, count: int) -> tuple[pa.Table, pa.Table, date]:
    """Tracks, playlists as listens, and the day from which tracks are new."""
    rng = np.random.default_rng(world.seed)
    centres = rng.normal(size=(6, world.numbers))[np.arange(STYLES) % 6]
    centres = centres + 0.8 * rng.normal(size=centres.shape)
    fame = rng.pareto(1.1, count // world.each) + 0.3
    fame = np.minimum(fame / fame.sum(), 0.004)
    fame /= fame.sum()
    artist = rng.choice(len(fame), size=count, p=fame)
    home, second = rng.integers(STYLES, size=(2, len(fame)))
    second = np.where(rng.random(len(fame)) < 0.3, second, home)
    style = np.where(rng.random(count) < 0.75, home[artist], second[artist])
    sound = centres[style] + 0.5 * rng.normal(size=(len(fame), world.numbers))[artist]
    sound += world.noise * rng.normal(size=sound.shape)
    years = 2021 - rng.exponential(9, size=count)
    released = [FIRST + timedelta(days=int((year - 1970) * 365.2425)) for year in years]
    lists = playlists(world, sound, style, artist, fame, centres, rng)
    columns = {
        "track_id": [f"t{n}" for n in range(count)],
        "title": [f"song {n}" for n in rng.integers(5000, size=count)],
        "artists": [[f"artist {n}"] for n in artist],
        "album": [
            f"album {n} {m}" for n, m in zip(artist, rng.integers(4, size=count), strict=True)
        ],
        "released": released,
        **told(sound, world.missing, rng),
    }
    if world.genres:
        columns["genres"] = [[f"genre {s % 6}"] if rng.random() < 0.8 else [] for s in style]
    return pa.table(columns), lists, sorted(released)[-NEW]


def playlists(
    world: World,
    sound: NDArray[np.float64],
    style: NDArray[np.int64],
    artist: NDArray[np.int64],
    fame: NDArray[np.float64],
    centres: NDArray[np.float64],
    rng: np.random.Generator,
) -> pa.Table:
    """A playlist a user: what fits best, and a few more by artists that are there already."""
    popular = 0.5 * np.log(rng.pareto(1.5, len(sound)) + 0.3) + 0.3 * np.log(fame[artist])
    users, tracks = [], []
    for number in range(world.lists):
        own = rng.integers(STYLES)
        centre = centres[own] + 0.4 * rng.normal(size=world.numbers)
        fit = popular - ((sound - centre) ** 2).sum(axis=1) / 6 + 1.6 * (style == own)
        fit += 1.5 * np.isin(artist, rng.choice(len(fame), 8, p=fame))
        fit += 0.9 * rng.gumbel(size=len(sound))
        chosen = np.argsort(-fit)[: rng.integers(40, 100)]
        known = np.unique(artist[chosen])
        again = rng.choice(known, max(1, len(known) // 5), replace=False)
        more = rng.permutation(np.flatnonzero(np.isin(artist, again)))[:12]
        held = np.union1d(chosen, more)
        users += [f"p{number}"] * len(held)
        tracks += [f"t{row}" for row in held]
    return pa.table({"user_id": users, "track_id": tracks})


def told(
    sound: NDArray[np.float64], missing: float, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """The numbers as a table has them: of unlike scales and shapes, some missing."""
    shapes = (
        lambda x: 1 / (1 + np.exp(-x)),
        lambda x: 1 / (1 + np.exp(-2 * x)),
        lambda x: 10 * x - 8,
        lambda x: np.exp(x / 2),
        lambda x: np.maximum(np.expm1((x - 0.7) / 2), 0),
        lambda x: 200_000 * np.exp(x / 5),
    )
    found = {f"number{n}": shapes[n % 6](column) for n, column in enumerate(sound.T)}
    return {n: np.where(rng.random(len(v)) < missing, np.nan, v) for n, v in found.items()}


def show(name: str, found: Findings, seconds: float) -> None:
    values = [found.value("recall", 10, model) or 0.0 for model in MODELS]
    print(
        f"{name:7s}", " ".join(f"{m} {v:.3f}" for m, v in zip(MODELS, values, strict=True)), end=" "
    )
    for row in found.to_table().to_pylist():
        overall = row["metric"] == "recall" and row["listeners"] == row["tracks"] == "all"
        if overall and (row["model"], row["baseline"]) == (SERVED, "artist+content"):
            low, high = row["diff_low"], row["diff_high"]
            print(f"ahead by {row['difference']:+.3f} [{low:+.3f}, {high:+.3f}]", end=" ")
    shares = (
        f"no caps {values[-2] / values[-1]:.3f} of set fit, served {values[-3] / values[-1]:.3f}"
    )
    print(f"{shares}, {seconds:.0f} s of processor time", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--worlds", nargs="+", choices=[*WORLDS, *OTHERS], default=[*WORLDS, *OTHERS]
    )
    parser.add_argument("--tracks", type=int, default=5000)
    add_out(parser)
    given = parser.parse_args()
    panels = {}
    for name in given.worlds:
        began = time.process_time()
        if name in OTHERS:
            tracks, lists, at = OTHERS[name](given.tracks, NEW)
        else:
            tracks, lists, at = made(WORLDS[name], given.tracks)
        with tempfile.TemporaryDirectory() as folder:
            catalog = scan(tracks, Path(folder) / "catalog").catalog
            protocol = Protocol(split="new-releases", at=at, ks=(10,))
            found = evaluate_candidates(catalog, lists, protocol, encoder=True, against=BASELINES)
        show(name, found, time.process_time() - began)
        panels[name] = recalls(found, 10, PLOTTED)
    if given.out:
        write_plot(
            given.out,
            "New tracks for playlists, in simulated worlds",
            "Recall@10 as `musicu evaluate candidates --split new-releases --encoder` scores.",
            panels,
            ours=[PLOTTED[SERVED]],
        )


if __name__ == "__main__":
    main()

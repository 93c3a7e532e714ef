"""The recipe of the audio model on artists it has not heard: the whole of it, fold by fold.

    python benchmarks/audio_folds.py CATALOG RECIPE WORK [--made MADE]

CATALOG is a catalog of labelled music (`musicu scan`; columns `artists`, `album` and, for the
protocol of other sources, `source`), RECIPE a TOML file as `musicu train audio` takes it, WORK a
folder for caches and checkpoints, so that a run that was stopped goes on, MADE a folder of
`python -m recipes.render_training_music`, for recipes that learn from made pieces. Artists are
cut into four folds. For each, the network, the whitening, the head and, beside them, the constants
of musicu-stats-v1 are made from the other three alone. Every recording of the fold is then a query.
Protocols (mean average precision, cosine; intervals are 95 %, paired, and draw artists):
  artist, album    among the recordings of the fold
  one source       among the recordings of the query's own source
  other albums     among all recordings that are not of the query's album
  other sources    among all recordings that are not of the query's source
Four networks of the shipped recipe take about half an hour on one core, the rest a quarter.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.bootstrap import Resamples, interval
from musicu.catalog.catalog import Catalog
from musicu.embeddings.cards import find_model
from musicu.embeddings.stats import project
from musicu.embeddings.training import train_audio, trainer
from musicu.embeddings.training.crops import CROPS
from musicu.embeddings.training.fitting import FitData, fit_encoder, measure_fit_data
from musicu.embeddings.training.from_catalog import tracks_of
from musicu.embeddings.training.pairs import Grouping
from musicu.embeddings.training.projection_head import head_vectors
from musicu.embeddings.training.recipe import TrainingRecipe, read_recipe
from musicu.embeddings.training.train_data import TrainingTrack, make_pool
from musicu.normalisation import unit_rows
from recipes.fit_stats import fit_constants, measure

Rows = NDArray[np.float64]
Mask = NDArray[np.bool_]
PROTOCOLS = ("artist", "album", "one source", "other albums", "other sources")
FOLDS, DRAWS = 4, 2000


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Average precision of every recording as query, NaN where nothing is relevant."""

    values: dict[str, Rows]

    @classmethod
    def empty(cls, n: int) -> Scores:
        return cls({name: np.full(n, np.nan) for name in PROTOCOLS})

    def add(self, vectors: NDArray[np.float32], known: Grouping, held: Mask) -> None:
        likeness = vectors @ vectors.T
        for query in np.flatnonzero(held):
            for name, (relevant, among) in questions(known, int(query), held).items():
                hits = relevant[among][np.argsort(-likeness[query, among], kind="stable")]
                if hits.any() and not hits.all():
                    ranks = np.flatnonzero(hits) + 1
                    self.values[name][query] = np.mean(np.arange(1, len(ranks) + 1) / ranks)


def questions(
    known: Grouping, query: int, held: Mask
) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """What is relevant to a query, and among what, bool [recordings] each."""
    others = np.arange(len(known)) != query
    artist = (known.artist == known.artist[query]) & (known.artist >= 0)
    album = (known.album == known.album[query]) & (known.album >= 0)
    source = (known.source == known.source[query]) & (known.source >= 0)
    return {
        "artist": (artist, others & held),
        "album": (album, others & held),
        "one source": (artist, others & source),
        "other albums": (artist, others & ~album),
        "other sources": (artist, others & ~source),
    }


def labelled_tracks(catalog: Catalog) -> list[TrainingTrack]:
    """The catalog's recordings with the albums of their tags alone, no folder for one."""
    albums = {row["track_id"]: row.get("album") for row in catalog.tracks().to_pylist()}
    return [replace(track, album=albums[track.track_id]) for track in tracks_of(catalog)]


def folds_of(tracks: list[TrainingTrack], seed: int = 0) -> NDArray[np.int64]:
    """The fold of each recording; one artist's are in one fold."""
    names = np.array([track.artist or "" for track in tracks])
    shuffled = np.random.default_rng(seed).permutation(np.unique(names))
    fold = {name: number % FOLDS for number, name in enumerate(shuffled)}
    return np.array([fold[name] for name in names])


def vectors_of(data: FitData, recipe: TrainingRecipe, work: Path) -> NDArray[np.float32]:
    """Train on what the data may be fitted to; unit vectors of everything, [crops, n, dim]."""
    learner = trainer.learn(trainer.new_learner(recipe), data.material, recipe, work, print)
    pooled = data.pool(learner.average, recipe)
    encoder = fit_encoder(learner.average.eval(), data, recipe, pooled)
    if encoder.constants is None:
        return encoder.whitening.apply(pooled)
    return head_vectors(encoder.constants, data.head_input(encoder, pooled))


def statistics_baseline(tracks: list[TrainingTrack], work: Path) -> Rows:
    """The statistics of musicu-stats-v1's windows, measured once."""
    kept = work / "baseline.npy"
    if not kept.is_file():
        np.save(kept, measure([t.path for t in tracks], find_model("musicu-stats-v1").windows))
    rows: Rows = np.load(kept)
    return rows


def baseline_vectors(rows: Rows, artists: list[str], held: Mask) -> NDArray[np.float32]:
    own = [artist for artist, out in zip(artists, held, strict=True) if not out]
    constants = fit_constants(rows[~held], own)
    return np.stack([project(row, constants) for row in rows])


def summary(values: Rows, artists: NDArray[np.int64], sign: str = "") -> str:
    known = np.isfinite(values)
    draws = Resamples(artists[known], DRAWS, 0).means(values[known])
    low, high = interval(draws) or (np.nan, np.nan)
    return f"{values[known].mean():{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def steadiness(vectors: NDArray[np.float32], held: Mask) -> NDArray[np.bool_]:
    """Whether the nearest other recording stays when a crop asks, bool [crops, held]."""
    stays = []
    for crop in vectors:
        likeness = crop @ vectors[0].T
        np.fill_diagonal(likeness, -2.0)
        stays.append(likeness.argmax(axis=1)[held])
    return np.stack(stays) == stays[0]


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("catalog", "recipe", "work"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--made", type=Path)
    options = parser.parse_args()
    tracks = labelled_tracks(Catalog.open(options.catalog))
    recipe = replace(read_recipe(options.recipe), held_out=0.0)
    read = train_audio._read
    whole, _ = train_audio.gather(tracks, recipe, options.work, read, options.made)
    known, folds = whole.real.grouping, folds_of(tracks)
    artists = np.where(known.artist >= 0, known.artist, 10**6 + np.arange(len(known)))
    rows = statistics_baseline(tracks, options.work)
    paths = [track.path for track in tracks]
    gathered = measure_fit_data(whole, recipe, options.work, paths, read, print)
    if len(gathered.recordings) < len(tracks):
        raise SystemExit("some recordings cannot be read or are too short: leave them out")
    ours, base, steady = Scores.empty(len(tracks)), Scores.empty(len(tracks)), []
    for fold in range(FOLDS):
        held, frames = folds == fold, trainer.long_frames(recipe)
        pool = make_pool(whole.real.cache, known, ~held, frames, recipe.balance, recipe.pairs)
        material = replace(whole, real=pool, held=np.flatnonzero(held))
        (options.work / f"fold{fold}").mkdir(exist_ok=True)
        vectors = vectors_of(
            replace(gathered, material=material), recipe, options.work / f"fold{fold}"
        )
        np.save(options.work / f"fold{fold}" / "vectors.npy", vectors)
        ours.add(vectors[0], known, held)
        steady.append(steadiness(vectors, held))
        names = [track.artist or "" for track in tracks]
        base.add(unit_rows(baseline_vectors(rows, names, held)), known, held)
    for name in PROTOCOLS:
        values, floor = ours.values[name], base.values[name]
        print(f"{name:14} {int(np.isfinite(values).sum())} queries")
        print(f"  the recipe      {summary(values, artists)}")
        print(f"  musicu-stats-v1 {summary(floor, artists)}")
        print(f"  difference      {summary(values - floor, artists, '+')}", flush=True)
    for crop, stays in zip(CROPS, np.concatenate(steady, axis=1), strict=True):
        print(f"nearest neighbour stays for {crop}: {stays.mean():.3f}")


if __name__ == "__main__":
    main()

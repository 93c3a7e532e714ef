"""What fine-tuning (`--init`) gains on sources that no part of a model was trained with.

    python benchmarks/audio_fine_tuning.py CATALOG RECIPE WORK [--networks] [--made MADE]

CATALOG, RECIPE, WORK and MADE are as for `audio_folds.py`. Sources (the column `source`) are dealt
to four folds of about equal size. For each, a model is made from the recordings of other sources
by other artists; then the fold is somebody's catalog, and the model is fine-tuned there three
times: with its artists, with its albums alone, and with nothing named. Without --networks the
model is its statistics and projection head, and only these are fine-tuned; with it, the recipe's
network stands beside them, is trained first, and then learns on for the steps of a run with
--init where names are known. --folds chooses some of the four.

First what the command itself says: its gain on label groups of the fold that it was not fitted
to, with the 95 % interval that decides. Then, for what came out when nothing was named, mean
average precision by the true labels, before and after, with 95 % intervals over artists.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from audio_folds import Scores, summary
from numpy.typing import NDArray

from musicu.catalog.catalog import Catalog
from musicu.embeddings.training import train_audio, trainer
from musicu.embeddings.training.adaptation import raw_vectors, smoothed
from musicu.embeddings.training.crops import CROPS
from musicu.embeddings.training.encoder_export import Encoder
from musicu.embeddings.training.fine_tuning import fine_tune
from musicu.embeddings.training.fitting import FitData, fit_encoder, measure_fit_data
from musicu.embeddings.training.from_catalog import tracks_of
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.pairs import Grouping
from musicu.embeddings.training.pooling import Whitening
from musicu.embeddings.training.projection_head import HeadInput, fit_head
from musicu.embeddings.training.recipe import TrainingRecipe, read_recipe
from musicu.embeddings.training.train_data import make_pool
from musicu.normalisation import unit_rows

FOLDS = 4
HELD_OUT = 0.15
PROTOCOLS = ("artist", "album", "other albums", "one source")


class StatisticsAlone(FitData):
    """Fit data for models without a network."""

    def pool(self, network: AudioNetwork, recipe: TrainingRecipe) -> NDArray[np.float32]:
        size = 2 * network.embed.in_features
        return np.zeros((len(self.crops), len(self.recordings), size), np.float32)


def source_folds(known: Grouping) -> NDArray[np.int64]:
    """The fold of each recording; a source is in one, the largest are dealt first."""
    _, codes, sizes = np.unique(known.source, return_inverse=True, return_counts=True)
    fold, filled = np.zeros(len(sizes), dtype=np.int64), np.zeros(FOLDS)
    for source in np.argsort(-sizes, kind="stable"):
        fold[source] = filled.argmin()
        filled[fold[source]] += sizes[source]
    return fold[codes]


def model_of(data: FitData, recipe: TrainingRecipe, work: Path | None) -> Encoder:
    """A model of what the data may be fitted to; without `work` of its statistics alone."""
    if work is not None:
        learner = trainer.learn(trainer.new_learner(recipe), data.material, recipe, work, print)
        return fit_encoder(learner.average.eval(), data, recipe)
    assert data.statistics is not None
    learns = data.learns
    silent = np.zeros((len(CROPS), int(learns.sum()), 0), np.float32)
    inputs = HeadInput(data.statistics[:, learns], silent, data.artists[learns])
    network = AudioNetwork(recipe.network)
    size = 2 * network.embed.in_features
    nothing = Whitening(np.zeros(size, np.float32), np.zeros((size, 0), np.float32))
    return Encoder(network.eval(), nothing, recipe, fit_head(inputs, recipe.head))


def named(known: Grouping, labels: str) -> Grouping:
    """What somebody's catalog says of its recordings."""
    none = np.full(len(known), -1)
    return Grouping(
        known.artist if labels == "artists" else none,
        known.album if labels != "nothing" else none,
        none,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("catalog", "recipe", "work"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--made", type=Path)
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(FOLDS)))
    options = parser.parse_args()
    tracks = tracks_of(Catalog.open(options.catalog))
    recipe = replace(read_recipe(options.recipe), held_out=0.0)
    if not options.networks:
        recipe = replace(recipe, rendered_share=0.0, head=replace(recipe.head, made=0.0))
    read = train_audio._read
    whole, _ = train_audio.gather(tracks, recipe, options.work, read, options.made)
    known, paths = whole.real.grouping, [track.path for track in tracks]
    gathered = measure_fit_data(whole, recipe, options.work, paths, read, print)
    folds, frames = source_folds(known), trainer.long_frames(recipe)
    before, after = Scores.empty(len(tracks)), Scores.empty(len(tracks))
    for fold in options.folds:
        mine = folds == fold
        artists = np.unique(known.artist[mine & (known.artist >= 0)])
        others = ~mine & ~np.isin(known.artist, artists)
        pool = make_pool(whole.real.cache, known, others, frames, recipe.balance, recipe.pairs)
        material = trainer.Material(pool, whole.made, np.flatnonzero(~others))
        work = options.work / f"sources{fold}" if options.networks else None
        if work is not None:
            work.mkdir(exist_ok=True)
        old = model_of(replace(gathered, material=material), recipe, work)
        for labels in ("artists", "albums", "nothing"):
            kept = ("network", "frames", "window_count", "vector_dim")
            own = replace(
                TrainingRecipe.fine_tuning(), **{name: getattr(recipe, name) for name in kept}
            )
            own = replace(own, statistics=True)
            data = catalog_of(gathered, known, mine, labels, own)
            if work is None:
                data = StatisticsAlone(data.material, data.recordings, data.statistics, data.crops)
            network = old.network
            if work is not None and labels != "nothing":
                learner = trainer.new_learner(own, old.network.state_dict())
                place = work / labels
                place.mkdir(exist_ok=True)
                learned = trainer.learn(learner, data.material, own, place, print)
                network = learned.average.eval()
            outcome = fine_tune(old, network, data, own)
            print(
                f"fold {fold}, {labels} named: {outcome.kept}; {outcome.gain.words()}", flush=True
            )
            if labels == "nothing":
                for encoder, scores in ((old, before), (outcome.encoder, after)):
                    add(scores, encoder, data, known, mine)
    groups = np.where(known.artist >= 0, known.artist, 10**6 + np.arange(len(known)))
    for name in PROTOCOLS:
        values = before.values[name], after.values[name]
        print(f"{name:14} {summary(values[0], groups)} -> {summary(values[1], groups)}, ", end="")
        print(summary(values[1] - values[0], groups, "+"), flush=True)


def catalog_of(
    gathered: FitData, known: Grouping, mine: NDArray[np.bool_], labels: str, recipe: TrainingRecipe
) -> FitData:
    """A fold as somebody's catalog: whole recordings, a part of them held out."""
    rows = np.flatnonzero(mine)
    hold = np.zeros(len(known), dtype=np.bool_)
    hold[np.random.default_rng(1).permutation(rows)[: round(HELD_OUT * len(rows))]] = True
    grouping, cache = named(known, labels), gathered.material.real.cache
    frames = trainer.long_frames(recipe)
    pool = make_pool(cache, grouping, mine & ~hold, frames, recipe.balance, recipe.pairs)
    material = trainer.Material(pool, None, np.flatnonzero(hold))
    assert gathered.statistics is not None
    crops = 3 if labels == "nothing" else 1
    return FitData(material, rows, gathered.statistics[:crops, mine], CROPS[:crops])


def add(
    scores: Scores, encoder: Encoder, data: FitData, known: Grouping, mine: NDArray[np.bool_]
) -> None:
    """Score an encoder by the true labels of a fold."""
    assert data.statistics is not None
    pooled = data.pool(encoder.network, encoder.recipe)[0]
    vectors = smoothed(encoder, raw_vectors(encoder, pooled, data.statistics[0]))
    everywhere = np.zeros((len(known), vectors.shape[1]), np.float32)
    everywhere[mine] = unit_rows(vectors)
    own = Scores.empty(len(known))
    own.add(everywhere, known, mine)
    for name in ("artist", "album", "one source"):
        scores.values[name][mine] = own.values[name][mine]
    # other albums of the fold: what is elsewhere is no part of this catalog
    apart = Scores.empty(int(mine.sum()))
    apart.add(everywhere[mine], known.take(np.flatnonzero(mine)), np.ones(mine.sum(), np.bool_))
    scores.values["other albums"][mine] = apart.values["other albums"]


if __name__ == "__main__":
    main()

"""What `--init` gains on sources that no part of a model has heard.

    python benchmarks/audio_going_on.py CATALOG RECIPE WORK [--networks]

CATALOG, RECIPE and WORK are as for `audio_folds.py`. Sources (the column `source`) are dealt to
four folds of about equal size. For each, a model is made from the recordings of other sources by
other artists; then the fold is somebody's catalog, and the model goes on there three times: with
its artists, with its albums alone, and with nothing named. Without --networks the model is its
statistics and map, and only these go on; with it, the recipe's network stands beside them, is
trained first, and then learns on for the steps of a run with --init where names are known.
--folds chooses some of the four.

First what the command itself says: its gain on groups of the fold whose names it was not told,
with the 95 % interval that decides. Then, for what came out when nothing was named, mean average
precision by the true labels, before and after, with 95 % intervals over artists.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from audio_folds import Scores, summary
from numpy.typing import NDArray

from musicu.catalog.catalog import Catalog
from musicu.embeddings.training import run, train
from musicu.embeddings.training.adapting import long_vectors, vectors_now
from musicu.embeddings.training.crops import CROPS
from musicu.embeddings.training.excerpts import Excerpts, take_excerpts
from musicu.embeddings.training.export import Encoder, windows_of
from musicu.embeddings.training.fine_tuning import go_on
from musicu.embeddings.training.finish import Finish
from musicu.embeddings.training.fitting import Evidence, fit_encoder, gather_evidence
from musicu.embeddings.training.from_catalog import tracks_of
from musicu.embeddings.training.head import Heard, fit_head
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.pairs import Grouping
from musicu.embeddings.training.train_config import Recipe, read_recipe
from musicu.embeddings.training.train_data import make_pool
from musicu.normalisation import unit_rows

FOLDS = 4
HELD_OUT = 0.15
PROTOCOLS = ("artist", "album", "other albums", "one source")


class Silent(Evidence):
    """Evidence for models without a network."""

    def summaries(self, network: AudioNetwork, recipe: Recipe) -> NDArray[np.float32]:
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


def model_of(evidence: Evidence, recipe: Recipe, work: Path | None) -> Encoder:
    """A model of what the evidence may learn from; without `work` of its statistics alone."""
    if work is not None:
        learner = train.learn(train.new_learner(recipe), evidence.material, recipe, work, print)
        return fit_encoder(learner.average.eval(), evidence, recipe)
    assert evidence.statistics is not None
    learns = evidence.learns
    silent = np.zeros((len(CROPS), int(learns.sum()), 0), np.float32)
    heard = Heard(evidence.statistics[:, learns], silent, evidence.artists[learns])
    network = AudioNetwork(recipe.network)
    size = 2 * network.embed.in_features
    nothing = Finish(np.zeros(size, np.float32), np.zeros((size, 0), np.float32))
    return Encoder(network.eval(), nothing, recipe, fit_head(heard, recipe.head))


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
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(FOLDS)))
    options = parser.parse_args()
    tracks = tracks_of(Catalog.open(options.catalog))
    recipe = replace(read_recipe(options.recipe), held_out=0.0)
    if not options.networks:
        recipe = replace(recipe, rendered_share=0.0)
    whole, _ = run.gather(tracks, recipe, options.work, run._read)
    known, paths = whole.real.grouping, [track.path for track in tracks]
    gathered = gather_evidence(whole, recipe, options.work, paths, run._read, print)
    folds, frames = source_folds(known), train.long_frames(recipe)
    before, after = Scores.empty(len(tracks)), Scores.empty(len(tracks))
    for fold in options.folds:
        mine = folds == fold
        artists = np.unique(known.artist[mine & (known.artist >= 0)])
        others = ~mine & ~np.isin(known.artist, artists)
        pool = make_pool(whole.real.cache, known, others, frames, recipe.balance, recipe.pairs)
        material = train.Material(pool, whole.made, np.flatnonzero(~others))
        work = options.work / f"sources{fold}" if options.networks else None
        if work is not None:
            work.mkdir(exist_ok=True)
        old = model_of(replace(gathered, material=material), recipe, work)
        for labels in ("artists", "albums", "nothing"):
            usual = Recipe.going_on()
            own = replace(
                usual, **{n: getattr(recipe, n) for n in ("network", "frames", "window_count")}
            )
            own = replace(own, vector_dim=recipe.vector_dim, statistics=True)
            evidence = catalog_of(gathered, known, mine, labels, own)
            if work is None:
                evidence = Silent(
                    evidence.material, evidence.recordings, evidence.statistics, evidence.crops
                )
            network = old.network
            if work is not None and labels != "nothing":
                learner = train.new_learner(own, old.network.state_dict())
                place = work / labels
                place.mkdir(exist_ok=True)
                learned = train.learn(learner, evidence.material, own, place, print)
                network = learned.average.eval()

            def take(rows: NDArray[np.int64], evidence: Evidence = evidence) -> Excerpts:
                files = [paths[recording] for recording in evidence.recordings[rows]]
                return take_excerpts(rows, files, run._read, windows_of(recipe), 1)

            outcome = go_on(old, network, evidence, own, take)
            print(
                f"fold {fold}, {labels} named: {outcome.kept}; {outcome.gain.words()}", flush=True
            )
            if labels == "nothing":
                for encoder, scores in ((old, before), (outcome.encoder, after)):
                    add(scores, encoder, evidence, known, mine)
    groups = np.where(known.artist >= 0, known.artist, 10**6 + np.arange(len(known)))
    for name in PROTOCOLS:
        values = before.values[name], after.values[name]
        print(f"{name:14} {summary(values[0], groups)} -> {summary(values[1], groups)}, ", end="")
        print(summary(values[1] - values[0], groups, "+"), flush=True)


def catalog_of(
    gathered: Evidence, known: Grouping, mine: NDArray[np.bool_], labels: str, recipe: Recipe
) -> Evidence:
    """A fold as somebody's catalog: whole recordings, a part of them held out."""
    rows = np.flatnonzero(mine)
    hold = np.zeros(len(known), dtype=np.bool_)
    hold[np.random.default_rng(1).permutation(rows)[: round(HELD_OUT * len(rows))]] = True
    grouping, cache = named(known, labels), gathered.material.real.cache
    frames = train.long_frames(recipe)
    pool = make_pool(cache, grouping, mine & ~hold, frames, recipe.balance, recipe.pairs)
    material = train.Material(pool, None, np.flatnonzero(hold))
    assert gathered.statistics is not None
    crops = 3 if labels == "nothing" else 1
    return Evidence(material, rows, gathered.statistics[:crops, mine], CROPS[:crops])


def add(
    scores: Scores, encoder: Encoder, evidence: Evidence, known: Grouping, mine: NDArray[np.bool_]
) -> None:
    """Score an encoder by the true labels of a fold."""
    assert evidence.statistics is not None
    summaries = evidence.summaries(encoder.network, encoder.recipe)[0]
    vectors = vectors_now(encoder, long_vectors(encoder, summaries, evidence.statistics[0]))
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

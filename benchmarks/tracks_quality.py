"""Track encoders against simpler ways, on artists that nobody has played yet.

    python benchmarks/tracks_quality.py HETREC [--splits 3] [--steps 3000]

HETREC is the folder of HetRec 2011 Last.fm (user_artists, artists, user_taggedartists, tags; .dat
or .dat.gz). Artists stand for tracks, the tags that people gave them for their content (how often,
but not by whom). A fifth of the artists, drawn at random, is held out whole: no play of them is
seen. Each listener's other artists ask for the held-out ones that they play.

Protocols. "new": the candidates are all held-out artists. "all": the candidates are all artists
that the listener has not played in training; the held-out ones are relevant, so warm artists can
only stand in the way. Recall@20 is hits over held-out artists of the listener, nDCG@20 has binary
gains; both averaged over listeners with any. Ties are broken by a draw that is the same for all.
Coverage is how many artists appear in any list. Intervals are 95 %, paired, and draw listeners.

Baselines: popularity is plays in training, and for held-out artists the number of their taggings
(nothing else is known of how popular they are). Tag neighbours: the played artists' likeness
(tf-idf cosine) to the candidate, its 20, 100 or all nearest, summed with log plays; the best of the
three is taken. Tag profile: cosine of the listener's summed tags. ALS: 64 factors, held-out artists
at the mean of all.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.bootstrap import Resamples, interval
from musicu.embeddings.tracks.als import fit_als
from musicu.embeddings.tracks.config import TrackConfig
from musicu.embeddings.tracks.fit import fit_tracks
from musicu.embeddings.tracks.track_features import FeatureSpace
from musicu.pipeline.run import scan
from musicu.ranking.set_fit import score_set

K, DRAWS, HELDOUT = 20, 2000, 0.2
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class World:
    """plays: csr [listeners, artists] of counts; artists: track_id, and tags as often as given."""

    plays: csr_matrix
    artists: pa.Table
    taggings: NDArray[np.int64]


def rows_of(folder: Path, name: str) -> list[list[str]]:
    path = folder / f"{name}.dat"
    packed = path.with_name(path.name + ".gz")
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    lines = data.decode("utf-8", "replace").splitlines()[1:]
    return [line.split("\t") for line in lines if line]


def read_world(folder: Path) -> World:
    plays = np.array([[int(cell) for cell in row] for row in rows_of(folder, "user_artists")])
    words = {row[0]: row[1] for row in rows_of(folder, "tags")}
    users, user = np.unique(plays[:, 0], return_inverse=True)
    artists, artist = np.unique(plays[:, 1], return_inverse=True)
    place = {int(name): i for i, name in enumerate(artists)}
    tags: list[list[str]] = [[] for _ in artists]
    for row in rows_of(folder, "user_taggedartists"):
        if int(row[1]) in place:
            tags[place[int(row[1])]].append(words[row[2]])
    table = pa.table(
        {"track_id": [str(a) for a in artists], "tags": pa.array(tags, pa.list_(pa.string()))}
    )
    shape = (len(users), len(artists))
    matrix = csr_matrix((plays[:, 2].astype(np.float32), (user, artist)), shape=shape)
    return World(matrix, table, np.array([len(t) for t in tags]))


def logged(plays: csr_matrix) -> csr_matrix:
    found = plays.copy()
    found.data = 1 + np.log(found.data)
    return found


def masked(matrix: csr_matrix, columns: NDArray[np.bool_]) -> csr_matrix:
    found = matrix.copy()
    found.data = found.data * columns[found.indices]
    found.eliminate_zeros()
    return found


def tag_ways(world: World, known: csr_matrix, heldout: NDArray[np.bool_]) -> dict[str, Scores]:
    """Scores float32 [listeners, artists] by tags alone."""
    space = FeatureSpace.fit(world.artists, None, 2, 50_000)
    tags = space.content(world.artists, None).blocks["tags"]
    profile = known @ tags
    length = np.sqrt(np.asarray(profile.multiply(profile).sum(axis=1)))
    found = {"tag profile": np.asarray((profile @ tags.T).todense()) / np.maximum(length, 1e-9)}
    likeness = np.asarray((tags @ tags.T).todense())
    likeness[:, heldout] = 0
    for count in (20, 100, 0):
        kept = likeness
        if count:
            floor = np.partition(likeness, -count, axis=1)[:, -count, None]
            kept = np.where(likeness >= floor, likeness, 0)
        found[f"tag neighbours {count or 'all'}"] = np.asarray(known @ kept.T)
    return {name: scores.astype(np.float32) for name, scores in found.items()}


def plain_ways(world: World, known: csr_matrix, heldout: NDArray[np.bool_]) -> dict[str, Scores]:
    listeners = known.shape[0]
    counts = np.bincount(known.indices, minlength=len(heldout)).astype(np.float32)
    share = counts.sum() / max(1, world.taggings[~heldout].sum())
    popularity = np.where(heldout, world.taggings * share, counts).astype(np.float32)
    users, items = fit_als(known, 64, regularisation=10.0)
    items[heldout] = items[~heldout].mean(axis=0)
    return {"popularity": np.tile(popularity, (listeners, 1)), "ALS, mean": users @ items.T}


def learned_ways(
    world: World, known: csr_matrix, heldout: NDArray[np.bool_], config: TrackConfig
) -> dict[str, Scores]:
    """The track encoder, by the listener's mean vector, and by `score_set` for new artists."""
    entry = known.tocoo()
    ids = world.artists["track_id"].combine_chunks()
    listens = pa.table(
        {
            "user_id": [str(u) for u in entry.row],
            "track_id": ids.take(pa.array(entry.col)),
            "weight": np.exp(entry.data - 1),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        catalog = scan(world.artists, Path(folder) / "catalog").catalog
        encoder = fit_tracks(catalog, listens=listens, config=config)
        found = encoder.encode(catalog.tracks())
        heard = encoder.encode(catalog.tracks(), listened=True)
    print(encoder.about.get("scores"))
    place = {track_id: i for i, track_id in enumerate(ids.to_pylist())}
    vectors, own = np.zeros((2, len(ids), encoder.dim), np.float32)
    vectors[[place[track_id] for track_id in found.ids]] = found.values
    own[[place[track_id] for track_id in heard.ids]] = heard.values
    means = np.asarray(known @ own)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    sets, new = np.zeros((known.shape[0], len(ids)), np.float32), vectors[heldout]
    for user in range(known.shape[0]):
        part = slice(known.indptr[user], known.indptr[user + 1])
        if part.stop > part.start:
            members = own[known.indices[part]]
            sets[user, heldout] = score_set(members, new, weights=known.data[part])
    return {"track encoder": means @ vectors.T, "track encoder, score_set": sets}


@dataclass(frozen=True)
class Answers:
    """recall and ndcg float64 [listeners who ask]; coverage: artists in any list."""

    recall: NDArray[np.float64]
    ndcg: NDArray[np.float64]
    coverage: int


def measure(scores: Scores, wanted: csr_matrix, barred: csr_matrix | None, only: NDArray[np.bool_],
            ties: NDArray[np.float64]) -> Answers:  # fmt: skip
    discount = 1 / np.log2(np.arange(2, K + 2))
    recall, ndcg, seen = [], [], set()
    for user in np.flatnonzero(np.diff(wanted.indptr)):
        row = np.where(only, scores[user] + ties, -np.inf)
        if barred is not None:
            row[barred.indices[barred.indptr[user] : barred.indptr[user + 1]]] = -np.inf
        first = np.argpartition(-row, K)[:K]
        first = first[np.argsort(-row[first])]
        relevant = wanted.indices[wanted.indptr[user] : wanted.indptr[user + 1]]
        hits = np.isin(first, relevant)
        recall.append(hits.sum() / len(relevant))
        ndcg.append(hits @ discount / discount[: min(K, len(relevant))].sum())
        seen.update(first.tolist())
    return Answers(np.array(recall), np.array(ndcg), len(seen))


def report(protocol: str, splits: list[Mapping[str, Answers]]) -> None:
    ours = "track encoder"
    users = np.concatenate([np.arange(len(split[ours].recall)) for split in splits])
    draws = Resamples(users, DRAWS, 0)
    print(f"\n{protocol}: Recall@{K}, nDCG@{K}, coverage; the encoder minus it")
    for way in splits[0]:
        line = f"{way:28s}"
        for metric in ("recall", "ndcg"):
            theirs = np.concatenate([getattr(split[way], metric) for split in splits])
            mine = np.concatenate([getattr(split[ours], metric) for split in splits])
            low, high = interval(draws.means(mine - theirs)) or (0.0, 0.0)
            line += (
                f"  {theirs.mean():.4f} ({(mine - theirs).mean():+.4f} [{low:+.4f}, {high:+.4f}])"
            )
        print(line, f" {np.mean([split[way].coverage for split in splits]):.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--steps", type=int, default=TrackConfig().steps)
    options = parser.parse_args()
    world = read_world(options.folder)
    found: dict[str, list[Mapping[str, Answers]]] = {"new": [], "all": []}
    for seed in range(options.splits):
        rng = np.random.default_rng(seed)
        config = TrackConfig(steps=options.steps, seed=seed)
        artists = world.plays.shape[1]
        heldout = np.zeros(artists, bool)
        heldout[rng.permutation(artists)[: int(HELDOUT * artists)]] = True
        ties = rng.random(artists) * 1e-6
        plays = logged(world.plays)
        known, wanted = masked(plays, ~heldout), masked(plays, heldout)
        ways = plain_ways(world, known, heldout) | tag_ways(world, known, heldout)
        ways |= learned_ways(world, known, heldout, config)
        everyone = np.ones(artists, bool)
        for protocol, barred, only in (("new", None, heldout), ("all", known, everyone)):
            split = {
                name: measure(scores, wanted, barred, only, ties)
                for name, scores in ways.items()
                if protocol == "new" or not name.endswith("score_set")
            }
            found[protocol].append(split)
    for protocol, splits in found.items():
        report(protocol, splits)


if __name__ == "__main__":
    main()

"""The shipped models beside other systems on music that no part of them has heard.

    python benchmarks/audio_elsewhere.py SOURCE WORK [--root FOLDER] [--model MODEL] [--losses N]

SOURCE is a folder of tagged music, or a table with paths, artists, albums and sources (as `musicu
embed` takes it), by artists whom no model learned from. It is for measuring alone: nothing that
is chosen or fitted in a model may look at it. WORK keeps the catalog and the peers' numbers, so
that a run that was stopped goes on. A model of one's own that went on from a shipped one is
another --model, its folder. --losses shows the artists for whom the first model is furthest behind,
and what each system finds. librosa and Essentia are heard where they are installed
(`elsewhere_peers.py` hears them in an environment of their own); recordings that one of them has
not heard are left out for all.

Mean average precision by the protocols of `musicu evaluate`, 95 % intervals that draw artists, the
mean in which each artist weighs the same, and the paired difference of the first model to each
other. Our models know nothing of these recordings. A peer is standardised by these very
recordings, in the one of four ways with the best mean by artist, which favours it.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
from elsewhere_peers import PEERS, hear_missing, kept_at
from numpy.typing import NDArray
from stats_quality import PEER_FITS

from musicu.catalog.catalog import Catalog
from musicu.evaluation.bootstrap import Resamples, interval
from musicu.evaluation.labels import Labels
from musicu.evaluation.protocols import RETRIEVAL, Retrieval, score_queries
from musicu.evaluation.ranking import Matrix, nearest, unit_rows
from musicu.pipeline.run import EmbedOptions, embed

Rows = NDArray[np.float64]
SHIPPED = ("musicu-audio-v1", "musicu-stats-v1")
BY_ARTIST = RETRIEVAL[0]
ASKED = tuple(protocol for protocol in RETRIEVAL if "genre" not in protocol.name)
DRAWS, NEAREST = 2000, 3


def peer_rows(folder: Path, names: list[str], files: dict[str, Path]) -> dict[str, dict[str, Rows]]:
    """By peer and track, the numbers of those that have heard anything; hears what is missing."""
    found = {}
    for name in names:
        if find_spec(name):
            hear_missing(name, list(files.values()), folder)
        kept = {one: kept_at(folder, name, path) for one, path in files.items()}
        found[name] = {one: np.load(path) for one, path in kept.items() if path.is_file()}
    return {name: rows for name, rows in found.items() if rows}


def precision(
    models: list[Matrix], labels: Labels, protocol: Retrieval
) -> tuple[NDArray[np.int64], Rows]:
    """The rows of the queries, and their average precision, float64 [queries, models]."""
    found = score_queries(models, labels, [protocol])[0]
    which = protocol.metrics.index("mean average precision")
    return found.rows, found.values[:, :, which]


def best_of(rows: Rows, labels: Labels) -> tuple[str, Matrix]:
    """A peer's vectors, standardised in the way that finds artists best."""
    artists = [""] * len(rows)
    tried = {name: unit_rows(fit(rows, artists)(rows)) for name, fit in PEER_FITS.items()}
    scores = precision(list(tried.values()), labels, BY_ARTIST)[1].mean(axis=0)
    best = list(tried)[int(scores.argmax())]
    return f"({best})", tried[best]


def all_vectors(
    catalog: Catalog, work: Path, names: list[str]
) -> tuple[pa.Table, dict[str, Matrix]]:
    """The recordings that every system has heard, and each system's unit vectors of them."""
    tracks = catalog.tracks()
    ids = tracks["track_id"].to_pylist()
    peers = peer_rows(work / "peers", names, {one: catalog.file(one) for one in ids})
    ours = {}
    for name in catalog.models():
        known = catalog.vectors(name)
        ours[name] = dict(zip(known.ids, known.values, strict=True))
    everyone = [*ours.values(), *peers.values()]
    heard = [one for one in ids if all(one in rows for rows in everyone)]
    chosen = pa.array([ids.index(one) for one in heard], pa.int64())
    tracks = tracks.take(chosen)
    labels = Labels.of(tracks)
    vectors = {name: unit_rows(np.stack([r[one] for one in heard])) for name, r in ours.items()}
    for name, rows in peers.items():
        how, vectors[name] = best_of(np.stack([rows[one] for one in heard]), labels)
        print(f"{name} {how}, {len(rows[heard[0]])} numbers")
    return tracks, vectors


def compare(tracks: pa.Table, vectors: dict[str, Matrix]) -> None:
    labels = Labels.of(tracks)
    for protocol in ASKED:
        rows, values = precision(list(vectors.values()), labels, protocol)
        if len(rows) == 0:
            print(f"{protocol.name}: nothing to ask")
            continue
        artists = np.unique(labels.clusters[rows], return_inverse=True)[1]
        drawn = Resamples(artists, DRAWS, 0)
        print(f"{protocol.name}, {len(rows)} queries, {artists.max() + 1} artists")
        for name, column in zip(vectors, values.T, strict=True):
            each = np.bincount(artists, column) / np.bincount(artists)
            print(
                f"  {name:16} {_with_interval(column, drawn)}  each artist {each.mean():.3f}  "
                f"first minus it {_with_interval(values[:, 0] - column, drawn, '+')}"
            )


def losses(tracks: pa.Table, vectors: dict[str, Matrix], count: int) -> None:
    """The artists for whom the first model is furthest behind the best other, and what it finds."""
    labels, table = Labels.of(tracks), tracks.to_pylist()
    rows, values = precision(list(vectors.values()), labels, BY_ARTIST)
    artists = labels.clusters[rows]
    behind = {a: (values[artists == a].mean(axis=0)) for a in np.unique(artists)}
    for artist in sorted(behind, key=lambda a: behind[a][0] - behind[a][1:].max())[:count]:
        mine = rows[artists == artist]
        query = mine[int(np.argmin(values[artists == artist, 0]))]
        means = ", ".join(f"{n} {v:.2f}" for n, v in zip(vectors, behind[artist], strict=True))
        print(f"{_words(table[query])}: of {len(mine)} queries {means}")
        for name, known in vectors.items():
            likeness = known @ known[query]
            likeness[query] = -2.0
            first = nearest(likeness[None], NEAREST)[0]
            print(f"    {name}: " + "; ".join(_words(table[row]) for row in first))


def _with_interval(values: Rows, drawn: Resamples, sign: str = "") -> str:
    low, high = interval(drawn.means(values)) or (np.nan, np.nan)
    return f"{values.mean():{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def _words(track: dict[str, list[str] | str | None]) -> str:
    return f"{(track['artists'] or ['?'])[0]} - {track['title']}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", nargs="+", default=[], help="further models, names or folders")
    parser.add_argument("--root", type=Path, help="what a table's paths are relative to")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--losses", type=int, default=0, help="show so many artists that are lost")
    options = parser.parse_args()
    for model in (*SHIPPED, *options.model):
        place = options.work / "catalog"
        catalog = embed(options.source, place, model=model, options=EmbedOptions(root=options.root))
    tracks, vectors = all_vectors(catalog, options.work, options.peers)
    first = SHIPPED[0]
    vectors = {first: vectors[first], **vectors}
    print(f"{tracks.num_rows} recordings")
    compare(tracks, vectors)
    losses(tracks, vectors, options.losses)


if __name__ == "__main__":
    main()

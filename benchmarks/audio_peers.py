"""The audio model beside other systems, on artists that no part of it has heard.

    python benchmarks/audio_peers.py CATALOG WORK PEERS

CATALOG and WORK are those of `audio_folds.py`, which has left each fold's vectors in WORK. PEERS
is a Parquet file with a `path` column (as in the catalog's tracks) and one column of fixed-size
lists a system, for some of the recordings; only those are queries and answers here. Protocols and
intervals are those of `audio_folds.py`. A peer's standardisation is fitted on the other folds, and
of four ways the one with the best mean over artists' queries is taken, on the very numbers that
are reported.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from audio_folds import (
    FOLDS,
    PROTOCOLS,
    Mask,
    Rows,
    Scores,
    folds_of,
    labelled_tracks,
    summary,
)
from numpy.typing import NDArray
from stats_quality import PEER_FITS, Fit

from musicu.catalog.catalog import Catalog
from musicu.embeddings.training.pairs import Grouping
from musicu.embeddings.training.train_data import group


def ours(work: Path, known: Grouping, folds: NDArray[np.int64], chosen: Mask) -> Scores:
    """The recipe's vectors, each fold's from the model of the others."""
    found = Scores.empty(len(known))
    for fold in range(FOLDS):
        vectors = np.load(work / f"fold{fold}" / "vectors.npy")[0, chosen]
        found.add(vectors, known, folds == fold)
    return found


def theirs(rows: Rows, known: Grouping, folds: NDArray[np.int64], fit: Fit) -> Scores:
    """A peer's vectors, standardised by the other folds."""
    found = Scores.empty(len(known))
    for fold in range(FOLDS):
        held = folds == fold
        vectors = fit(rows[~held], [""] * int((~held).sum()))(rows)
        found.add(vectors.astype(np.float32), known, held)
    return found


def best_of(rows: Rows, known: Grouping, folds: NDArray[np.int64]) -> tuple[str, Scores]:
    tried = {name: theirs(rows, known, folds, fit) for name, fit in PEER_FITS.items()}
    best = max(tried, key=lambda name: float(np.nanmean(tried[name].values["artist"])))
    return best, tried[best]


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("catalog", "work", "peers"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    catalog = Catalog.open(options.catalog)
    tracks = labelled_tracks(catalog)
    table = catalog.tracks().select(["track_id", "path"]).to_pylist()
    path_of = {row["track_id"]: row["path"] for row in table}
    peers = pq.read_table(options.peers)
    at = {path: row for row, path in enumerate(peers["path"].to_pylist())}
    chosen = np.array([path_of[track.track_id] in at for track in tracks])
    folds = folds_of(tracks)[chosen]
    some = [track for track, taken in zip(tracks, chosen, strict=True) if taken]
    known = group(some)
    artists = np.where(known.artist >= 0, known.artist, 10**6 + np.arange(len(known)))
    model = ours(options.work, known, folds, chosen)
    print(f"{len(some)} recordings")
    for protocol in PROTOCOLS:
        print(f"  {protocol:14} {summary(model.values[protocol], artists)}")
    rows = [at[path_of[track.track_id]] for track in some]
    for name in (column for column in peers.column_names if column != "path"):
        column = np.stack(peers[name].to_numpy(zero_copy_only=False)).astype(np.float64)
        how, peer = best_of(np.nan_to_num(column[rows]), known, folds)
        print(f"{name} ({how}); the recipe minus {name}")
        for protocol in PROTOCOLS:
            values, floor = model.values[protocol], peer.values[protocol]
            print(
                f"  {protocol:14} {summary(floor, artists)}  "
                f"{summary(values - floor, artists, '+')}",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""How much of a recording need be heard: statistics refitted for every choice of windows.

    python benchmarks/audio_windows.py CATALOG WORK [--windows all 24x4.14 16x4.14 24x2.7 12x4.14]

CATALOG is a catalog of labelled music, WORK a folder that keeps what was measured. For each choice
(windows x seconds, or "all": the whole recording) the statistics of all recordings are measured,
and the map of `embeddings/training/head.py` is fitted to them, without a network and told of
artists alone, on three of four folds of artists; in three ways of cutting folds. Protocols and
intervals are those of `audio_folds.py`; differences are to the first choice.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from audio_folds import FOLDS, PROTOCOLS, Rows, Scores, folds_of, labelled_tracks, summary

from musicu.audio import read_audio
from musicu.catalog.catalog import Catalog
from musicu.embeddings.frontend import SAMPLE_RATE
from musicu.embeddings.stats import flat_statistics
from musicu.embeddings.training.projection_head import HeadConfig, HeadInput, fit_head, head_vectors
from musicu.embeddings.training.train_data import TrainingTrack, group
from musicu.records import Windows

SEEDS = 3


def statistics(tracks: list[TrainingTrack], choice: str, work: Path) -> Rows:
    """The statistics of all recordings, heard so, float64 [recordings, S]; measured once."""
    kept = work / f"windows-{choice}.npy"
    if not kept.is_file():
        windows = None
        if choice != "all":
            count, seconds = choice.split("x")
            windows = Windows(float(seconds), int(count))
        audios = (read_audio(track.path, SAMPLE_RATE, windows) for track in tracks)
        np.save(kept, np.stack([flat_statistics(audio) for audio in audios]))
    rows: Rows = np.load(kept)
    return rows


def score(rows: Rows, tracks: list[TrainingTrack]) -> dict[str, Rows]:
    """Average precision of every recording as query, the mean of SEEDS ways of cutting folds."""
    known = group(tracks)
    nothing = np.zeros((2, len(rows), 0), np.float32)
    heard = HeadInput(np.stack([rows, rows]), nothing, known.artist)  # a crop that is the whole
    tried = []
    for seed in range(SEEDS):
        found, folds = Scores.empty(len(rows)), folds_of(tracks, seed)
        for fold in range(FOLDS):
            held = folds == fold
            constants = fit_head(heard.take(~held), HeadConfig())
            found.add(head_vectors(constants, heard)[0], known, held)
        tried.append(found.values)
    return {name: np.mean([values[name] for values in tried], axis=0) for name in PROTOCOLS}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("catalog", type=Path)
    parser.add_argument("work", type=Path)
    usual = ["all", "24x4.14", "16x4.14", "24x2.7", "12x4.14"]
    parser.add_argument("--windows", nargs="+", default=usual)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    tracks = labelled_tracks(Catalog.open(options.catalog))
    artist = group(tracks).artist
    artists = np.where(artist >= 0, artist, 10**6 + np.arange(len(artist)))
    first: dict[str, Rows] = {}
    for choice in options.windows:
        found = score(statistics(tracks, choice, options.work), tracks)
        first = first or found
        print(choice)
        for name in PROTOCOLS:
            less = summary(found[name] - first[name], artists, "+")
            print(f"  {name:14} {summary(found[name], artists)}  {less}", flush=True)


if __name__ == "__main__":
    main()

"""What the songs network adds for instrumental artists that the other half has not heard.

    python benchmarks/audio_songs_folds.py MUSIC WORK [--model musicu-audio-v2]

MUSIC is a folder of labelled recordings with a `tracks.csv`, WORK that of
`recipes.audio_v2.combine`, which keeps what is measured once. Protocols, folds of artists and
intervals are those of `audio_folds.py`. The statistics and their constants are fitted to three
folds; the songs network, which no label had a part in, is the model's, and so is not made anew:
it has had sound of every recording in its views. One map over both is fitted to three folds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from audio_folds import FOLDS, PROTOCOLS, Rows, Scores, summary
from numpy.typing import NDArray

from musicu.audio import read_audio
from musicu.embeddings.embedder import Embedder
from musicu.embeddings.onnx_embedder import AudioEmbedder
from musicu.embeddings.songs import floored
from musicu.embeddings.stats import flat_statistics, project
from musicu.embeddings.training.pairs import Grouping, as_numbers
from musicu.features.powers import sum_up
from musicu.normalisation import unit_rows
from recipes.audio_v2.combine import fit_map, measure_music
from recipes.fit_stats import fit_constants, read_tracks


def folds_of(artists: list[str]) -> NDArray[np.int64]:
    """The fold of each recording; one artist's are in one fold."""
    names = np.random.default_rng(0).permutation(np.unique(artists))
    fold = {name: number % FOLDS for number, name in enumerate(names)}
    return np.array([fold[name] for name in artists])


def songs_numbers(embedder: AudioEmbedder, music: Path, work: Path) -> Rows:
    """The songs network's numbers of every recording, float64 [n, numbers]."""
    assert embedder.songs is not None
    measured = measure_music(music, work)
    ends = np.cumsum(measured.counts)
    inputs = (
        measured.inputs[end - count : end].astype(np.float32)
        for end, count in zip(ends, measured.counts, strict=True)
    )
    return np.stack([embedder.songs.numbers([each]) for each in inputs]).astype(np.float64)


def statistics(embedder: AudioEmbedder, music: Path, work: Path) -> Rows:
    """The statistics of every recording, measured once."""
    kept = work / "statistics.npy"
    if not kept.is_file():
        assert embedder.songs is not None
        floor_db, found = embedder.songs.last.reading.floor_db, []
        for row in read_tracks(music):
            audio = read_audio(music / row["path"], embedder.sample_rate, embedder.windows)
            sums = [sum_up(power) for power in floored(audio, floor_db)]
            found.append(flat_statistics(audio, sums))
        np.save(kept, np.stack(found))
    rows: Rows = np.load(kept)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("music", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", default="musicu-audio-v2")
    options = parser.parse_args()
    embedder = Embedder.load(options.model)
    assert isinstance(embedder, AudioEmbedder)
    tracks = read_tracks(options.music)
    artists = [row["artist"] for row in tracks]
    albums = [f"{row['artist']}\0{row['album']}" if row["album"] else "" for row in tracks]
    known = Grouping(*map(as_numbers, (artists, albums, [row["source_repo"] for row in tracks])))
    rows = statistics(embedder, options.music, options.work)
    songs, folds = songs_numbers(embedder, options.music, options.work), folds_of(artists)
    alone, both = Scores.empty(len(tracks)), Scores.empty(len(tracks))
    for fold in range(FOLDS):
        held = folds == fold
        own = [artist for artist, out in zip(artists, held, strict=True) if not out]
        constants = fit_constants(rows[~held], own)
        vectors = unit_rows(np.stack([project(row, constants) for row in rows]))
        last = fit_map(vectors[~held].astype(np.float64), songs[~held], songs[~held])
        joined = unit_rows(last.apply(vectors.astype(np.float32), songs.astype(np.float32)))
        alone.add(vectors.astype(np.float32), known, held)
        both.add(joined.astype(np.float32), known, held)
    groups = as_numbers(artists)
    groups = np.where(groups >= 0, groups, 10**6 + np.arange(len(groups)))
    for name in PROTOCOLS:
        values, floor = both.values[name], alone.values[name]
        print(f"{name:14} {int(np.isfinite(values).sum())} queries")
        print(f"  the statistics        {summary(floor, groups)}")
        print(f"  with the songs network {summary(values, groups)}")
        print(f"  difference            {summary(values - floor, groups, '+')}", flush=True)


if __name__ == "__main__":
    main()

"""A model by how much of each recording it hears: retrieval beside cost.

    python benchmarks/audio_quality.py CATALOG [--model NAME] [--windows 24x4.14 12x4.14 6x5 all]

CATALOG is a catalog of labelled music (`musicu scan` makes one from a folder or a table). The
model hears each recording in so many windows of so many seconds, or the whole of it ("all", which
costs memory), with everything else as shipped, and so does musicu-stats-v1, once, as shipped.
Mean average precision, with 95 % intervals that draw artists, against the first setting; processor
time a recording, of decoding and of the vector. Measure on music that the model was not made from,
or read the numbers as differences only. OMP_NUM_THREADS=1 keeps the times comparable.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.audio import read_audio
from musicu.bootstrap import Resamples, interval
from musicu.catalog.catalog import Catalog
from musicu.embeddings.embedder import Embedder
from musicu.evaluation.labels import TrackLabels
from musicu.evaluation.vectors.protocols import RETRIEVAL, score_queries
from musicu.records import Windows

WHOLE = Windows(3600.0, 1)
DRAWS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Vectors of all recordings, and the mean seconds of processor time that each took."""

    name: str
    vectors: NDArray[np.float32]
    decoding: float
    embedding: float


def hear(name: str, model: str, windows: Windows | None, paths: list[Path]) -> Heard:
    """Embed recordings with a model's own windows, or with others."""
    embedder = Embedder.load(model)
    if windows is not None:
        embedder.card = replace(embedder.card, windows=windows)
    vectors, decoding, embedding = [], 0.0, 0.0
    for path in paths:
        began = time.process_time()
        audio = read_audio(path, embedder.sample_rate, embedder.windows)
        decoded = time.process_time()
        vectors.append(embedder.embed(audio))
        decoding += decoded - began
        embedding += time.process_time() - decoded
    return Heard(name, np.stack(vectors), decoding / len(paths), embedding / len(paths))


def windows_of(text: str) -> Windows:
    """`24x4.14` or `all`."""
    if text == "all":
        return WHOLE
    count, seconds = text.split("x")
    return Windows(float(seconds), int(count))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--model", default="musicu-audio-v1")
    parser.add_argument("--windows", nargs="+", default=["24x4.14", "16x4.14", "12x4.14", "6x5"])
    parser.add_argument("--every", type=int, default=1, help="hear only every so-manieth recording")
    options = parser.parse_args()
    catalog = Catalog.open(options.catalog)
    tracks = catalog.tracks()
    rows = np.arange(0, tracks.num_rows, options.every)
    tracks = tracks.take(rows)
    paths = [catalog.file(track) for track in tracks["track_id"].to_pylist()]
    settings = [(text, options.model, windows_of(text)) for text in options.windows]
    heard = [hear(*setting, paths) for setting in settings]
    heard.append(hear("musicu-stats-v1", "musicu-stats-v1", None, paths))
    for h in heard:
        print(f"{h.name:16} decoding {h.decoding:.3f} s, vector {h.embedding:.3f} s")
    labels = TrackLabels.of(tracks)
    for protocol, found in zip(
        RETRIEVAL, score_queries([h.vectors for h in heard], labels, RETRIEVAL), strict=True
    ):
        if len(found.rows) == 0:
            print(f"{protocol.name}: nothing to ask")
            continue
        which = protocol.metrics.index("mean average precision")
        precision = found.values[:, :, which]
        print(f"{protocol.name}, {len(precision)} queries")
        for h, values in zip(heard, precision.T, strict=True):
            draws = Resamples(labels.clusters[found.rows], DRAWS, 0).means(values - precision[:, 0])
            low, high = interval(draws) or (np.nan, np.nan)
            less = (values - precision[:, 0]).mean()
            print(f"  {h.name:16} {values.mean():.3f}  {less:+.3f} [{low:+.3f}, {high:+.3f}]")


if __name__ == "__main__":
    main()

"""Robustness: whether a recording keeps its neighbours under perturbations.

Conventions: the vector of a perturbed recording queries the catalog's vectors. Its neighbours,
without the recording itself, are compared with those of the unchanged recording. The rank of the
original is 1 plus the number of strictly more similar tracks. Cost is the processor time of this
process, over all threads, on the unchanged files.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.audio import read_audio
from musicu.audio.encoding import RATE, Samples
from musicu.embeddings.embedder import Embedder
from musicu.errors import AudioError
from musicu.evaluation.similarity_ranking import Matrix, Rows, nearest
from musicu.evaluation.vectors.measurement import (
    EvaluationData,
    Measurement,
    averaged,
    unmeasured,
)
from musicu.evaluation.vectors.perturb import PERTURBATIONS
from musicu.progress import tracked

K = 10
LONGEST_SECONDS = 600.0  # longer recordings are left out: they are processed in memory
METRICS = (
    "nearest neighbour unchanged",
    "overlap@10",
    "original found first",
    "reciprocal rank of the original",
)
COSTS = ("processor seconds to decode", "processor seconds to embed")


@dataclass(frozen=True, slots=True, eq=False)
class RecordingAccess:
    """The files of the rows, and the models that can embed them again, by name."""

    file: Callable[[int], Path]
    embedders: Mapping[str, Embedder]


def sample_rows(data: EvaluationData, count: int) -> Rows:
    """At most `count` rows drawn by the seed, rising; recordings over ten minutes left out."""
    rows = np.arange(len(data.labels))
    if "duration_seconds" in data.tracks.column_names:
        seconds = data.tracks["duration_seconds"].to_pylist()
        rows = np.array([row for row in rows if (seconds[row] or 0.0) <= LONGEST_SECONDS], int)
    drawn = np.random.default_rng(data.seed).permutation(rows)[:count]
    return np.sort(drawn)


def measure_robustness(
    data: EvaluationData, recordings: RecordingAccess, rows: Rows
) -> list[Measurement]:
    """Every perturbation's four metrics for every model that can be loaded, over those rows.

    A recording that cannot be read is left out, and counted.
    """
    if len(data.labels) < K + 2 or not recordings.embedders:
        return _unmeasured(data, f"needs more than {K + 1} tracks and a model that can be loaded")
    measured: list[int] = []
    scores: list[NDArray[np.float64]] = []
    for row in tracked(rows, "robustness", len(rows), "recordings"):
        try:
            whole = read_audio(recordings.file(int(row)), RATE).samples
            scores.append(_changed_scores(data, recordings, int(row), whole))
        except AudioError:
            continue
        measured.append(int(row))
    return _measurements(data, recordings, np.array(measured, np.int64), scores, len(rows))


def _changed_scores(
    data: EvaluationData, recordings: RecordingAccess, row: int, whole: Samples
) -> NDArray[np.float64]:
    """One recording's scores, float64 [perturbations, models, metrics]."""
    with tempfile.TemporaryDirectory() as folder:
        return np.array(
            [
                _scores_of_file(data, recordings, row, write(whole, Path(folder)))
                for write in PERTURBATIONS.values()
            ]
        )


def _scores_of_file(
    data: EvaluationData, recordings: RecordingAccess, row: int, path: Path
) -> list[list[float]]:
    scores = []
    for name, embedder in recordings.embedders.items():
        audio = read_audio(path, embedder.sample_rate, embedder.windows)
        scores.append(compare(data.models[name], row, embedder.embed(audio)))
    return scores


def compare(vectors: Matrix, row: int, changed: NDArray[np.float32]) -> list[float]:
    """The four metrics, in the order of METRICS, of a row's vector after a perturbation."""
    before, after = vectors @ vectors[row], vectors @ changed
    rank = 1 + int(np.count_nonzero(np.delete(after, row) > after[row]))
    before[row] = after[row] = -np.inf
    old, new = nearest(np.stack([before, after]), K)
    overlap = len(np.intersect1d(old, new)) / K
    return [float(old[0] == new[0]), overlap, float(rank == 1), 1 / rank]


def _measurements(
    data: EvaluationData,
    recordings: RecordingAccess,
    rows: Rows,
    scores: Sequence[NDArray[np.float64]],
    asked: int,
) -> list[Measurement]:
    if len(rows) == 0:
        return _unmeasured(data, "none of the recordings that were drawn could be read")
    values = np.array(scores)
    found = []
    for i, change in enumerate(PERTURBATIONS):
        own = {model: values[:, i, j] for j, model in enumerate(recordings.embedders)}
        name, left_out = f"robustness:{change}", asked - len(rows)
        found += averaged(data, name, METRICS, rows, own, left_out=left_out)
    return found


def _unmeasured(data: EvaluationData, why: str) -> list[Measurement]:
    names = [f"robustness:{change}" for change in PERTURBATIONS]
    return [row for name in names for row in unmeasured(data, name, METRICS, why)]


def measure_seconds(
    data: EvaluationData, recordings: RecordingAccess, rows: Rows
) -> list[Measurement]:
    """Processor seconds per track to decode and to embed, over those rows."""
    found = []
    for model, embedder in recordings.embedders.items():
        measured, spent = [], []
        for row in tracked(rows, f"cost of {model}", len(rows), "recordings"):
            try:
                spent.append(_timed(embedder, recordings.file(int(row))))
            except AudioError:
                continue
            measured.append(int(row))
        if measured:
            found += averaged(
                data,
                "cost",
                COSTS,
                np.array(measured, np.int64),
                {model: np.array(spent)},
                left_out=len(rows) - len(measured),
                higher_is_better=False,
            )
    return found


def _timed(embedder: Embedder, path: Path) -> tuple[float, float]:
    """Processor seconds to decode one recording and to embed it."""
    begun = time.process_time()
    audio = read_audio(path, embedder.sample_rate, embedder.windows)
    decoded = time.process_time()
    embedder.embed(audio)
    return decoded - begun, time.process_time() - decoded

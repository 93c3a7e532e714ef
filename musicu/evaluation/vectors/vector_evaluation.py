"""Evaluate the models of a labelled catalog, or any vectors with a table of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.catalog import Catalog
from musicu.embeddings.cards import find_model
from musicu.embeddings.embedder import Embedder
from musicu.errors import ModelError, QueryError
from musicu.evaluation.extras import sklearn
from musicu.evaluation.labels import TrackLabels, classes
from musicu.evaluation.similarity_ranking import Matrix, unit_vectors
from musicu.evaluation.vectors.clustering import measure_clustering
from musicu.evaluation.vectors.evaluation_result import Evaluation
from musicu.evaluation.vectors.measurement import EvaluationData, Measurement
from musicu.evaluation.vectors.probes import measure_probe
from musicu.evaluation.vectors.protocols import RETRIEVAL
from musicu.evaluation.vectors.spaces import measure_hubness, measure_retrieval
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.progress import tell
from musicu.records import Vectors, check_catalog, check_kind

if TYPE_CHECKING:
    from musicu.evaluation.vectors.robustness import RecordingAccess

RANDOM = "random"
RANDOM_DIM = 128
BASELINES = ("musicu-stats-v1", RANDOM)
PROBES = {"linear-probe": "linear", "neighbour-probe": "neighbour"}
OF_VECTORS = (*(p.name for p in RETRIEVAL), *PROBES, "clustering", "hubness", "cost")
OF_AUDIO = ("robustness",)
PROTOCOLS = (*OF_VECTORS, *OF_AUDIO)


def evaluate(
    catalog: Catalog,
    models: Sequence[str] | None = None,
    *,
    protocols: Sequence[str] = PROTOCOLS,
    baselines: Sequence[str] = BASELINES,
    columns: Sequence[str] = ("genre",),
    sample: int = 50,
    seed: int = 0,
    bootstrap: int = 1000,
) -> Evaluation:
    """Evaluate models whose vectors the catalog holds, on the tracks that they have in common.

    models: names, or folders of models; None: all of the catalog's. baselines: missing ones are
    left out, and noted; "random" is always available. columns: the labels that probes predict.
    sample: recordings that are embedded again for robustness and cost. bootstrap: the number of
    draws of artists. Copies of a recording count once.

    Raises QueryError for unknown models, protocols or columns, and MissingExtraError where
    probes or clustering are asked for without scikit-learn.
    """
    check_catalog(catalog)
    _check(protocols, PROTOCOLS)
    folders = _folders(catalog, models)
    absent = [name for name in baselines if name != RANDOM and name not in catalog.models()]
    notes = [f"baseline {name} is not in the catalog: embed with --model {name}" for name in absent]
    names = dict.fromkeys([*folders, *(b for b in baselines if b not in absent and b != RANDOM)])
    tracks, vectors = _common(catalog, list(names))
    data = _prepare(
        vectors, tracks, [b for b in baselines if b == RANDOM], columns, seed, bootstrap
    )
    found = _measure(data, protocols, columns)
    if {"robustness", "cost"} & set(protocols):
        embedders, skipped = _embedders(catalog, {name: folders.get(name, name) for name in names})
        notes += skipped
        recordings = _recordings(data, catalog, embedders)
        found += _measure_audio(data, recordings, protocols, sample)
    return Evaluation(
        data, tuple(found), tuple(b for b in baselines if b not in absent), tuple(notes)
    )


def evaluate_vectors(
    vectors: Mapping[str, Vectors | NDArray[np.floating]],
    tracks: TableLike | Catalog,
    *,
    protocols: Sequence[str] = OF_VECTORS,
    baselines: Sequence[str] = (RANDOM,),
    columns: Sequence[str] = ("genre",),
    seed: int = 0,
    bootstrap: int = 1000,
) -> Evaluation:
    """Evaluate vectors, by model, with a table of labels: any columns of `evaluation.labels`.

    `Vectors` are found by the table's column `track_id`, whatever their order; arrays, float
    [tracks, dim], are in the order of the table. Similarity is cosine: standardise columns of
    different units first. Baselines are names among the vectors, or "random". Raises as `evaluate`
    does, and QueryError where a track has no vector or values are not finite.
    """
    if not isinstance(vectors, Mapping):
        raise QueryError('vectors are given by the name of their model, as {"mine": vectors}')
    table = tracks.tracks() if isinstance(tracks, Catalog) else as_table(tracks, "the tracks")
    _check(protocols, OF_VECTORS)
    unknown = [name for name in baselines if name != RANDOM and name not in vectors]
    if unknown:
        raise QueryError(f"baselines {unknown} are not among the vectors: {', '.join(vectors)}")
    arrays = {name: _aligned(given, table) for name, given in vectors.items()}
    data = _prepare(arrays, table, [b for b in baselines if b == RANDOM], columns, seed, bootstrap)
    found = _measure(data, protocols, columns)
    return Evaluation(data, tuple(found), tuple(baselines), ())


def _aligned(vectors: Vectors | NDArray[np.floating], tracks: pa.Table) -> NDArray[np.floating]:
    """The vectors of the tracks, in the order of the table."""
    if not isinstance(vectors, Vectors):
        array = np.asarray(vectors)
        if array.ndim != 2 or array.dtype.kind not in "fiu":
            raise QueryError(
                f"vectors of the shape {array.shape} and type {array.dtype}: give Vectors, or an "
                "array of numbers [tracks, dim]"
            )
        return array
    if "track_id" not in tracks.column_names:
        raise QueryError("the table has no column 'track_id', by which vectors are found")
    if pc.count_distinct(tracks["track_id"]).as_py() < tracks.num_rows:
        raise QueryError("two rows of the table have one track_id: keep one row of each track")
    return vectors.of(tracks["track_id"])


def random_vectors(count: int, seed: int, dim: int = RANDOM_DIM) -> Matrix:
    """Uniform random directions, float32 [count, dim]: the chance baseline."""
    return unit_vectors(np.random.default_rng([seed, dim]).normal(size=(count, dim)))


def _check(protocols: Sequence[str], known: Sequence[str]) -> None:
    if isinstance(protocols, str):
        raise QueryError(f"protocols is {protocols!r}: give a list, as [{protocols!r}]")
    unknown = [name for name in protocols if name not in known]
    if unknown:
        raise QueryError(f"there is no protocol {unknown[0]!r} here: choose of {', '.join(known)}")
    if {*PROBES, "clustering"} & set(protocols):
        sklearn("metrics")  # fail now rather than after an hour of rankings


def _prepare(
    vectors: Mapping[str, NDArray[np.floating]],
    tracks: pa.Table,
    chance: Sequence[str],
    columns: Sequence[str],
    seed: int,
    bootstrap: int,
) -> EvaluationData:
    """The models on shuffled rows, so that ties do not go by artist; random is last."""
    count = tracks.num_rows
    for name, values in vectors.items():
        if len(values) != count:
            raise QueryError(f"{name} has {len(values)} vectors for {count} tracks")
    if count < 2:
        raise QueryError(f"there is nothing to compare: {count} tracks have vectors of every model")
    order = np.random.default_rng(seed).permutation(count)
    models = {name: unit_vectors(values)[order] for name, values in vectors.items()}
    models |= {name: random_vectors(count, seed) for name in chance}
    tracks = _with_columns(tracks).take(pa.array(order))
    if isinstance(columns, str):
        raise QueryError(f"columns is {columns!r}: give a list, as [{columns!r}]")
    check_kind("columns", columns, (list, tuple), "a list of names of columns")
    for column in columns:
        classes(tracks, column)
    return EvaluationData(models, tracks, TrackLabels.of(tracks), seed, bootstrap)


def _with_columns(tracks: pa.Table) -> pa.Table:
    """The table with empty artists and genres where it has no such column."""
    for name in ("artist", "genre"):
        if not {name, f"{name}s"} & set(tracks.column_names):
            tracks = tracks.append_column(name, pa.nulls(tracks.num_rows, pa.string()))
    return tracks


def _measure(
    data: EvaluationData,
    protocols: Sequence[str],
    columns: Sequence[str],
) -> list[Measurement]:
    found: list[Measurement] = []
    retrieval = [protocol for protocol in RETRIEVAL if protocol.name in protocols]
    if retrieval:
        tell("rankings")
        found += measure_retrieval(data, retrieval)
    for name, kind in PROBES.items():
        if name in protocols:
            tell(name)
            found += [row for column in columns for row in measure_probe(data, kind, column)]
    if "clustering" in protocols:
        tell("clustering")
        grouped = dict.fromkeys(["artist", *columns])
        found += [row for column in grouped for row in measure_clustering(data, column)]
    if "hubness" in protocols:
        tell("hubness")
        found += measure_hubness(data)
    if "cost" in protocols:
        found += _sizes(data)
    return found


def _sizes(data: EvaluationData) -> list[Measurement]:
    return [
        Measurement("cost", metric, model, float(size), higher_is_better=False)
        for metric, bytes_each in (("numbers per vector", 1), ("bytes per vector", 4))
        for model, vectors in data.models.items()
        for size in [bytes_each * vectors.shape[1]]
    ]


def _folders(catalog: Catalog, models: Sequence[str] | None) -> dict[str, str]:
    """For the name of each requested model: the name or folder that loads it."""
    if isinstance(models, str):
        raise QueryError(f"models is {models!r}: give a list, as [{models!r}]")
    found = {}
    for given in catalog.models() if models is None else models:
        known = given in catalog.models() or not Path(given).is_dir()
        found[given if known else find_model(given).name] = given
    return found


def _common(catalog: Catalog, names: Sequence[str]) -> tuple[pa.Table, dict[str, Matrix]]:
    """The tracks that every model has a vector of, each recording once, and those vectors."""
    if not names:
        raise QueryError(f"{catalog.path} has no vectors yet: run `musicu embed` on its source")
    tracks = catalog.tracks()
    rows = {name: _rows_by_id(catalog, name) for name in names}
    chosen: dict[str, int] = {}
    pairs = zip(tracks["track_id"].to_pylist(), tracks["content_hash"].to_pylist(), strict=True)
    for row, (track_id, content) in enumerate(pairs):
        if all(track_id in known for known in rows.values()):
            chosen.setdefault(
                content or f"track {track_id}", row
            )  # tracks without audio count each
    kept = tracks.take(pa.array(list(chosen.values()), pa.int64()))
    ids = kept["track_id"].to_pylist()
    vectors = {
        name: catalog.vectors(name).values[[known[track_id] for track_id in ids]]
        for name, known in rows.items()
    }
    return kept, vectors


def _rows_by_id(catalog: Catalog, name: str) -> dict[str, int]:
    return {track_id: row for row, track_id in enumerate(catalog.vectors(name).ids)}


def _embedders(
    catalog: Catalog, sources: Mapping[str, str]
) -> tuple[dict[str, Embedder], list[str]]:
    """The models that can embed again, and notes on those that cannot."""
    found, notes = {}, []
    for name, source in sources.items():
        try:
            embedder = Embedder.load(source)
        except ModelError as error:
            notes.append(f"{name} was not run again for robustness and cost: {error}")
            continue
        stored = catalog.model_entry(name)[1].fingerprint
        if embedder.fingerprint == stored:
            found[name] = embedder
        else:
            notes.append(
                f"{name} was not run again for robustness and cost: the catalog's vectors have "
                f"the fingerprint {stored}, the model {embedder.fingerprint}: embed again"
            )
    return found, notes


def _recordings(
    data: EvaluationData,
    catalog: Catalog,
    embedders: Mapping[str, Embedder],
) -> RecordingAccess:
    from musicu.evaluation.vectors.robustness import RecordingAccess

    ids = data.tracks["track_id"].to_pylist()
    return RecordingAccess(lambda row: catalog.file(ids[row]), embedders)


def _measure_audio(
    data: EvaluationData, recordings: RecordingAccess, protocols: Sequence[str], sample: int
) -> list[Measurement]:
    from musicu.evaluation.vectors.robustness import (
        measure_robustness,
        measure_seconds,
        sample_rows,
    )

    rows = sample_rows(data, sample)
    found = measure_seconds(data, recordings, rows) if "cost" in protocols else []
    return found + (measure_robustness(data, recordings, rows) if "robustness" in protocols else [])

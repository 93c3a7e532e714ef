"""A map of the catalog: its vectors laid out on a plane, coloured by what people call them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.errors import MissingExtraError
from musicu.evaluation.extras import sklearn
from musicu.evaluation.similarity_ranking import Matrix
from musicu.evaluation.vectors.measurement import EvaluationData

Floats = NDArray[np.float64]

MOST_POINTS = 2500  # more make the page slow and the map no clearer
COLOURED = 10  # values that get a colour of their own
FEW = 10  # tracks up to which t-SNE has no neighbourhoods to keep
ENOUGH = 0.3  # the share of tracks with a genre from which genres colour the map


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A track on the map: x and y in [0, 1], y downwards; `kind` is a place in the legend."""

    x: float
    y: float
    label: str
    kind: int


@dataclass(frozen=True, slots=True)
class VectorMap:
    """Points and their legend: names by kind, the last for all others."""

    model: str
    method: str
    coloured_by: str
    legend: tuple[str, ...]
    points: tuple[MapPoint, ...]


def draw_vectors(data: EvaluationData) -> VectorMap:
    """The first model's vectors by t-SNE where scikit-learn is installed, else by PCA.

    t-SNE (van der Maaten and Hinton, JMLR 2008) keeps neighbours together; distances between
    far groups mean nothing. At most `MOST_POINTS` tracks, drawn by the seed.
    """
    model, vectors = next(iter(data.models.items()))
    # The rows were shuffled by the seed, so the first are a draw.
    rows = min(len(vectors), MOST_POINTS)
    places, method = _plane(vectors[:rows], data.seed)
    low, high = places.min(axis=0), places.max(axis=0)
    scaled = (places - low) / np.where(high > low, high - low, 1)
    tracks = data.tracks.slice(0, rows)
    column, names = _names(tracks)
    common = [name for name, _ in Counter(n for n in names if n).most_common(COLOURED)]
    kinds = [common.index(name) if name in common else len(common) for name in names]
    rest = zip(scaled.tolist(), _titles(tracks), kinds, strict=True)
    points = tuple(MapPoint(x, y, label, kind) for (x, y), label, kind in rest)
    return VectorMap(model, method, column, (*common, "others"), points)


def _plane(vectors: Matrix, seed: int) -> tuple[Floats, str]:
    if len(vectors) <= FEW:
        return _principal(vectors), "PCA"
    try:
        manifold = sklearn("manifold")
    except MissingExtraError:
        return _principal(vectors), "PCA (t-SNE needs the extra `eval`)"
    start = _principal(vectors)
    start = 1e-4 * start / max(float(start[:, 0].std()), 1e-9)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    layout = manifold.TSNE(metric="cosine", init=start, perplexity=perplexity, random_state=seed)
    return np.asarray(layout.fit_transform(vectors), dtype=np.float64), "t-SNE"


def _principal(vectors: Matrix) -> Floats:
    """The two directions of largest variance, float64 [tracks, 2], signs made definite."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    first = np.zeros((centred.shape[1], 2))
    count = min(2, centred.shape[1])
    first[:, :count] = directions[:, ::-1][:, :count]
    largest = np.abs(first).argmax(axis=0)
    signs = np.where(first[largest, [0, 1]] < 0, -1, 1)
    places: Floats = centred @ (first * signs)
    return places


def _names(tracks: pa.Table) -> tuple[str, list[str]]:
    """What colours the map, and each track's value: genres where enough have one, else artists."""
    genres = _shown(tracks, "genres", "genre")
    if sum(map(bool, genres)) >= ENOUGH * len(genres):
        return "genre", genres
    return "artist", _shown(tracks, "artists", "artist", "album_artist")


def _titles(tracks: pa.Table) -> list[str]:
    artists = _shown(tracks, "artists", "artist", "album_artist")
    titles = _shown(tracks, "title", "path", "track_id")
    return [" – ".join(part for part in pair if part) for pair in zip(artists, titles, strict=True)]


def _shown(tracks: pa.Table, *columns: str) -> list[str]:
    """The first value of the first of those columns that a track has one in, else ""."""
    cells = [tracks[c].to_pylist() for c in columns if c in tracks.column_names]
    return [
        next((text for cell in row for text in [_text(cell)] if text), "")
        for row in zip(*cells, strict=True)
    ] or [""] * tracks.num_rows


def _text(cell: Any) -> str:
    first = next(iter(cell), None) if isinstance(cell, list) else cell
    return "" if first is None else str(first)

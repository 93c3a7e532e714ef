"""A map of the catalog: its vectors laid out on a plane, coloured by what people call them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from musicu.errors import MissingExtraError
from musicu.evaluation.similarity_ranking import Matrix
from musicu.evaluation.vectors.measurement import EvaluationData
from musicu.shelves.map.projection import MIN_TRACKS, Floats, project

MOST_POINTS = 2500  # more make the page slow and the map no clearer
COLOURED = 10  # values that get a colour of their own
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
    """The first model's vectors by t-SNE where openTSNE is installed, else by PCA: see `project`.

    At most `MOST_POINTS` tracks, drawn by the seed.
    """
    model, vectors = next(iter(data.models.items()))
    # The rows were shuffled by the seed, so the first are a draw.
    rows = min(len(vectors), MOST_POINTS)
    places, method = _plane(vectors[:rows], data.seed)
    tracks = data.tracks.slice(0, rows)
    column, names = _names(tracks)
    common = [name for name, _ in Counter(n for n in names if n).most_common(COLOURED)]
    kinds = [common.index(name) if name in common else len(common) for name in names]
    rest = zip(places.tolist(), _titles(tracks), kinds, strict=True)
    points = tuple(MapPoint(x, y, label, kind) for (x, y), label, kind in rest)
    return VectorMap(model, method, column, (*common, "others"), points)


def _plane(vectors: Matrix, seed: int) -> tuple[Floats, str]:
    """Places float32 [tracks, 2] from 0 to 1, and by what method."""
    try:
        return project(vectors, "tsne", seed), "t-SNE" if len(vectors) >= MIN_TRACKS else "PCA"
    except MissingExtraError:
        return project(vectors, "pca"), "PCA (t-SNE needs the extra `map`)"


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

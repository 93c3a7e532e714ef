"""Tracks near to what a listener has heard: how vectors of any origin become candidates."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from musicu.embeddings.tracks.track_features import numbers_of
from musicu.errors import QueryError
from musicu.evaluation.recommendation.listening_log import Ints
from musicu.evaluation.recommendation.training_part import Scorer, Scores, Training
from musicu.evaluation.similarity_ranking import Matrix, unit_vectors
from musicu.records import Vectors

#: Unit rows, one a track, zeros where nothing is known: float32 [tracks, dim], dense or sparse.
Content: TypeAlias = "Matrix | csr_matrix"

#: Of a listener's tracks, how many vouch for a candidate. On HetRec Last.fm with new artists,
#: recall rises with it (10: .215, 20: .254, all 40 or so: .272).
NEAREST = 50

_FAR = 4.0  # deviations from the mean; further away is an error or an oddity

_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_NAMES = frozenset(("artists", "musicbrainz_artist_ids", "markets", "composers"))


def nearest_heard(training: Training, content: Content, nearest: int = NEAREST) -> Scorer:
    """Score a candidate by its mean cosine with the nearest of what a listener has heard.

    All tracks heard count alike. A track without content is near to nothing, its cosine is 0.
    """
    new = content[training.candidates]
    heard = (training.history > 0).astype(np.float32)
    count = np.diff(heard.indptr)
    means = diags(1 / np.maximum(count, 1)).tocsr().astype(np.float32) @ heard

    def scores(users: Ints) -> Scores:
        found = _cosines(means[users] @ content, new)  # the mean of cosines is that with the mean
        for place in np.flatnonzero(count[users] > nearest):
            own = heard.indices[heard.indptr[users[place]] : heard.indptr[users[place] + 1]]
            cosines = _cosines(content[own], new)
            found[place] = np.partition(cosines, len(own) - nearest, axis=0)[-nearest:].mean(axis=0)
        return found

    return scores


def content_of(vectors: Vectors, track_ids: pa.ChunkedArray) -> Matrix:
    """Vectors in the order of the tracks: float32 [tracks, dim], unit rows, zeros for none."""
    if not len(vectors.ids):
        return np.zeros((len(track_ids), vectors.values.shape[1]), np.float32)
    places = pc.index_in(track_ids, value_set=pa.array(vectors.ids, pa.string()))
    rows = pc.fill_null(places, -1).to_numpy()
    found: Matrix = unit_vectors(vectors.values)[np.maximum(rows, 0)]
    found[rows < 0] = 0
    return found


def tag_vectors(tracks: pa.Table) -> csr_matrix:
    """What people say of the tracks, as vectors: csr float32 [tracks, words], unit rows.

    Words are the values of `genre`, and of every column of lists of text that does not name people
    or markets, such as `genres` and `tags`. A word that a track has n times weighs (1 + log n)
    log(tracks / tracks with it) (tf-idf; Manning, Raghavan and Schütze, 2008, sections 6.2 and
    6.4). Raises QueryError where no track has any.
    """
    texts = _said(tracks)
    words = sorted({text for row in texts for text in row})
    if not words:
        raise QueryError(
            "no track has a genre or tags, which content is compared by: embed the catalog, or "
            "name a model whose vectors it holds"
        )
    codes = {word: code for code, word in enumerate(words)}
    rows = np.repeat(np.arange(len(texts)), [len(row) for row in texts])
    columns = [codes[text] for row in texts for text in row]
    shape = (len(texts), len(words))
    counts = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape, dtype=np.float32)
    rarity = np.log(len(texts) / np.bincount(counts.indices, minlength=len(words)))
    counts.data = (1 + np.log(counts.data)) * rarity[counts.indices]
    return unit_sparse(counts)


def number_vectors(tracks: pa.Table) -> Matrix:
    """The numbers that say how tracks sound, as vectors: float32 [tracks, columns], unit rows.

    Every column of numbers but dates and popularity, each with mean 0 and deviation 1, no further
    than 4 from 0; a missing value stands at the mean. Raises QueryError where there is no such
    column.
    """
    dated = {f.name for f in tracks.schema if pa.types.is_temporal(f.type)}
    columns = {n: v for n, v in numbers_of(tracks).items() if n not in dated | {"popularity"}}
    known = [values for values in columns.values() if np.isfinite(values).any()]
    if not known:
        raise QueryError(
            "no track has a column of numbers, which content is compared by: add some to the "
            "table that was scanned, or run `musicu describe` on the catalog"
        )
    table = np.stack(known, axis=1)
    spread = np.nanstd(table, axis=0)
    scaled = (table - np.nanmean(table, axis=0)) / np.where(spread > 0, spread, 1)
    return unit_vectors(np.clip(np.nan_to_num(scaled), -_FAR, _FAR).astype(np.float32))


def _said(tracks: pa.Table) -> list[list[str]]:
    """The words of each track, as often as they stand there."""
    columns = [
        field.name
        for field in tracks.schema
        if field.name == "genre"
        or (field.name not in _NAMES and any(test(field.type) for test in _LISTS))
    ]
    cells = [tracks[name].to_pylist() for name in columns]
    return [[text for cell in row for text in _texts(cell)] for row in zip(*cells, strict=True)]


def unit_sparse(matrix: csr_matrix) -> csr_matrix:
    """The rows scaled to unit length; a row of zeros stays so."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return (diags(1 / np.where(lengths > 0, lengths, 1)) @ matrix).tocsr().astype(np.float32)


def _texts(cell: object) -> list[str]:
    values = cell if isinstance(cell, list) else [cell]
    return [str(value).strip().casefold() for value in values if value is not None]


def _cosines(heard: Content, new: Content) -> NDArray[np.float32]:
    found = heard @ new.T
    return np.asarray(found if isinstance(found, np.ndarray) else found.toarray())

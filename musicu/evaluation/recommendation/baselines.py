"""What any model must be compared with. Each is fitted on the training part alone.

    random            scores drawn anew for every listener
    popularity        listeners of a track; a new track has none, so all new tracks are equal
    artist            the share of what a listener heard that is by an artist of the track
    artist-mean       collaborative vectors, a track standing at the mean of its artists' tracks
    artist-attention  the same, the artists' tracks weighing by how alike their content is
    als               collaborative vectors; the mean of all of them for a track nobody has heard
    content-knn       cosine with the nearest of what a listener has heard, see `nearest`
    artist+content    artist and content-knn, each standardised for every listener, added

The collaborative vectors are those of `Training.factors`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import diags

from musicu.embeddings.tracks.discography import Discography
from musicu.evaluation.recommendation.content_scores import Content, nearest_heard
from musicu.evaluation.recommendation.groups import artist_matrix, listeners_of
from musicu.evaluation.recommendation.listening_log import Ints
from musicu.evaluation.recommendation.training_part import Model, Scorer, Scores, Training
from musicu.evaluation.similarity_ranking import unit_vectors

CONTENT_FREE = ("random", "popularity", "artist", "artist-mean", "als")
WITH_CONTENT = ("artist-attention", "content-knn", "artist+content")
BASELINES = (*CONTENT_FREE, *WITH_CONTENT)

_KEY_DIM = 64


def baselines(content: Content | None) -> dict[str, Model]:
    """The baselines by name; without content, those that need none.

    content: unit rows, see `nearest.Content`, in the order of the tracks.
    """
    found: dict[str, Model] = {
        "random": random,
        "popularity": popularity,
        "artist": artist,
        "artist-mean": artist_mean,
        "als": als,
    }
    if content is not None:
        found["artist-attention"] = lambda training: artist_attention(training, content)
        found["content-knn"] = lambda training: nearest_heard(training, content)
        found["artist+content"] = lambda training: added(
            artist(training), nearest_heard(training, content)
        )
    return found


def random(training: Training) -> Scorer:
    """Scores drawn anew for every listener, by the seed and the listener's row."""

    def scores(users: Ints) -> Scores:
        count = len(training.candidates)
        draws = [np.random.default_rng([training.seed, int(u)]).random(count) for u in users]
        return np.stack(draws).astype(np.float32)

    return scores


def popularity(training: Training) -> Scorer:
    """The listeners of each track in the training part, the same for everybody."""
    counts = listeners_of(training.history)[training.candidates].astype(np.float32)
    return lambda users: np.repeat(counts[None, :], len(users), axis=0)


def artist(training: Training) -> Scorer:
    """The share of a listener's history that is by an artist of the track; of several the sum."""
    owners = artist_matrix(training.artists)
    heard = (training.history > 0).astype(np.float32)
    shares = diags(1 / np.maximum(np.diff(heard.indptr), 1)).tocsr() @ heard @ owners
    own = owners[training.candidates].T.tocsc()
    return lambda users: (shares[users] @ own).toarray().astype(np.float32)


def artist_mean(training: Training) -> Scorer:
    """Each track stands where the heard tracks of its artists stand on average.

    Of artists that nobody has heard, it stands at the mean of all tracks heard.
    """
    factors = training.factors
    heard = listeners_of(training.history) > 0
    owners = artist_matrix(training.artists)
    peers = diags(heard.astype(np.float32)) @ owners
    count = np.asarray(peers.sum(axis=0)).ravel()
    places = diags(1 / np.maximum(count, 1)) @ (peers.T @ factors.items)
    places[count == 0] = factors.items[heard].mean(axis=0)
    weights = diags(1 / np.asarray(owners.sum(axis=1)).ravel())
    return _products(training, weights @ owners @ places)


def artist_attention(training: Training, content: Content) -> Scorer:
    """A new track stands where its artists' heard tracks that are like it in content stand.

    Softmax attention (`embeddings.tracks.artists`) with random projections of the content as keys.
    What somebody has heard stands where it is; of artists that nobody has heard, at the mean.
    """
    drawn = np.random.default_rng(training.seed).normal(size=(content.shape[1], _KEY_DIM))
    keys = unit_vectors(np.asarray(content @ drawn))
    heard = listeners_of(training.history) > 0
    ids = np.asarray(training.tracks["track_id"].to_pylist(), object)
    names = [[str(code) for code in codes] for codes in training.artists.codes]
    rows = [row for row in _by_release(training.tracks) if heard[row]]
    items = training.factors.items
    past = Discography(ids[rows], [names[row] for row in rows], items[rows], keys[rows])
    found, known = past.past(ids.tolist(), names, keys)
    attended = np.split(found, 2, axis=1)[1]
    attended[~known] = items[heard].mean(axis=0)
    return _products(training, np.where(heard[:, None], items, attended))


def _by_release(tracks: pa.Table) -> Ints:
    """Rows of the tracks, the latest last, where they have dates."""
    if "released" not in tracks.column_names:
        return np.arange(tracks.num_rows)
    rows: Ints = pc.sort_indices(tracks, sort_keys=[("released", "ascending")]).to_numpy()
    return rows.astype(np.int64)


def als(training: Training) -> Scorer:
    """Collaborative vectors; what nobody has heard stands at the mean of what somebody has."""
    factors = training.factors
    heard = listeners_of(training.history) > 0
    items = np.where(heard[:, None], factors.items, factors.items[heard].mean(axis=0))
    return _products(training, items)


def added(*parts: Scorer) -> Scorer:
    """The sum of several scores, each with mean 0 and deviation 1 over a listener's candidates."""

    def scores(users: Ints) -> Scores:
        total = sum(_standardised(part(users)) for part in parts)
        return np.asarray(total, dtype=np.float32)

    return scores


def _standardised(scores: Scores) -> Scores:
    centred = scores - scores.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    result: Scores = centred / np.where(deviation > 0, deviation, 1)
    return result


def _products(training: Training, places: NDArray[np.float32]) -> Scorer:
    """Inner products of listeners with where the candidates stand, float32 [tracks, factors]."""
    chosen = np.asarray(places, dtype=np.float32)[training.candidates]
    return lambda users: training.factors.users[users] @ chosen.T

"""A track encoder, fitted on the training part alone, and the plain scorer by the fit of a set."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from musicu.catalog.catalog import Catalog
from musicu.catalog.store import Store
from musicu.embeddings.tracks.config import TrackConfig
from musicu.embeddings.tracks.fit import fit_tracks
from musicu.evaluation.recommendation.content_scores import content_of
from musicu.evaluation.recommendation.groups import artist_matrix
from musicu.evaluation.recommendation.listening_log import Ints
from musicu.evaluation.recommendation.shipped import VectorsOf
from musicu.evaluation.recommendation.training_part import Model, Scorer, Scores, Training
from musicu.evaluation.similarity_ranking import Matrix
from musicu.ranking.set_fit import score_set
from musicu.records import Vectors


class _KnownCatalog(Catalog):
    """A catalog as the training part knows it."""

    def __init__(self, catalog: Catalog, tracks: pa.Table) -> None:
        super().__init__(Store.open(catalog.path))
        self._tracks = self._live = tracks


def encoder_vectors(catalog: Catalog, config: TrackConfig | None = None) -> VectorsOf:
    """Fit an encoder to the training part of the listens, once, and encode all tracks.

    It reads what the catalog says of all tracks, new ones included, and the vectors of the
    catalog's audio model, if any.
    """
    made: dict[int, Vectors] = {}

    def encoded(training: Training) -> Vectors:
        if id(training) not in made:
            known = _KnownCatalog(catalog, training.tracks)
            recipe = config or TrackConfig(seed=training.seed)
            encoder = fit_tracks(known, listens=training.listens, config=recipe)
            audio = catalog.vectors(encoder.audio_model) if encoder.audio_model else None
            made[id(training)] = encoder.encode(training.tracks, audio)
        return made[id(training)]

    return encoded


def set_fit_model(vectors: VectorsOf) -> Model:
    """Every candidate by how well it fits what a listener has heard: see `fits_history`."""
    return lambda training: fits_history(
        training, content_of(vectors(training), training.tracks["track_id"])
    )


def fits_history(training: Training, vectors: Matrix) -> Scorer:
    """Score candidates by how well they fit what a listener has heard, artists included.

    vectors: float32 [tracks, dim], unit rows, zeros for tracks without one, which neither vouch
    for others nor earn more than their artist does.
    """
    has = np.linalg.norm(vectors, axis=1) > 0
    new = vectors[training.candidates]
    heard = csr_matrix((training.history > 0).astype(np.float32))
    owners = artist_matrix(training.artists)
    own = owners[training.candidates].T.tocsc()
    count = np.maximum(np.diff(heard.indptr), 1).astype(np.float32)

    def scores(users: Ints) -> Scores:
        by_artist = (heard[users] @ owners @ own).toarray() / count[users, None]
        shares = np.minimum(by_artist, 1)  # a track by two artists of the candidate counts once
        found = np.zeros((len(users), len(new)), np.float32)
        for place, user in enumerate(users):
            rows = heard.indices[heard.indptr[user] : heard.indptr[user + 1]]
            members = vectors[rows[has[rows]]]
            if len(members):
                found[place] = score_set(members, new, artist_share=shares[place])
        return found

    return scores

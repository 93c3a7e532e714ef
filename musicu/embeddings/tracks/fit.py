"""Train a track encoder on a catalog, from tracks that belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix, vstack

from musicu.catalog.catalog import Catalog
from musicu.catalog.file_names import check_file_name
from musicu.embeddings.tracks.als import fit_als, solve_rows
from musicu.embeddings.tracks.config import TrackConfig
from musicu.embeddings.tracks.contrastive_training import steps_for, train
from musicu.embeddings.tracks.discography import (
    Discography,
    artists_of,
    key_projections,
    keys_of,
    with_listening,
)
from musicu.embeddings.tracks.heldout_tracks import (
    HeldoutQueries,
    baseline_vectors,
    choose_heldout,
    heldout_queries,
)
from musicu.embeddings.tracks.kernel import Kernel
from musicu.embeddings.tracks.track_encoder import TrackEncoder
from musicu.embeddings.tracks.track_features import Features, FeatureSpace, Floats, audio_rows
from musicu.embeddings.tracks.track_groups import (
    TrackGroups,
    from_listens,
    from_metadata,
    from_pairs,
    from_playlists,
)
from musicu.embeddings.tracks.track_network import Networks, Parameters, encoded
from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.normalisation import unit_rows
from musicu.records import Vectors, check_catalog

ProgressCallback = Callable[[dict[str, Any]], None]

_CHECKS = 10  # how often training measures recall on the held-out tracks
_REGULARISATION = 10.0


def fit_tracks(
    catalog: Catalog,
    pairs: TableLike | None = None,
    listens: TableLike | None = None,
    playlists: TableLike | None = None,
    collaborative: Vectors | None = None,
    config: TrackConfig | None = None,
    *,
    name: str = "tracks-v1",
    audio_model: str | None = None,
    progress: ProgressCallback | None = None,
) -> TrackEncoder:
    """Train on pairs, listens and playlists; on artists and albums where none is given.

    The columns of the tables are those of `track_groups`. collaborative: vectors of tracks from
    elsewhere, used instead of fitting them to the tables. audio_model: whose vectors are the audio
    features. Default: the catalog's default model, or the first other one where that is a track
    encoder. progress: called with an event per check.

    Raises QueryError where a table lacks a column, has a weight that is no number, or has no two
    different tracks of the catalog that belong together.
    """
    config = config or TrackConfig()
    check_file_name(name, "the model")
    check_catalog(catalog)
    tracks = catalog.tracks()
    groups = _groups(tracks, pairs, listens, playlists, config)
    sound = _audio_model(catalog, audio_model)
    audio = catalog.vectors(sound) if sound else None
    fit = _Fit(tracks, audio, groups, collaborative, config)
    given = {"pairs": pairs, "listens": listens, "playlists": playlists}
    networks = fit.train(progress or _silent)
    return TrackEncoder(
        name=name,
        networks=networks,
        space=fit.space,
        kernel=fit.kernel,
        projections=fit.projections,
        discography=fit.whole_discography(),
        audio_model=sound,
        about=fit.about([name for name, table in given.items() if table is not None]),
    )


class _Fit:
    """The state of one training run."""

    def __init__(
        self,
        tracks: pa.Table,
        audio: Vectors | None,
        groups: TrackGroups,
        collaborative: Vectors | None,
        config: TrackConfig,
    ) -> None:
        self._rng = np.random.default_rng(config.seed)
        self._config, self._groups = config, groups
        self._given = None
        if collaborative is not None:
            self._given = unit_rows(np.nan_to_num(audio_rows(tracks, collaborative)))
        order = pc.sort_indices(tracks, sort_keys=[("released", "ascending")])
        self._by_date = order.to_numpy()
        self._tracks, self._ids = tracks, np.asarray(tracks["track_id"].to_pylist(), object)
        self._heldout = choose_heldout(groups.members, config.heldout, self._rng)
        self._queries = heldout_queries(groups.members, self._heldout, self._rng)
        self._learned = groups.without(self._heldout)
        in_training = np.zeros(len(self._ids), bool)
        in_training[self._learned.members.indices] = True
        self.space = FeatureSpace.fit(
            tracks.filter(pa.array(in_training)), audio, config.min_count, config.max_vocabulary
        )
        self._content = self.space.content_of(tracks, audio)
        if not self._content.blocks:
            raise QueryError(
                "the tracks have no features but their ids: give the table columns of words or "
                "numbers, or the catalog audio vectors"
            )
        self.kernel = Kernel.fit(tracks, self._learned.members, config.kernel_dim, self._rng)
        self.projections = key_projections(self._content, self._rng)
        self._keys = keys_of(self._content, self.projections)
        self._users: Floats | None = None
        self._vectors = self._collaborative()
        self._scores: dict[str, float] = {}
        #: Of the network that is trained: the best recall on held-out tracks, and its parameters.
        self._best: tuple[float, Parameters] | None = None

    def _collaborative(self) -> Floats | None:
        """Collaborative unit vectors of tracks in training; zeros for held-out and unknown ones."""
        if self._given is not None:
            return np.where(self._heldout[:, None], np.float32(0), self._given)
        if self._learned.interactions is None:
            return None
        factors = fit_als(
            self._learned.interactions,
            self._config.factors,
            regularisation=_REGULARISATION,
            seed=self._config.seed,
        )
        self._users = factors.users
        return unit_rows(factors.items)

    def _discography(self, vectors: Floats | None) -> Discography | None:
        if vectors is None:
            return None
        rows = self._by_date[np.linalg.norm(vectors[self._by_date], axis=1) > 0]
        names = artists_of(self._tracks)
        return Discography(
            self._ids[rows], [names[row] for row in rows], vectors[rows], self._keys[rows]
        )

    def whole_discography(self) -> Discography | None:
        """The collaborative vectors, with held-out tracks folded in."""
        if self._vectors is None or not self._heldout.any():
            return self._discography(self._vectors)
        if self._given is not None:
            return self._discography(self._given)
        vectors = self._vectors.copy()
        if self._users is not None and self._groups.interactions is not None:
            columns = csr_matrix(self._groups.interactions.T)[np.flatnonzero(self._heldout)]
            vectors[self._heldout] = unit_rows(solve_rows(columns, self._users, _REGULARISATION))
        return self._discography(vectors)

    def train(self, progress: ProgressCallback) -> Networks:
        """Train the networks; each is kept at its best step for held-out tracks."""
        features = with_listening(
            self._content, self._tracks, self._discography(self._vectors), self.projections
        )
        if self._queries is not None:
            baselines = baseline_vectors(features, self._keys)
            self._scores = {name: self._queries.recall(v) for name, v in baselines.items()}
            progress({"event": "held out", "tracks": int(self._heldout.sum()), **self._scores})
        networks = tuple(
            self._network(number, features, progress) for number in range(self._config.networks)
        )
        if self._queries is not None:
            found = _encoded(networks, features, self._queries)
            if self.kernel is not None:
                found = self.kernel.concatenate(found, self._tracks)
            self._scores["this model"] = self._queries.recall(found)
        return networks

    def _network(self, number: int, features: Features, progress: ProgressCallback) -> Parameters:
        """Train one network."""
        room = self._config.dim - (self.kernel.dim if self.kernel else 0)
        config = self._config.of_network(number, room)
        steps = steps_for(config, self._learned.members)
        every = max(1, steps // _CHECKS)
        losses: list[float] = []
        self._best = None

        def watch(step: int, loss: float, parameters: Parameters) -> None:
            losses.append(loss)
            if step % every and step != steps:
                return
            event = {"event": "step", "step": number * steps + step}
            event |= {"loss": float(np.mean(losses[-every:]))}
            progress(event | self._check(features, parameters))

        parameters = train(features, self._learned.members, config, watch)
        return parameters if self._best is None else self._best[1]

    def _check(self, features: Features, parameters: Parameters) -> dict[str, float]:
        """Measure recall on the held-out tracks; keep the best parameters."""
        if self._queries is None:
            return {}
        recall = self._queries.recall(_encoded((parameters,), features, self._queries))
        if self._best is None or recall > self._best[0]:
            copies = {name: values.copy() for name, values in parameters.items()}
            self._best = recall, copies
        return {"recall@10": recall}

    def about(self, tables: list[str]) -> dict[str, Any]:
        """The text and numbers of the model's card; tables: what it was trained on."""
        blocks = {n: int(known.sum()) for n, known in self._content.known.items()}
        card: dict[str, Any] = {
            "summary": "a track encoder, trained on one catalog",
            "training": {
                "tables": tables,
                "tracks": len(self._ids),
                "groups": len(self._groups),
                "tracks_in_groups": len(np.unique(self._groups.members.indices)),
                "unknown_rows": self._groups.unknown,
                "idle_rows": self._groups.idle,
                "known_of": blocks,
                "config": asdict(self._config),
            },
        }
        if self._scores:
            held = int(self._heldout.sum())
            card["scores"] = {
                f"recall@10 of {held} held-out tracks": {
                    name: round(score, 4) for name, score in self._scores.items()
                }
            }
        card["weaknesses"] = (
            "Knows the words, names and listeners of its catalog only; train it again when they "
            "change. The step with the best score on held-out tracks was kept, so that score is "
            "slightly optimistic."
        )
        return card


def _groups(
    tracks: pa.Table,
    pairs: TableLike | None,
    listens: TableLike | None,
    playlists: TableLike | None,
    config: TrackConfig,
) -> TrackGroups:
    """The groups of all given tables, concatenated."""
    ids = tracks["track_id"].combine_chunks()
    found = [] if pairs is None else [from_pairs(as_table(pairs, "the pairs"), ids)]
    if listens is not None:
        gap = config.session_gap_minutes
        found.append(from_listens(as_table(listens, "the listens"), ids, gap))
    if playlists is not None:
        found.append(from_playlists(as_table(playlists, "the playlists"), ids))
    if not found:
        return from_metadata(tracks)
    return TrackGroups(
        csr_matrix(vstack([g.members for g in found])),
        csr_matrix(vstack([g.interactions for g in found])),
        sum(g.unknown for g in found),
        sum(g.idle for g in found),
    )


def _audio_model(catalog: Catalog, asked: str | None) -> str | None:
    """The audio model: as given, or the first that was not trained on this catalog."""
    if asked is not None:
        return catalog.model_entry(asked)[0]
    own = {path.parent.name for path in (catalog.path / "models").glob("*/card.json")}
    return next((name for name in catalog.models() if name not in own), None)


def _encoded(networks: Networks, features: Features, queries: HeldoutQueries) -> Floats:
    """Vectors of the tracks in the held-out queries; zeros for the others."""
    rows = np.union1d(queries.tracks, queries.known.indices)
    dim = sum(network["hidden.weight"].shape[0] for network in networks)
    vectors = np.zeros((len(features), dim), np.float32)
    for part in np.array_split(rows, max(1, len(rows) // 8192)):
        vectors[part] = encoded(networks, features.take(part))
    return vectors


def _silent(event: Mapping[str, Any]) -> None:
    """Ignore progress."""

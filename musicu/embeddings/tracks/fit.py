"""Learn a track encoder on a catalog, from what is known of which tracks belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix, vstack

from musicu.catalog.catalog import Catalog
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
from musicu.embeddings.tracks.track_encoder import TrackEncoder, audio_rows
from musicu.embeddings.tracks.track_features import Features, FeatureSpace, Floats
from musicu.embeddings.tracks.track_groups import (
    TrackGroups,
    from_listens,
    from_metadata,
    from_pairs,
    from_playlists,
)
from musicu.embeddings.tracks.track_network import Networks, Parameters, encoded
from musicu.errors import QueryError
from musicu.normalisation import unit_rows
from musicu.records import Vectors

ProgressCallback = Callable[[dict[str, Any]], None]

_LOOKS = 10  # how often training looks at the held-out tracks
_REGULARISATION = 10.0


def fit_tracks(
    catalog: Catalog,
    pairs: pa.Table | None = None,
    listens: pa.Table | None = None,
    playlists: pa.Table | None = None,
    collaborative: Vectors | None = None,
    config: TrackConfig | None = None,
    *,
    name: str = "tracks-v1",
    audio_model: str | None = None,
    progress: ProgressCallback | None = None,
) -> TrackEncoder:
    """Learn from any of pairs, listens and playlists; from artists and albums where none is given.

    The tables' columns are those of `groups`. collaborative: vectors of tracks from elsewhere, to
    be used in the place of those that it fits to the tables. audio_model: whose vectors say how
    tracks sound; the one last added to the catalog, if any, where None. say: is told how it goes.

    Raises QueryError where a table lacks a column, holds what is no number, or has no two
    different tracks of the catalog that belong together.
    """
    config = config or TrackConfig()
    tracks = catalog.tracks()
    groups = _groups(tracks, pairs, listens, playlists, config)
    sound = _sound_model(catalog, audio_model)
    audio = catalog.vectors(sound) if sound else None
    work = _Fit(tracks, audio, groups, collaborative, config)
    networks = work.train(progress or _silent)
    return TrackEncoder(
        name=name,
        networks=networks,
        space=work.space,
        kernel=work.kernel,
        projections=work.projections,
        discography=work.whole_discography(),
        audio_model=sound,
        about=work.about(),
    )


@dataclass(slots=True)
class _Checkpoint:
    """The parameters that were best for held-out tracks so far."""

    recall: float
    step: int
    parameters: Parameters


class _Fit:
    """One fit: what it prepares, and what it keeps for the encoder and its card."""

    def __init__(
        self,
        tracks: pa.Table,
        audio: Vectors | None,
        groups: TrackGroups,
        collaborative: Vectors | None,
        config: TrackConfig,
    ) -> None:
        self._rng = np.random.default_rng(config.seed)
        self._config, self._groups, self._given = config, groups, collaborative
        order = pc.sort_indices(tracks, sort_keys=[("released", "ascending")])
        self._by_date = order.to_numpy()
        self._tracks, self._ids = tracks, np.asarray(tracks["track_id"].to_pylist(), object)
        self._heldout = choose_heldout(groups.members, config.heldout, self._rng)
        self._trial = heldout_queries(groups.members, self._heldout, self._rng)
        self._learned = groups.without(self._heldout)
        taught = np.zeros(len(self._ids), bool)
        taught[self._learned.members.indices] = True
        rows = audio_rows(tracks, audio)
        self.space = FeatureSpace.fit(
            tracks.filter(pa.array(taught)),
            None if rows is None else rows[taught],
            config.min_count,
            config.max_vocabulary,
        )
        self._content = self.space.content(tracks, rows)
        if not self._content.blocks:
            raise QueryError(
                "nothing is known of the tracks but their ids: give the table columns of words or "
                "numbers, or the catalog vectors of their sound"
            )
        self.kernel = Kernel.fit(tracks, self._learned.members, config.kernel_dim, self._rng)
        self.projections = key_projections(self._content, self._rng)
        self._keys = keys_of(self._content, self.projections)
        self._users: Floats | None = None
        self._vectors = self._collaborative()
        self._scores: dict[str, float] = {}
        self._best: _Checkpoint | None = None

    def _collaborative(self) -> Floats | None:
        """Collaborative unit vectors of the tracks that were not held out; zero where unknown."""
        if self._given is not None:
            given = audio_rows(self._tracks, self._given)
            assert given is not None
            return unit_rows(np.where(self._heldout[:, None], np.float32(0), np.nan_to_num(given)))
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
        """The collaborative vectors, those of the held-out tracks folded in."""
        if self._vectors is None or not self._heldout.any():
            return self._discography(self._vectors)
        vectors = self._vectors.copy()
        if self._given is not None:
            given = audio_rows(self._tracks, self._given)
            assert given is not None
            vectors[self._heldout] = unit_rows(np.nan_to_num(given))[self._heldout]
        elif self._users is not None and self._groups.interactions is not None:
            columns = csr_matrix(self._groups.interactions.T)[np.flatnonzero(self._heldout)]
            vectors[self._heldout] = unit_rows(solve_rows(columns, self._users, _REGULARISATION))
        return self._discography(vectors)

    def train(self, progress: ProgressCallback) -> Networks:
        """The networks, each as it was best for held-out tracks."""
        features = with_listening(
            self._content, self._tracks, self._discography(self._vectors), self.projections
        )
        if self._trial is not None:
            ways = baseline_vectors(features, self._keys)
            self._scores = {way: self._trial.recall(found) for way, found in ways.items()}
            progress({"event": "held out", "tracks": int(self._heldout.sum()), **self._scores})
        networks = tuple(
            self._network(number, features, progress) for number in range(self._config.networks)
        )
        if self._trial is not None:
            found = _encoded(networks, features, self._trial)
            if self.kernel is not None:
                found = self.kernel.beside(found, self._tracks)
            self._scores["this model"] = self._trial.recall(found)
        return networks

    def _network(self, number: int, features: Features, progress: ProgressCallback) -> Parameters:
        """One of the networks."""
        room = self._config.dim - (self.kernel.dim if self.kernel else 0)
        config = self._config.of_network(number, room)
        steps = steps_for(config, self._learned.members)
        every = max(1, steps // _LOOKS)
        losses: list[float] = []
        self._best = None

        def watch(step: int, loss: float, parameters: Parameters) -> None:
            losses.append(loss)
            if step % every and step != steps:
                return
            event = {"event": "step", "step": number * steps + step}
            event |= {"loss": float(np.mean(losses[-every:]))}
            progress(event | self._look(step, features, parameters))

        parameters = train(features, self._learned.members, config, watch)
        return parameters if self._best is None else self._best.parameters

    def _look(self, step: int, features: Features, parameters: Parameters) -> dict[str, float]:
        """How the held-out tracks are found now; the best parameters are kept."""
        if self._trial is None:
            return {}
        recall = self._trial.recall(_encoded((parameters,), features, self._trial))
        if self._best is None or recall > self._best.recall:
            copies = {name: values.copy() for name, values in parameters.items()}
            self._best = _Checkpoint(recall, step, copies)
        return {"recall@10": recall}

    def about(self) -> dict[str, Any]:
        """What the model's card says."""
        blocks = {n: int(known.sum()) for n, known in self._content.known.items()}
        told: dict[str, Any] = {
            "summary": "a track encoder, learned on one catalog",
            "training": {
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
            told["scores"] = {
                f"recall@10 of {held} held-out tracks": {
                    way: round(score, 4) for way, score in self._scores.items()
                }
            }
        told["weaknesses"] = (
            "Knows the words, names and listeners of its catalog only; train it anew when they "
            "have changed. The step with the best score on held-out tracks was taken, so that "
            "score is a little high."
        )
        return told


def _groups(
    tracks: pa.Table,
    pairs: pa.Table | None,
    listens: pa.Table | None,
    playlists: pa.Table | None,
    config: TrackConfig,
) -> TrackGroups:
    """The groups of every table that is given, one below the other."""
    ids = tracks["track_id"].combine_chunks()
    found = [] if pairs is None else [from_pairs(pairs, ids)]
    found += [] if listens is None else [from_listens(listens, ids, config.session_gap_minutes)]
    found += [] if playlists is None else [from_playlists(playlists, ids)]
    if not found:
        return from_metadata(tracks)
    return TrackGroups(
        csr_matrix(vstack([g.members for g in found])),
        csr_matrix(vstack([g.interactions for g in found])),
        sum(g.unknown for g in found),
        sum(g.idle for g in found),
    )


def _sound_model(catalog: Catalog, asked: str | None) -> str | None:
    """The model whose vectors say how tracks sound: as asked, or the last that was not learned."""
    if asked is not None:
        return catalog.model_entry(asked)[0]
    own = {path.parent.name for path in (catalog.path / "models").glob("*/card.json")}
    return next((name for name in catalog.models() if name not in own), None)


def _encoded(networks: Networks, features: Features, trial: HeldoutQueries) -> Floats:
    """Vectors of the tracks that a trial needs; zero for the others."""
    rows = np.union1d(trial.tracks, trial.known.indices)
    dim = sum(network["hidden.weight"].shape[0] for network in networks)
    vectors = np.zeros((len(features), dim), np.float32)
    for part in np.array_split(rows, max(1, len(rows) // 8192)):
        vectors[part] = encoded(networks, features.take(part))
    return vectors


def _silent(event: Mapping[str, Any]) -> None:
    """Say nothing."""

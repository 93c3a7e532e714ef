"""The track encoder: metadata, sound and listening of a track to one unit vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from safetensors import SafetensorError

from musicu.embeddings.cards import ModelCard, read_card
from musicu.embeddings.tracks import storage
from musicu.embeddings.tracks.discography import Discography, with_listening
from musicu.embeddings.tracks.kernel import Kernel
from musicu.embeddings.tracks.track_features import Features, FeatureSpace, Floats
from musicu.embeddings.tracks.track_network import Networks, encoded
from musicu.errors import ModelError, QueryError
from musicu.records import Vectors

_ROWS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True, eq=False)
class TrackEncoder:
    """Turns tracks into unit vectors in which those that are heard together lie close.

    name: of the model, with its version. kernel: of numbers, None where there are none.
    projections: that make keys of content, by block.
    discography: None where it was learned without listening. audio_model: whose vectors it takes,
    None for none. about: what its card tells people.
    """

    name: str
    networks: Networks
    space: FeatureSpace
    kernel: Kernel | None
    projections: dict[str, Floats]
    discography: Discography | None
    audio_model: str | None
    about: dict[str, Any]

    @property
    def dim(self) -> int:
        """The length of a vector."""
        learned = sum(int(network["hidden.weight"].shape[0]) for network in self.networks)
        return learned + (self.kernel.dim if self.kernel else 0)

    def encode(
        self, tracks: pa.Table, audio: Vectors | None = None, *, listened: bool = False
    ) -> Vectors:
        """Ids and unit vectors float32 [tracks, dim], in the order of the table.

        tracks: `track_id` and any of the columns that a catalog has; one that is not there counts
        as missing. audio: vectors of `audio_model`, of some of the tracks. A track of which
        nothing is known, not even a word seen in training, has no vector and is not among them.
        listened: let tracks that were played in training also show how. That makes more of the
        tracks that stand for a listener or playlist; candidates are to be encoded without, so that
        played and unplayed ones are on one footing.

        Raises QueryError where there are no ids, or audio has another length.
        """
        if "track_id" not in tracks.column_names:
            raise QueryError(
                f"the table has no column 'track_id', only {', '.join(tracks.column_names)}"
            )
        ids, values = [np.empty(0, object)], [np.empty((0, self.dim), np.float32)]
        for start in range(0, tracks.num_rows, _ROWS_AT_ONCE):
            part = tracks.slice(start, _ROWS_AT_ONCE)
            features = self.features(part, audio)
            if not listened:
                features = features.without("collaborative")
            known = np.any(list(features.known.values()), axis=0)
            ids.append(np.asarray(part["track_id"].to_pylist(), object)[known])
            found = encoded(self.networks, features.take(np.flatnonzero(known)))
            kept = part.filter(pa.array(known))
            values.append(found if self.kernel is None else self.kernel.beside(found, kept))
        return Vectors(np.concatenate(ids), np.concatenate(values))

    def features(self, tracks: pa.Table, audio: Vectors | None) -> Features:
        """What the network reads of tracks; raises QueryError where audio has another length."""
        expected = self.space.audio_mean
        if audio is not None and expected is not None and audio.values.shape[1] != len(expected):
            raise QueryError(
                f"{self.name} takes vectors of {self.audio_model} with {len(expected)} numbers, "
                f"these have {audio.values.shape[1]}"
            )
        content = self.space.content(tracks, audio_rows(tracks, audio))
        return with_listening(content, tracks, self.discography, self.projections)

    def save(self, folder: str | Path) -> ModelCard:
        """Write the model folder, and return its card; raises ModelError where it cannot."""
        folder = Path(folder)
        files = [storage.NETWORK, storage.VOCABULARY]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            rooms: dict[str, Mapping[str, Floats]] = {
                f"network{n}": found for n, found in enumerate(self.networks)
            }
            rooms["projection"] = self.projections
            if self.kernel is not None:
                rooms |= storage.rooms_of(self.kernel)
            storage.write_arrays(folder, self.space, **rooms)
            if self.discography is not None:
                storage.write_discography(folder, self.discography)
                files.append(storage.DISCOGRAPHY)
            about = {**self.about, "audio_model": self.audio_model}
            storage.write_card(folder, self.name, self.dim, files, about)
        except OSError as error:
            raise ModelError(f"cannot write the model to {folder}: {error.strerror}") from error
        return read_card(folder)

    @classmethod
    def load(cls, folder: str | Path) -> TrackEncoder:
        """The encoder in a model folder; raises ModelError where there is no whole one."""
        card = read_card(Path(folder))
        if card.kind != storage.KIND:
            raise ModelError(f"{card.name} is of kind {card.kind!r}, not a track encoder")
        listened = storage.DISCOGRAPHY in card.files
        try:
            space, rooms = storage.read_arrays(card.folder)
            discography = storage.read_discography(card.folder) if listened else None
            about = {name: text for name, text in card.about.items() if name != "audio_model"}
            return cls(
                name=card.name,
                networks=storage.networks_of(rooms),
                space=space,
                kernel=storage.kernel_of(rooms),
                projections=rooms.get("projection", {}),
                discography=discography,
                audio_model=card.about.get("audio_model"),
                about=about,
            )
        except (OSError, ValueError, KeyError, SafetensorError, pa.ArrowException) as error:
            raise ModelError(
                f"{card.folder} does not hold the track encoder of its card ({error!r}): train it "
                "again"
            ) from error


def audio_rows(tracks: pa.Table, audio: Vectors | None) -> Floats | None:
    """The vectors of tracks, float32 [tracks, dim], NaN where there is none."""
    if audio is None:
        return None
    held = pa.array(audio.ids, pa.string())
    rows = pc.fill_null(pc.index_in(tracks["track_id"], value_set=held), -1).to_numpy()
    nothing = np.full((1, audio.values.shape[1]), np.nan, np.float32)
    return np.where((rows >= 0)[:, None], audio.values[rows] if len(held) else nothing, nothing)

"""The track encoder: from metadata, audio and listening of a track to a unit vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError

from musicu.embeddings.cards import ModelCard, read_card, write_card
from musicu.embeddings.tracks import storage
from musicu.embeddings.tracks.discography import Discography, with_listening
from musicu.embeddings.tracks.kernel import Kernel
from musicu.embeddings.tracks.track_features import Features, FeatureSpace, Floats, audio_rows
from musicu.embeddings.tracks.track_network import Networks, encoded
from musicu.errors import ModelError, QueryError
from musicu.ingest.arrow_tables import TableLike, typed_tracks
from musicu.records import Vectors

KIND = "track"
_NO_AUDIO = {"sample_rate": 0, "windows": {"seconds": 0.0, "count": 0}}
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True, eq=False)
class TrackEncoder:
    """Maps tracks to unit vectors in which tracks that are played together are near.

    name: of the model, with its version. kernel: of the numbers; None without numbers.
    projections: from content to keys, by block. discography: None for training without listening.
    audio_model: whose vectors are an input; None for none. about: the text of its card.
    fingerprint: of the saved model; "" before it is saved.
    """

    name: str
    networks: Networks
    space: FeatureSpace
    kernel: Kernel | None
    projections: dict[str, Floats]
    discography: Discography | None
    audio_model: str | None
    about: dict[str, Any]
    fingerprint: str = ""

    @property
    def dim(self) -> int:
        """The length of a vector."""
        learned = sum(int(network["hidden.weight"].shape[0]) for network in self.networks)
        return learned + (self.kernel.dim if self.kernel else 0)

    def encode(
        self, tracks: TableLike, audio: Vectors | None = None, *, listened: bool = False
    ) -> Vectors:
        """Ids and unit vectors float32 [tracks, dim], in the order of the table.

        tracks: `Catalog.tracks()`, or a table as `musicu scan` takes it, which is read in the same
        way; missing columns count as unknown. audio: vectors of `audio_model`, of any of the
        tracks. A track without any known feature, not even a word seen in training, has no vector
        and is left out.
        listened: also use the collaborative vectors of tracks played in training. Use it for the
        tracks that represent a listener or playlist, which it improves; encode candidates without
        it, so that played and unplayed tracks are comparable.

        Raises SourceError where there are no ids, or a cell has no value of its column's type, and
        QueryError where audio is another model's.
        """
        rows = typed_tracks(tracks)
        ids, values = [np.empty(0, object)], [np.empty((0, self.dim), np.float32)]
        for start in range(0, rows.num_rows, _ROWS_AT_ONCE):
            part = rows.slice(start, _ROWS_AT_ONCE)
            features = self.features(part, audio)
            if not listened:
                features = features.without("collaborative")
            known = np.any(list(features.known.values()), axis=0)
            ids.append(np.asarray(part["track_id"].to_pylist(), object)[known])
            found = encoded(self.networks, features.take(np.flatnonzero(known)))
            kept = part.filter(pa.array(known))
            values.append(found if self.kernel is None else self.kernel.concatenate(found, kept))
        found_ids, found_values = np.concatenate(ids), np.concatenate(values)
        return Vectors(found_ids, found_values, self.name, self.fingerprint, of_sound=False)

    def features(self, tracks: pa.Table, audio: Vectors | None) -> Features:
        """The input features of typed tracks; raises QueryError where audio is another model's."""
        expected = self.space.audio_mean
        if audio is not None and audio.model and self.audio_model not in (None, audio.model):
            raise QueryError(
                f"{self.name} takes vectors of {self.audio_model}, these are of {audio.model}: "
                f"give catalog.vectors({self.audio_model!r})"
            )
        if audio is not None and expected is not None and audio.values.shape[1] != len(expected):
            raise QueryError(
                f"{self.name} takes vectors of {self.audio_model} with {len(expected)} numbers, "
                f"these have {audio.values.shape[1]}"
            )
        content = self.space.content(tracks, None if audio is None else audio_rows(tracks, audio))
        return with_listening(content, tracks, self.discography, self.projections)

    def save(self, folder: str | Path) -> ModelCard:
        """Write the model folder and return its card; raises ModelError where that fails."""
        folder = Path(folder)
        files = [storage.NETWORK, storage.VOCABULARY]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            sections: dict[str, Mapping[str, Floats]] = {
                f"network{n}": found for n, found in enumerate(self.networks)
            }
            sections["projection"] = self.projections
            if self.kernel is not None:
                sections |= storage.kernel_sections(self.kernel)
            storage.write_arrays(folder, self.space, **sections)
            if self.discography is not None:
                storage.write_discography(folder, self.discography)
                files.append(storage.DISCOGRAPHY)
            about = {**self.about, "audio_model": self.audio_model}
            plain = {"name": self.name, "kind": KIND, "dim": self.dim, "files": files}
            write_card(folder, {**plain, **_NO_AUDIO, "about": about})
        except OSError as error:
            raise ModelError(f"cannot write the model to {folder}: {error.strerror}") from error
        return read_card(folder)

    @classmethod
    def load(cls, folder: str | Path) -> TrackEncoder:
        """Load the encoder of a model folder; raises ModelError where it is incomplete."""
        card = read_card(Path(folder))
        if card.kind != KIND:
            raise ModelError(f"{card.name} is of kind {card.kind!r}, not a track encoder")
        listened = storage.DISCOGRAPHY in card.files
        try:
            space, sections = storage.read_arrays(card.folder)
            discography = storage.read_discography(card.folder) if listened else None
            about = {name: text for name, text in card.about.items() if name != "audio_model"}
            return cls(
                name=card.name,
                networks=storage.networks_of(sections),
                space=space,
                kernel=storage.kernel_of(sections),
                projections=sections.get("projection", {}),
                discography=discography,
                audio_model=card.about.get("audio_model"),
                about=about,
                fingerprint=card.fingerprint,
            )
        except (OSError, ValueError, KeyError, SafetensorError, pa.ArrowException) as error:
            raise ModelError(
                f"{card.folder} does not hold the track encoder of its card ({error!r}): train it "
                "again"
            ) from error

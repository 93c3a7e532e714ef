"""Vectors of tracks whose sound nobody has, by the catalog's own encoder of metadata."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.catalog.manifest import TRACK_KEY
from musicu.catalog.rows import Row, tracks_table
from musicu.embeddings.cards import ModelCard, read_card
from musicu.embeddings.tracks.refresh import FOLDER
from musicu.embeddings.tracks.track_encoder import TrackEncoder
from musicu.serving.generation import OpenedCatalog


class RowVectors:
    """Encodes rows of metadata, where the model in use is a track encoder of the catalog."""

    def __init__(self) -> None:
        self._opened: tuple[ModelCard, TrackEncoder] | None = None

    def encoded(
        self, row: Row, base: OpenedCatalog
    ) -> tuple[NDArray[np.float32], ModelCard] | None:
        """A row's vector, float32 [dim], and the model that it is of; None where it has none.

        row: with the catalog's columns. That is so under a model of sound, and where the encoder
        knows nothing of what the row says. Raises ModelError where the encoder cannot be read.
        """
        opened = self._of(base)
        if opened is None:
            return None
        card, encoder = opened
        found = encoder.encode(tracks_table([row], pa.schema([])))
        return (found.values[0], card) if len(found) else None

    def _of(self, base: OpenedCatalog) -> tuple[ModelCard, TrackEncoder] | None:
        """The encoder whose vectors the opened catalog has, which may have been trained anew."""
        if base.model is None:
            return None
        folder = base.catalog.path / FOLDER / base.model
        entry = base.catalog.model_entry(base.model)[1]
        if entry.key != TRACK_KEY or not (folder / "card.json").is_file():
            return None
        opened = self._opened
        if opened is None or opened[0].fingerprint != entry.fingerprint:
            card = read_card(folder)
            if card.fingerprint != entry.fingerprint:
                return None  # it was replaced since: its vectors are other ones
            self._opened = opened = card, TrackEncoder.load(folder)
        return opened

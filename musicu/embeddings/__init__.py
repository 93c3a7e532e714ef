"""Models of sound, models of tracks, and what runs them over a catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from musicu.public_names import loaded_when_used

if TYPE_CHECKING:
    from musicu.embeddings.cards import ModelCard as ModelCard
    from musicu.embeddings.embedder import Embedder as Embedder
    from musicu.embeddings.tracks.config import TrackConfig as TrackConfig
    from musicu.embeddings.tracks.fit import fit_tracks as fit_tracks
    from musicu.embeddings.tracks.refresh import add_track_model as add_track_model
    from musicu.embeddings.tracks.track_encoder import TrackEncoder as TrackEncoder

_HOMES = {
    "Embedder": "musicu.embeddings.embedder",
    "ModelCard": "musicu.embeddings.cards",
    "TrackConfig": "musicu.embeddings.tracks.config",
    "TrackEncoder": "musicu.embeddings.tracks.track_encoder",
    "add_track_model": "musicu.embeddings.tracks.refresh",
    "fit_tracks": "musicu.embeddings.tracks.fit",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = loaded_when_used(__name__, _HOMES)

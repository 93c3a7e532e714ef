"""Track encoders in a catalog: the model in `models/<name>/`, its vectors in `vectors/<name>/`."""

from __future__ import annotations

import shutil
from pathlib import Path

from musicu.catalog.catalog import Catalog
from musicu.catalog.file_names import check_file_name
from musicu.catalog.files import plain_errors
from musicu.catalog.manifest import TRACK_KEY, ModelEntry
from musicu.catalog.rows import latest, vectors_by_track
from musicu.catalog.store import Change, Store
from musicu.embeddings.cards import ModelCard, read_card
from musicu.embeddings.tracks.track_encoder import TrackEncoder
from musicu.errors import CatalogError

FOLDER = "models"


def add_track_model(
    catalog: Catalog | str | Path, encoder: TrackEncoder, *, make_default: bool = True
) -> ModelCard:
    """Store an encoder in a catalog, with the vectors of all tracks; replaces one of its name.

    catalog: open, or its folder. make_default: make a new one the catalog's default model.

    Raises CatalogError where vectors from elsewhere have that name.
    """
    folder = catalog.path if isinstance(catalog, Catalog) else Path(catalog)
    check_file_name(encoder.name, "the model")
    with Store.writing(folder) as store:
        room = folder / FOLDER / encoder.name
        if encoder.name in store.manifest.models and not (room / "card.json").is_file():
            raise CatalogError(
                f"{folder} has vectors of another model under the name {encoder.name!r}: choose "
                "another name"
            )
        fresh = room.with_name(f".{encoder.name}.new")
        with plain_errors(room):
            shutil.rmtree(fresh, ignore_errors=True)
            encoder.save(fresh)
            shutil.rmtree(room, ignore_errors=True)
            fresh.replace(room)
        card = read_card(room)
        new = encoder.name not in store.manifest.models
        _encode(store, encoder, card, make_default=new and make_default)
    return card


def refresh_track_vectors(catalog: str | Path) -> list[str]:
    """Encode the tracks of a catalog again with each of its track encoders.

    For changed tracks, metadata or audio vectors; returns the names of the encoders.
    """
    folder = Path(catalog)
    cards = [read_card(path.parent) for path in sorted((folder / FOLDER).glob("[!.]*/card.json"))]
    if not cards:
        return []
    with Store.writing(folder) as store:
        for card in cards:
            _encode(store, TrackEncoder.load(card.folder), card)
    return [card.name for card in cards]


def _encode(
    store: Store, encoder: TrackEncoder, card: ModelCard, *, make_default: bool = False
) -> None:
    """Replace the model's vectors by those of all tracks."""
    catalog = Catalog(store)
    audio_model = encoder.audio_model if encoder.audio_model in catalog.models() else None
    audio = catalog.vectors(audio_model) if audio_model else None
    found = encoder.encode(catalog.tracks(), audio)
    entry = ModelEntry(card.fingerprint, card.dim, TRACK_KEY)
    rows = latest(vectors_by_track(list(found.ids), found.values), TRACK_KEY)
    change = Change(f"vectors/{card.name}", rows, replace=True)
    default = card.name if make_default else None
    store.commit([change], {card.name: entry}, default_model=default)

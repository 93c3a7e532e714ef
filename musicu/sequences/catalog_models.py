"""Next-item models of a catalog, in its folder models/next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from musicu.errors import ModelError, QueryError
from musicu.sequences.next_item_model import NextItemModel
from musicu.sequences.next_item_storage import CARD, load_next_model, save_next_model

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog

_FOLDER = Path("models") / "next"


def has_next_model(catalog: Catalog) -> bool:
    """Whether a next-item model was trained for the catalog."""
    return (catalog.path / _FOLDER / CARD).is_file()


def store_next_model(catalog: Catalog, model: NextItemModel, vector_model: str | None) -> None:
    """Keep a model beside the catalog, with the fingerprint of the vectors that are its content."""
    about = {}
    if vector_model is not None:
        name, entry = catalog.model_entry(vector_model)
        about = {"vectors": name, "fingerprint": entry.fingerprint}
    save_next_model(model, catalog.path / _FOLDER, about)


def open_next_model(catalog: Catalog) -> NextItemModel:
    """The catalog's model, with the tracks that were added after it was trained.

    Raises ModelError where there is none, or where the vectors that it reads are others now.
    """
    model, about = load_next_model(catalog.path / _FOLDER)
    if "vectors" not in about:
        return model
    try:
        name, entry = catalog.model_entry(about["vectors"])
    except QueryError as error:
        raise ModelError(f"the next-item model cannot be used: {error}") from error
    if entry.fingerprint != about["fingerprint"]:
        raise ModelError(
            f"the next-item model of {catalog.path} was trained with other vectors of {name!r}: "
            "run `musicu train next` again"
        )
    vectors = catalog.vectors(name)
    return model.extended(vectors.ids.tolist(), vectors.values)

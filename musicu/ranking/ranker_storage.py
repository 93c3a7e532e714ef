"""The ranker of a catalog, in its file models/ranker/ranker.json: replaced as a whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musicu.catalog.files import write_atomically
from musicu.errors import ModelError, QueryError
from musicu.ranking.learned_ranker import LearnedRanker
from musicu.ranking.list_models import BoostedTrees, LinearModel, ListModel
from musicu.ranking.ranker import RANKERS, Ranker
from musicu.ranking.ranking_features import SOUND, FeatureMaker
from musicu.sequences.catalog_models import has_next_model, open_next_model

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog
    from musicu.items.item_table import ItemTable

FORMAT = 1
_FILE = Path("models") / "ranker" / "ranker.json"


def catalog_features(catalog: Catalog, items: ItemTable) -> FeatureMaker:
    """Features with all that a catalog knows: its next-item model and its descriptors."""
    following = open_next_model(catalog) if has_next_model(catalog) else None
    return FeatureMaker(items, following, _descriptors(catalog))


def store_ranker(catalog: Catalog, ranker: LearnedRanker) -> None:
    """Keep a ranker beside the catalog."""
    card = {
        "format": FORMAT,
        "note": ranker.note,
        "vectors": ranker.vectors,
        "slope": ranker.slope,
        "intercept": ranker.intercept,
        "rates": dict(ranker.rates),
        "report": dict(ranker.report),
        "model": _model_card(ranker.model),
    }
    text = json.dumps(card, ensure_ascii=False) + "\n"
    path = catalog.path / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda to: to.write_text(text, "utf-8"))


def open_ranker(catalog: Catalog) -> LearnedRanker:
    """The catalog's ranker; ModelError where there is none, or it cannot be read."""
    path = catalog.path / _FILE
    try:
        text = path.read_text("utf-8")
        card = json.loads(text)
        if card["format"] > FORMAT:
            raise ModelError(
                f"{path} has format {card['format']}: this musicu reads up to {FORMAT}, update it"
            )
        found = LearnedRanker(
            _model(card["model"]), card["slope"], card["intercept"], card["rates"],
            card["note"], card["report"], vectors=card["vectors"],
            fingerprint=hashlib.blake2b(text.encode(), digest_size=8).hexdigest(),
        )  # fmt: skip
    except FileNotFoundError:
        raise ModelError(f"{catalog.path} has no ranker: run `musicu train ranker`") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged ({error}): run `musicu train ranker`") from error
    names = found.model.names if found.model is not None else ()
    if "next_score" in names:
        found = replace(found, next_model=open_next_model(catalog))
    if "sound_distance" in names:
        found = replace(found, descriptors=_descriptors(catalog))
    return found


def ranker_of(name: str, catalog: Catalog | None = None) -> Ranker:
    """A ranker by name; the one named "learned" is the catalog's.

    Raises RegistryError for a name that is not known, ModelError where none was trained.
    """
    if name == LearnedRanker.name and catalog is not None:
        return open_ranker(catalog)
    made: Ranker = RANKERS.load(name)()
    return made


def _descriptors(catalog: Catalog) -> Any:
    try:
        table = catalog.descriptors()
    except QueryError:
        return None
    return table.select(["track_id", *(name for name in SOUND if name in table.column_names)])


def _model_card(model: ListModel | None) -> dict[str, Any] | None:
    if isinstance(model, BoostedTrees):
        return {"kind": "trees", "names": model.names, "text": model.text}
    if isinstance(model, LinearModel):
        spread = [value if np.isfinite(value) else None for value in model.spread.tolist()]
        numbers = {"weight": model.weight.tolist(), "middle": model.middle.tolist()}
        return {"kind": "linear", "names": model.names, **numbers, "spread": spread}
    return None


def _model(card: dict[str, Any] | None) -> ListModel | None:
    if card is None:
        return None
    names = tuple(card["names"])
    if card["kind"] == "trees":
        return BoostedTrees(card["text"], names)
    spread = [np.inf if value is None else value for value in card["spread"]]
    return LinearModel(names, np.array(card["weight"]), np.array(card["middle"]), np.array(spread))

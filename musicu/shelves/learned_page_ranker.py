"""A page ranker learned from exposures: rows compete, and a row like those above it is worth less.

A shelf in row r earns something with the probability examination(r) · sigmoid(w · x). x: how often
shelves of its name, or else of its kind, earn something, how near its tracks are to the listener's
taste, how near they are to those of a row above, and how many there are. Shelves are placed from
the top: in each row the one that is worth most below those that stand already.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import optimize
from scipy.special import expit, logit

from musicu.bootstrap import Resamples, interval
from musicu.catalog.files import write_atomically
from musicu.errors import ModelError, QueryError
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.items.item_table import Floats, ItemTable
from musicu.listening.listens import check_listens
from musicu.listening.profiles import TasteProfile, tastes
from musicu.ranking.examination import Examination
from musicu.ranking.graded_lists import list_ndcg
from musicu.rewards import RewardTerm, reward_table

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog
    from musicu.shelves.shelf import Shelf

Doubles = NDArray[np.float64]

FEATURES = ("shelf_rate", "taste", "above", "tracks")
FEWEST_PAGES = 100  # of several shelves, on which something was earned
_FORMAT = 1
_FILE = Path("models") / "ranker" / "page_ranker.json"
_PRIOR = 20.0
_HELD_OUT = 0.25
#: What a service's own shelves are called as recipes.
_RECIPES = {
    "for-you": "because-you-listened",
    "new-releases": "new-for-you",
    "deep-catalog": "deep-cuts",
    "region": "around-the-catalog",
}


@dataclass(frozen=True, slots=True, eq=False)
class ShelfRows:
    """Shelves that were shown, a row each, pages together and in the order of the page.

    name: object. centre: float32 [shelves, dim], the mean of its tracks' vectors. tracks: how
    many. earned: whether anything was. row: on the page. user: object. sizes: int64 [pages].
    """

    name: NDArray[np.object_]
    centre: Floats
    tracks: NDArray[np.int64]
    earned: Doubles
    row: NDArray[np.int64]
    user: NDArray[np.object_]
    sizes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LearnedPageRanker:
    """Orders shelves by what their like earned; leaves them, where `note` says why.

    weights: of FEATURES, and the intercept last. rates: by the name of a shelf, and by its kind.
    report: what was measured when it was trained.
    """

    items: ItemTable | None = None
    weights: Doubles | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    report: Mapping[str, Any] = field(default_factory=dict)
    name: ClassVar[str] = "learned"

    def rank(self, shelves: Sequence[Shelf], profile: TasteProfile | None) -> list[int]:
        """Positions, the first to show first; raises QueryError without a model."""
        if self.items is None:
            raise QueryError(
                "the page ranker learned has no model: run `musicu train ranker`, then "
                "open_page_ranker(catalog, items)"
            )
        if self.weights is None:
            return list(range(len(shelves)))
        names = np.array([shelf.name or shelf.title for shelf in shelves], object)
        centres = np.stack([centre_of(self.items, shelf.track_ids) for shelf in shelves])
        taste = None if profile is None or not len(profile.mean) else profile.mean
        counts = np.array([len(shelf) for shelf in shelves])
        return self.order(names, centres, counts, taste)

    def order(
        self,
        names: NDArray[np.object_],
        centres: Floats,
        tracks: NDArray[np.int64],
        taste: Floats | None,
    ) -> list[int]:
        """The same for shelves as arrays."""
        assert self.weights is not None
        left, placed = list(range(len(names))), list[int]()
        while left:
            made = _features(
                names[left], centres[left], tracks[left], taste, centres[placed], self.rates
            )
            worth = made @ self.weights[:-1]
            placed.append(left.pop(int(np.argmax(worth))))
        return placed


def train_page_ranker(
    items: ItemTable,
    exposures: TableLike,
    outcomes: TableLike,
    listens: TableLike | None = None,
    *,
    terms: Sequence[RewardTerm] | None = None,
    examined: Examination | None = None,
    seed: int = 0,
) -> LearnedPageRanker:
    """Learn from EXPOSURES and OUTCOMES in which order shelves go.

    listens: what the listeners heard, for the taste of each before the first page. examined: how
    likely rows are looked at; None: all alike. The latest quarter of the pages says whether the
    order is clearly better than that which was shown; `note` says why where it is not.
    """
    table = as_table(exposures, "the exposures")
    shown = _shelf_rows(items, table, outcomes, terms)
    owner = np.repeat(np.arange(len(shown.sizes)), shown.sizes)
    told = (np.bincount(owner, shown.earned) > 0) & (shown.sizes > 1)
    pages = int(np.count_nonzero(told))
    if pages < FEWEST_PAGES:
        note = (
            f"only {pages:,} pages of several shelves earned anything, and a page ranker needs "
            f"{FEWEST_PAGES}: shelves stay in the order of their recipes"
        )
        return LearnedPageRanker(items, None, {}, note, {"pages": pages})
    taste = _tastes(items, listens, table)
    cut = round(len(shown.sizes) * (1 - _HELD_OUT))
    fit = owner < cut
    rates = _rates(shown.name[fit], shown.earned[fit])
    seen = np.ones(len(owner)) if examined is None else examined.at(shown.row, 0)
    made = _as_shown(shown, owner, taste, rates)
    weights = _fitted(made[fit], shown.earned[fit], seen[fit])
    ranker = LearnedPageRanker(items, weights, rates)
    scores, ordered = -shown.row.astype(float), np.zeros(len(owner))
    for page in range(cut, len(shown.sizes)):
        rows = np.flatnonzero(owner == page)
        order = ranker.order(
            shown.name[rows], shown.centre[rows], shown.tracks[rows], taste.get(shown.user[rows[0]])
        )
        ordered[rows[order]] = -np.arange(len(rows))
    gain = shown.earned / seen
    pair = [list_ndcg(s, gain, shown.sizes, 5)[cut:] for s in (ordered, scores)]
    known = np.flatnonzero(np.isfinite(pair[0]))
    first = np.cumsum(shown.sizes) - shown.sizes
    users = np.unique(shown.user[first], return_inverse=True)[1][cut:][known]
    drawn = Resamples(users, 1000, seed).means((pair[0] - pair[1])[known])
    ahead = interval(drawn)
    report = {
        "pages": pages,
        "ndcg": float(pair[0][known].mean()),
        "shown": float(pair[1][known].mean()),
        "over_shown": None if ahead is None else [ahead.low, ahead.high],
        "weights": dict(zip(FEATURES, np.round(weights[:-1], 4).tolist(), strict=True)),
    }
    if ahead is None or ahead.low <= 0:
        note = "the learned order of shelves is not clearly better than the one that was shown"
        return LearnedPageRanker(items, None, {}, note, report)
    return LearnedPageRanker(items, weights, rates, "", report)


def store_page_ranker(catalog: Catalog, ranker: LearnedPageRanker) -> None:
    """Keep a page ranker beside the catalog."""
    weights = None if ranker.weights is None else ranker.weights.tolist()
    card = {"format": _FORMAT, "note": ranker.note, "weights": weights, "rates": dict(ranker.rates)}
    text = json.dumps({**card, "report": dict(ranker.report)}, ensure_ascii=False) + "\n"
    path = catalog.path / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda to: to.write_text(text, "utf-8"))


def open_page_ranker(catalog: Catalog, items: ItemTable) -> LearnedPageRanker:
    """The catalog's page ranker; ModelError where there is none, or it cannot be read."""
    path = catalog.path / _FILE
    try:
        card = json.loads(path.read_text("utf-8"))
        if card["format"] > _FORMAT:
            raise ModelError(f"{path} has format {card['format']}: update musicu")
        weights = None if card["weights"] is None else np.array(card["weights"], np.float64)
        return LearnedPageRanker(items, weights, card["rates"], card["note"], card["report"])
    except FileNotFoundError:
        raise ModelError(f"{catalog.path} has no page ranker: run `musicu train ranker`") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged ({error}): run `musicu train ranker`") from error


def centre_of(items: ItemTable, track_ids: Sequence[str]) -> Floats:
    """The direction of the mean of some tracks' vectors: float32 [dim], 0 where none is known."""
    rows = items.rows_of(track_ids)
    values = items.values[rows[rows >= 0]]
    mean = values.sum(axis=0) if len(values) else np.zeros(items.values.shape[1], np.float32)
    length = float(np.linalg.norm(mean))
    return np.asarray(mean / length if length > 0 else mean, np.float32)


def _shelf_rows(
    items: ItemTable, table: pa.Table, outcomes: TableLike, terms: Sequence[RewardTerm] | None
) -> ShelfRows:
    rewards = reward_table(outcomes, terms)
    good = rewards.filter(pc.greater(rewards["reward"], 0))["exposure_id"]
    earned = pc.is_in(table["exposure_id"], value_set=good.combine_chunks().drop_null())
    keys = ["shown_at", "page_id", "shelf_position", "shelf", "user_id"]
    shelves = (
        table.append_column("earned", earned.cast(pa.int8()))
        .group_by(keys, use_threads=False)
        .aggregate([("track_id", "list"), ("earned", "max")])
        .sort_by([(name, "ascending") for name in keys])
    )
    pages = np.array(shelves["page_id"].to_pylist(), object)
    begins = np.flatnonzero(np.r_[True, pages[1:] != pages[:-1]][: len(pages)])
    lists = shelves["track_id_list"].to_pylist()
    dim = items.values.shape[1]
    centres = [centre_of(items, ids) for ids in lists]
    return ShelfRows(
        np.array(shelves["shelf"].to_pylist(), object),
        np.stack(centres) if centres else np.zeros((0, dim), np.float32),
        np.array([len(ids) for ids in lists], np.int64),
        shelves["earned_max"].to_numpy().astype(np.float64),
        shelves["shelf_position"].to_numpy().astype(np.int64),
        np.array(shelves["user_id"].to_pylist(), object),
        np.diff(np.append(begins, len(pages))).astype(np.int64),
    )


def _tastes(items: ItemTable, listens: TableLike | None, table: pa.Table) -> dict[str, Floats]:
    """The mean taste of each listener before the first page."""
    if listens is None or not table.num_rows:
        return {}
    first = pc.min(table["shown_at"])
    known = check_listens(as_table(listens, "the listens"), items.id_texts, now=None).listens
    early = known.filter(pc.less(known["timestamp"], first))
    found = tastes(early, items.vectors, now=first.as_py())
    return {user: taste.mean for user, taste in found if len(taste.mean)}


def _rates(names: NDArray[np.object_], earned: Doubles) -> dict[str, float]:
    """How often shelves of a kind, and of a name, earn something; few say little."""
    usual = float(earned.mean())
    kinds = np.array([kind_of(name) for name in names.tolist()], object)
    rates: dict[str, float] = {}
    for words in (kinds, names):
        each, code = np.unique(words.astype(str), return_inverse=True)
        count, total = np.bincount(code), np.bincount(code, earned)
        prior = np.array([rates.get(kind_of(word), usual) for word in each.tolist()])
        rate = (total + _PRIOR * prior) / (count + _PRIOR)
        rates |= dict(zip(each.tolist(), rate.tolist(), strict=True))
    return rates


def kind_of(name: str) -> str:
    """The recipe that a shelf's name means: "because-you-listened" of "for-you-2"."""
    plain = re.sub(r"-\d+$", "", name)
    return _RECIPES.get(plain, plain)


def _features(
    names: NDArray[np.object_],
    centres: Floats,
    tracks: NDArray[np.int64],
    taste: Floats | None,
    above: Floats,
    rates: Mapping[str, float],
) -> Doubles:
    usual = float(np.mean(list(rates.values()))) if rates else 0.5
    told = [rates.get(name, rates.get(kind_of(name), usual)) for name in map(str, names)]
    rate = np.clip(told, 1e-6, 1 - 1e-6)
    near = centres @ taste if taste is not None else np.zeros(len(names))
    like = (centres @ above.T).max(axis=1) if len(above) else np.zeros(len(names))
    return np.column_stack([logit(rate), near, like, np.log1p(tracks)]).astype(np.float64)


def _as_shown(
    shown: ShelfRows,
    owner: NDArray[np.int64],
    taste: Mapping[str, Floats],
    rates: Mapping[str, float],
) -> Doubles:
    """The features of each shelf below those that stood above it."""
    made = np.zeros((len(owner), len(FEATURES)))
    first = np.cumsum(shown.sizes) - shown.sizes
    for place in range(len(owner)):
        one, above = slice(place, place + 1), slice(first[owner[place]], place)
        made[one] = _features(
            shown.name[one], shown.centre[one], shown.tracks[one],
            taste.get(shown.user[place]), shown.centre[above], rates,
        )  # fmt: skip
    return made


def _fitted(features: Doubles, earned: Doubles, seen: Doubles) -> Doubles:
    """Weights with the largest likelihood of seen · sigmoid(w · x), and a small penalty."""
    rows = np.column_stack([features, np.ones(len(features))])

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        likely = expit(rows @ weights)
        told = np.clip(seen * likely, 1e-9, 1 - 1e-9)
        value = -np.mean(earned * np.log(told) + (1 - earned) * np.log1p(-told))
        pull = (earned / told - (1 - earned) / (1 - told)) * seen * likely * (1 - likely)
        gradient = -(rows.T @ pull) / len(rows) + 1e-3 * weights
        return float(value + 5e-4 * weights @ weights), gradient

    found = optimize.minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B")
    return np.asarray(found.x)

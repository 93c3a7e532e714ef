"""Fitting next-item models: settings, mixture and repeats chosen by what is held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.sequences.content_fit import with_content
from musicu.sequences.content_neighbours import ContentNeighbours, content_table
from musicu.sequences.heldout_sessions import HeldOut, gain, hold_out, rank_of, ranks
from musicu.sequences.item_regression import REGRESSION_CHOICES
from musicu.sequences.mixture import mixture
from musicu.sequences.next_item_model import (
    NextItemModel,
    SequenceSettings,
    SessionCounts,
    distribution,
    make_scorer,
)
from musicu.sequences.sequential_rules import RULE_CHOICES
from musicu.sequences.session_neighbours import NEIGHBOUR_CHOICES
from musicu.sequences.session_table import ItemId, SessionTable, check_sessions

#: Which scorers each kind of model mixes; popularity and the like are behind them all.
KINDS = {"auto": ("rules", "ease", "neighbours"), "rules": ("rules",), "ease": ("ease",)}
_CHOICES: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "rules": RULE_CHOICES,
    "ease": REGRESSION_CHOICES,
    "neighbours": NEIGHBOUR_CHOICES,
}
_BACK_OFF = 1e-4  # what popularity weighs at least, and each other scorer that is kept
_LESS = (1.0, 0.2, 0.04)  # parts of popularity that are tried
_REPEATED = 0.01  # share of held-out targets from which on items are repeated


def fit(
    sessions: Sequence[Sequence[ItemId]],
    *,
    times: Any = None,
    content: Any = None,
    kind: str = "auto",
    seed: int = 0,
    repeats: bool | None = None,
) -> NextItemModel:
    """Fit a model that says which item comes next.

    sessions: lists of ids, each from its first item to its last, the sessions from the oldest to
    the newest unless times are given. times: one a session (its end), or a list of moments a
    session. content: `Vectors`, ids and float32 [items, dim], or vectors by id; items without
    any session may then be next as well. kind: rules, ease, or auto, which mixes these and
    session neighbours. seed: of what is held out. repeats: whether items of the history may be
    next. Default: where 1 % or more of the held-out items are repeats.

    All settings are chosen by held-out sessions. Raises QueryError for what makes no sense.
    """
    if kind not in KINDS:
        raise QueryError(f"the kind is {kind!r}: it must be one of {', '.join(KINDS)}")
    check_sessions(sessions)
    names, vectors = ([], None) if content is None else content_table(content)
    if names and {i for session in sessions for i in session}.isdisjoint(names):
        raise QueryError(
            f"no item of the sessions has content: its ids are such as {names[0]!r}; write those "
            "of the sessions alike"
        )
    items = list(dict.fromkeys([i for session in sessions for i in session] + names))
    row_of = {name: row for row, name in enumerate(items)}
    table = SessionTable.of(sessions, row_of, times)
    if not len(table.item):
        raise QueryError("the sessions are empty: give at least one item")
    rng = np.random.default_rng(seed)
    held = hold_out(table, rng)
    settings, report = chosen(held, len(items), kind, repeats)
    model = NextItemModel(items, SessionCounts.of(table, len(items)), settings, report=report)
    if vectors is None:
        return model
    placed = np.zeros((len(items), vectors.shape[1]), np.float32)
    placed[[row_of[name] for name in names]] = vectors
    return with_content(model, ContentNeighbours.of(placed, model.played), held, rng)


def chosen(
    held: HeldOut, items: int, kind: str, repeats: bool | None
) -> tuple[SequenceSettings, dict[str, Any]]:
    """The settings that do best on what is held out, and what was measured."""
    share = repeat_share(held)
    repeated = share >= _REPEATED if repeats is None else repeats
    settings = SequenceSettings(repeats=repeated)
    if not repeated:
        new = [t not in h for h, t in zip(held.histories, held.targets, strict=True)]
        held = held.taken(np.flatnonzero(new))
    counts = SessionCounts.of(held.train, items)
    measured: dict[str, float] = {}
    for name in KINDS[kind]:
        settings, measured[name] = _best(name, counts, settings, held)
    names = [*KINDS[kind], "popularity", "recent"] + ["repeats"] * repeated
    if kind == "auto":
        weights = mixture(_target_shares(names, counts, settings, held))
        weights = _with_less_popularity(names, weights, counts, settings, held)
    else:
        weights = np.array([1.0] + [0.0] * (len(names) - 1))
    kept = {name: float(w) for name, w in zip(names, weights, strict=True) if w > _BACK_OFF}
    kept["popularity"] = max(kept.get("popularity", 0), _BACK_OFF)
    report = {"targets": len(held), "repeat_share": share, "ndcg": measured, "weights": kept}
    return replace(settings, weights=kept), report


def repeat_share(held: HeldOut) -> float:
    """The share of targets that stand in their histories."""
    again = [t in h for h, t in zip(held.histories, held.targets, strict=True)]
    return float(np.mean(again)) if again else 0.0


def _best(
    name: str, counts: SessionCounts, settings: SequenceSettings, held: HeldOut
) -> tuple[SequenceSettings, float]:
    """Settings with those of a scorer chosen, one after the other; and its NDCG."""
    best, value = settings, _measured(name, counts, settings, held)
    for option, choices in _CHOICES[name].items():
        for choice in choices:
            own = getattr(best, name)
            if getattr(own, option) == choice:
                continue
            tried = replace(best, **{name: replace(own, **{option: choice})})
            found = _measured(name, counts, tried, held)
            if found > value:
                best, value = tried, found
    return best, value


def _measured(name: str, counts: SessionCounts, settings: SequenceSettings, held: HeldOut) -> float:
    scorer = make_scorer(name, counts, settings)

    def scores(history: Any) -> Any:
        excluded = history[:0] if settings.repeats else history
        return distribution(scorer.scores(history), excluded)

    return gain(ranks(scores, held))


def _with_less_popularity(
    names: Sequence[str],
    weights: NDArray[np.float64],
    counts: SessionCounts,
    settings: SequenceSettings,
    held: HeldOut,
) -> NDArray[np.float64]:
    """The mixture with as much of its popularity as does best by NDCG@20.

    The likeliest mixture gives popularity the targets that nothing else explains.
    """
    scorers = [make_scorer(name, counts, settings) for name in names]
    plays = np.array([name in {"popularity", "recent"} for name in names])
    ways = [np.where(plays, weights * factor, weights) for factor in _LESS]
    rank = np.zeros((len(ways), len(held)))
    for row, (history, target) in enumerate(zip(held.histories, held.targets, strict=True)):
        excluded = history[:0] if settings.repeats else history
        found = np.stack([distribution(each.scores(history), excluded) for each in scorers])
        for way, mixed in enumerate(ways):
            rank[way, row] = rank_of(mixed.astype(np.float32) @ found, target)
    return ways[int(np.argmax([gain(each) for each in rank]))]


def _target_shares(
    names: Sequence[str], counts: SessionCounts, settings: SequenceSettings, held: HeldOut
) -> NDArray[np.float64]:
    """What each scorer gives to each target: float64 [targets, scorers]."""
    shares = np.zeros((len(held), len(names)))
    for column, name in enumerate(names):
        scorer = make_scorer(name, counts, settings)
        for row, (history, target) in enumerate(zip(held.histories, held.targets, strict=True)):
            excluded = history[:0] if settings.repeats else history
            shares[row, column] = distribution(scorer.scores(history), excluded)[target]
    return shares

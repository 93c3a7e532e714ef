"""Fitting next-item models: settings, mixture and repeats chosen by what is held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.sequences.heldout_sessions import HeldOut, gain, hold_out, ranks
from musicu.sequences.item_regression import REGRESSION_CHOICES
from musicu.sequences.next_item_model import (
    NextItemModel,
    SequenceSettings,
    SessionCounts,
    distribution,
    make_scorer,
)
from musicu.sequences.sequential_rules import RULE_CHOICES
from musicu.sequences.session_neighbours import NEIGHBOUR_CHOICES
from musicu.sequences.session_table import ItemId, SessionTable

#: Which scorers each kind of model mixes; popularity and the like are behind them all.
KINDS = {"auto": ("rules", "ease", "neighbours"), "rules": ("rules",), "ease": ("ease",)}
_CHOICES: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "rules": RULE_CHOICES,
    "ease": REGRESSION_CHOICES,
    "neighbours": NEIGHBOUR_CHOICES,
}
_BACK_OFF = 1e-4  # what popularity weighs at least, and each other scorer that is kept
_REPEATED = 0.01  # share of held-out targets from which on items are repeated
_ROUNDS = 200


def fit(
    sessions: Sequence[Sequence[ItemId]],
    *,
    times: Any = None,
    kind: str = "auto",
    seed: int = 0,
    repeats: bool | None = None,
) -> NextItemModel:
    """Fit a model that says which item comes next.

    sessions: lists of ids, each from its first item to its last, the sessions from the oldest to
    the newest unless times are given. times: one a session (its end), or a list of moments a
    session. kind: rules, ease, or auto, which mixes these and session neighbours. seed: of what is
    held out. repeats: whether items of the history may be next. Default: where 1 % or more of the
    held-out items are repeats.

    All settings are chosen by held-out sessions. Raises QueryError for what makes no sense.
    """
    if kind not in KINDS:
        raise QueryError(f"the kind is {kind!r}: it must be one of {', '.join(KINDS)}")
    items = list(dict.fromkeys(i for session in sessions for i in session))
    table = SessionTable.of(sessions, {name: row for row, name in enumerate(items)}, times)
    if not len(table.item):
        raise QueryError("the sessions are empty: give at least one item")
    held = hold_out(table, np.random.default_rng(seed))
    settings, report = chosen(held, len(items), kind, repeats)
    return NextItemModel(items, SessionCounts.of(table, len(items)), settings, report)


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


def mixture(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights under which the mixture of scorers makes the targets likeliest.

    Expectation maximisation (deleted interpolation: Jelinek and Mercer, 1980). shares: float64
    [targets, scorers]. float64 [scorers], of sum 1.
    """
    weights = np.full(shares.shape[1], 1 / shares.shape[1])
    told = shares[shares.any(axis=1)]
    for _ in range(_ROUNDS if len(told) else 0):
        part = told * weights
        weights = (part / part.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights

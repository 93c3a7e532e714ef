"""Fitting next-item models: settings, mixture and repeats chosen by what is held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from musicu.errors import QueryError
from musicu.items.item_table import Floats
from musicu.sequences.content_fit import with_content
from musicu.sequences.content_neighbours import content_table
from musicu.sequences.heldout_sessions import hold_out, repeat_share
from musicu.sequences.mixture import mixture, target_shares, with_less_popularity
from musicu.sequences.next_item_model import (
    NextItemModel,
    NextItemScorer,
    SequenceSettings,
    SessionCounts,
    make_scorer,
)
from musicu.sequences.scorer_choices import best_settings
from musicu.sequences.session_table import ItemId, SessionTable, check_sessions, different_ids
from musicu.sequences.transformer_fit import SequenceData, fit_transformer

TRANSFORMER = "transformer"
#: Which scorers each kind of model mixes; popularity and the like are behind them all.
KINDS = {
    "auto": ("rules", "ease", "neighbours"),
    "rules": ("rules",),
    "ease": ("ease",),
    TRANSFORMER: (),
}
_BACK_OFF = 1e-4  # what popularity weighs at least, and each other scorer that is kept
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
    session, one an item, which put its items in order. content: `Vectors`, ids and float32
    [items, dim], or vectors by id; items without any session may then be next as well. kind:
    rules, ease, transformer (the extra `train`), or auto, which mixes rules, EASE and session
    neighbours. seed: of what is held out. repeats: whether items of the history may be next.
    Default: where 1 % or more of the held-out items are repeats.

    All settings are chosen by held-out sessions. Raises QueryError for what makes no sense, and
    MissingExtraError where a transformer is asked for without the extra `train`.
    """
    if kind not in KINDS:
        raise QueryError(f"the kind is {kind!r}: it must be one of {', '.join(KINDS)}")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise QueryError(f"the seed is {seed!r}: give a whole number, 0 or more")
    check_sessions(sessions)
    names, vectors = ([], None) if content is None else content_table(content)
    played = different_ids(sessions)
    if names and set(played).isdisjoint(names):
        raise QueryError(
            f"no item of the sessions has content: its ids are such as {names[0]!r}; write those "
            "of the sessions alike"
        )
    items = different_ids([played, names])
    row_of = {name: row for row, name in enumerate(items)}
    table = SessionTable.of(sessions, row_of, times)
    if not len(table.item):
        raise QueryError("the sessions are empty: give at least one item")
    placed: Floats | None = None
    if vectors is not None:
        placed = np.zeros((len(items), vectors.shape[1]), np.float32)
        placed[[row_of[name] for name in names]] = vectors
    rng = np.random.default_rng(seed)
    held = hold_out(table, rng)
    found = choose(SequenceData(table, held, len(items), placed), kind, repeats, seed)
    counts = SessionCounts.of(table, len(items))
    model = NextItemModel(items, counts, found.settings, report=found.report, made=found.whole)
    if placed is None:
        return model
    return with_content(model, placed, held, found.trial, rng)


@dataclass(frozen=True, eq=False)
class ChosenMixture:
    """Settings with the weights of the mixture, and what was measured.

    trial, whole: scorers that were learned without what is held out, and from all sessions.
    """

    settings: SequenceSettings
    report: Mapping[str, Any]
    trial: Mapping[str, NextItemScorer] = field(default_factory=dict)
    whole: Mapping[str, NextItemScorer] = field(default_factory=dict)


def choose(data: SequenceData, kind: str, repeats: bool | None, seed: int) -> ChosenMixture:
    """The settings and the mixture that do best on what is held out."""
    share = repeat_share(data.held)
    repeated = share >= _REPEATED if repeats is None else repeats
    settings = SequenceSettings(repeats=repeated)
    data = replace(data, held=data.held if repeated else data.held.fresh())
    counts = SessionCounts.of(data.held.train, data.items)
    report: dict[str, Any] = {"targets": len(data.held), "repeat_share": share}
    measured: dict[str, float] = {}
    for name in KINDS[kind]:
        settings, measured[name] = best_settings(name, counts, settings, data.held)
    names = [*KINDS[kind], "popularity", "recent"] + ["repeats"] * repeated
    scorers = [make_scorer(name, counts, settings) for name in names]
    trial: dict[str, NextItemScorer] = {}
    whole: dict[str, NextItemScorer] = {}
    if kind == TRANSFORMER:
        learned = fit_transformer(data, repeated, seed)
        names, scorers = [TRANSFORMER, *names], [learned.trial, *scorers]
        trial[TRANSFORMER], whole[TRANSFORMER] = learned.trial, learned.whole
        measured[TRANSFORMER], report["steps"] = learned.ndcg, learned.steps
    if kind == "auto":
        weights = mixture(target_shares(scorers, data.held, repeated))
        weights = with_less_popularity(names, scorers, weights, data.held, repeated)
    else:
        weights = np.array([1.0] + [0.0] * (len(names) - 1))
    kept = {name: float(w) for name, w in zip(names, weights, strict=True) if w > _BACK_OFF}
    kept["popularity"] = max(kept.get("popularity", 0), _BACK_OFF)
    report |= {"ndcg": measured, "weights": kept}
    return ChosenMixture(replace(settings, weights=kept), report, trial, whole)

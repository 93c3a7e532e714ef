"""How much content counts, and at which level items stand that nobody has played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from musicu.items.item_table import Floats, Ints
from musicu.sequences.content_neighbours import ContentNeighbours, ContentSettings
from musicu.sequences.heldout_sessions import HeldOut, gain, hold_out_items, rank_of
from musicu.sequences.mixture import mixture
from musicu.sequences.next_item_model import NextItemModel, NextItemScorer, SessionCounts

#: What items without plays may cost of the NDCG@10 of the others, as a share of it: so much of what
#: it is without content, and more where content has gained more, up to the second.
WARM_COST, MOST_COST = 0.01, 0.03
_DECAYS = (0.6, 0.8, 0.95)
_PARTS = ("sessions", "alike", "spread")
_BY_CONTENT = _PARTS[1:]
_TAKEN = 0.1  # share of the items that play the part of items without plays
_MOST_TARGETS, _FEWEST = 2_000, 30
_TRIED = 0.01  # share of the items that the level is set against at least
_TOP = 10
_FACTORS = (1.0, 0.3, 0.0)  # of the content in the mixture; the last is the model without


def with_content(
    model: NextItemModel,
    vectors: Floats,
    held: HeldOut,
    trial_scorers: Mapping[str, NextItemScorer],
    rng: np.random.Generator,
) -> NextItemModel:
    """The model with content, whose weights and level are chosen by what is held out.

    vectors: float32 [items, dim], 0 for unknown. trial_scorers: those that were learned without
    what is held out and are not made from counts.
    """
    if not model.settings.repeats:
        held = held.fresh()
    held = _some(held, rng)
    content = ContentNeighbours.of(vectors, model.played)
    counts = SessionCounts.of(held.train, len(model.items))
    trial = replace(model, counts=counts, content=content, made=trial_scorers)
    trial = _weighted(trial, held)
    alike = _alike_of_unplayed(trial, vectors, rng)
    trial = _with(trial, replace(trial.settings.content, alike=alike))
    trial, level, cost = _level(trial, held, _without_plays(model, rng))
    chosen = replace(trial.settings.content, level=level)
    report = {
        **model.report,
        "content": {
            "weights": dict(chosen.weights),
            "alike": alike,
            "level": level,
            "warm_cost": cost,
        },
    }
    settings = replace(model.settings, content=chosen)
    return replace(model, content=content, settings=settings, report=report)


def _some(held: HeldOut, rng: np.random.Generator) -> HeldOut:
    """At most as many targets as are worth the time."""
    if len(held) <= _MOST_TARGETS:
        return held
    return held.taken(np.sort(rng.choice(len(held), _MOST_TARGETS, replace=False)))


def _alike_of_unplayed(trial: NextItemModel, vectors: Floats, rng: np.random.Generator) -> float:
    """How much `alike` counts for items without plays, beside `spread`.

    Some items are taken out of the sessions as if nobody had played them. Where they were, they
    are targets, and the share is the one under which they are likeliest.
    """
    played = np.flatnonzero(trial.played & vectors.any(axis=1))
    taken = np.zeros(len(trial.items), bool)
    taken[rng.choice(played, int(_TAKEN * len(played)), replace=False)] = True
    held = _some(hold_out_items(trial.counts.sessions, taken), rng)
    if len(held) < _FEWEST:
        return trial.settings.content.alike
    content = ContentNeighbours.of(vectors, trial.played & ~taken)
    counts = SessionCounts.of(held.train, len(trial.items))
    without = replace(trial, counts=counts, content=content)
    shares = np.zeros((len(held), len(_BY_CONTENT)))
    for row, (history, target) in enumerate(zip(held.histories, held.targets, strict=True)):
        excluded = history[:0] if trial.settings.repeats else history
        parts = without.content_parts(without.mixed(history, excluded), history, excluded)
        shares[row] = [parts[name][target] for name in _BY_CONTENT]
    return float(mixture(shares)[_BY_CONTENT.index("alike")])


def _weighted(trial: NextItemModel, held: HeldOut) -> NextItemModel:
    """The trial with the decay and the weights under which the targets are likeliest."""
    if len(held) < _FEWEST:
        return trial
    shares = np.zeros((len(_DECAYS), len(held), len(_PARTS)))
    trials = [_with(trial, ContentSettings(decay)) for decay in _DECAYS]
    for row, (history, target) in enumerate(zip(held.histories, held.targets, strict=True)):
        excluded = history[:0] if trial.settings.repeats else history
        mixed = trial.mixed(history, excluded)
        for way, each in enumerate(trials):
            parts = each.content_parts(mixed, history, excluded)
            shares[way, row] = [parts[name][target] for name in _PARTS]
    weights = [mixture(each) for each in shares]
    fits = [_likelihood(s, w) for s, w in zip(shares, weights, strict=True)]
    best = int(np.argmax(fits))
    named = {part: float(w) for part, w in zip(_PARTS, weights[best], strict=True) if w > 0}
    return _with(trial, ContentSettings(_DECAYS[best], named))


def _with(trial: NextItemModel, content: ContentSettings) -> NextItemModel:
    scorers = trial.scorers  # made once for all
    found = replace(trial, settings=replace(trial.settings, content=content))
    found.__dict__["scorers"] = scorers
    return found


def _likelihood(shares: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    return float(np.log(np.maximum(shares @ weights, 1e-9)).mean()) if len(shares) else 0.0


def _without_plays(model: NextItemModel, rng: np.random.Generator) -> Ints:
    """The items without plays, with others that play their part where there are few."""
    cold = np.flatnonzero(~model.played)
    missing = max(0, int(_TRIED * len(model.items)) - len(cold))
    played = np.flatnonzero(model.played)
    return np.concatenate([cold, rng.choice(played, min(missing, len(played)), replace=False)])


def _level(trial: NextItemModel, held: HeldOut, cold: Ints) -> tuple[NextItemModel, float, float]:
    """The trial with as much content as does best, and the highest level that is allowed.

    At which `cold` costs the other targets no more than WARM_COST and MOST_COST say; and what it
    costs, as a share of NDCG@10. A half where the targets are too few to say.
    """
    if len(held) < _FEWEST:
        return trial, 0.5, 0.0
    trials = [_with(trial, _shrunk(trial.settings.content, factor)) for factor in _FACTORS]
    found = _against(trials, held, cold)
    gains = [gain(rank, _TOP) for rank in found.rank]
    way = int(np.argmax(gains))
    rank, share = found.rank[way], found.share[way]
    lowest = max((1 - WARM_COST) * gains[-1], (1 - MOST_COST) * gains[way])

    def reached(level: float) -> float:
        ahead = (np.float32(level) * found.best > share[:, None]).sum(axis=1)
        return gain(rank + ahead, _TOP)

    low, high = -4.0, 3.0  # powers of ten
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if reached(10**middle) >= lowest else (low, middle)
    return trials[way], float(10**low), 1 - reached(10**low) / max(gains[way], 1e-12)


def _shrunk(content: ContentSettings, factor: float) -> ContentSettings:
    """Less content in the mixture, for more of the sessions; a factor of 0 leaves none."""
    weights = {part: w * factor for part, w in content.weights.items() if part != "sessions"}
    whole = {"sessions": 1 - sum(weights.values()), **weights}
    return replace(content, weights={part: w for part, w in whole.items() if w > 0})


@dataclass(frozen=True, slots=True, eq=False)
class _Against:
    """Of each trial and target, the target's rank and share: float [trials, targets].

    best: float32 [targets, 10 or fewer], the greatest scores of items without plays.
    """

    rank: NDArray[np.float64]
    share: Floats
    best: Floats


def _against(trials: Sequence[NextItemModel], held: HeldOut, cold: Ints) -> _Against:
    first = trials[0]
    rank = np.zeros((len(trials), len(held)))
    share = np.zeros((len(trials), len(held)), np.float32)
    best = np.zeros((len(held), min(_TOP, len(cold))), np.float32)
    for row, (history, target) in enumerate(zip(held.histories, held.targets, strict=True)):
        excluded = history[:0] if first.settings.repeats else history
        mixed = first.mixed(history, excluded)
        parts = first.content_parts(mixed, history, excluded)
        for way, trial in enumerate(trials):
            total = trial.blended(parts)
            rank[way, row] = rank_of(total, target)
            share[way, row] = total[target]
        unplayed = first.by_content(parts)
        unplayed[excluded] = unplayed[target] = 0
        best[row] = -np.sort(-unplayed[cold])[: best.shape[1]]
    return _Against(rank, share, best)

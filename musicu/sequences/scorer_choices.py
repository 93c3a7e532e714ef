"""Settings of the scorers, chosen one after the other by what is held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from musicu.items.item_table import Floats, Ints
from musicu.sequences.heldout_sessions import HeldOut, gain, ranks
from musicu.sequences.next_item_model import (
    SequenceSettings,
    SessionCounts,
    distribution,
    make_scorer,
)

#: What each setting of each scorer is chosen from, in this order.
CHOICES: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "rules": {
        "decay": (0.5, 0.8, 0.95),
        "source_power": (0.5, 0.8),
        "target_power": (0.1, 0.3, 0.5),
        "backward": (0.25, 0.5, 1.0),
    },
    "ease": {"ridge": (3.0, 20.0, 100.0, 300.0), "decay": (0.8, 0.98, 1.0)},
    "neighbours": {
        "age": (0.0, 1.5, 3.0),
        "decay": (0.7, 0.8, 0.9),
        "nearness": (0.3, 0.7, 1.0),
        "rarity": (0.2, 0.5, 0.8),
        "neighbours": (100, 200, 500),
        "length_power": (0.0, 0.2, 0.5),
        "backward": (0.25, 0.5, 1.0),
    },
}


def best_settings(
    name: str, counts: SessionCounts, settings: SequenceSettings, held: HeldOut
) -> tuple[SequenceSettings, float]:
    """Settings with those of a scorer chosen, one after the other; and its NDCG@20."""
    best, value = settings, _measured(name, counts, settings, held)
    for option, choices in CHOICES[name].items():
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

    def scores(history: Ints) -> Floats:
        excluded = history[:0] if settings.repeats else history
        return distribution(scorer.scores(history), excluded)

    return gain(ranks(scores, held))

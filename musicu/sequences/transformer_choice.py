"""Whether a transformer joins the mixture: where it is ahead on sessions that are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from musicu.errors import MissingExtraError
from musicu.items.item_table import Floats
from musicu.sequences.heldout_sessions import HeldOut, gains
from musicu.sequences.mixture import mixture, mixture_ranks, target_shares
from musicu.sequences.next_item_model import NextItemScorer
from musicu.sequences.session_table import SessionTable
from musicu.sequences.transformer_scorer import TransformerScorer

#: Of how many events a transformer is tried without being asked for: few say too little. None
#: at all: on Last.fm it was behind on held-out sessions without content and ahead by less than a
#: standard error with it, on Toys behind, and fitting took minutes (benchmarks/README.md).
FEWEST_EVENTS, MOST_EVENTS = 10_000, 0
_MOST_STOPS = 1_000  # held-out targets that choose the step


@dataclass(frozen=True, eq=False)
class SequenceData:
    """sessions: all of them. held: what is held out of them. items: how many. content: float32
    [items, dim], 0 for unknown.
    """

    sessions: SessionTable
    held: HeldOut
    items: int
    content: Floats | None


@dataclass(frozen=True, eq=False)
class TransformerTrial:
    """kept: whether it joins. trial: learned without what is held out; whole: from all sessions.

    report: what was measured, and why.
    """

    kept: bool
    report: Mapping[str, Any]
    trial: TransformerScorer | None = None
    whole: TransformerScorer | None = None


def reason_not_to_try(data: SequenceData) -> str | None:
    """Why a transformer is not tried; None: nothing speaks against it."""
    events = len(data.sessions.item)
    if events < FEWEST_EVENTS:
        return f"{events:,} events are too few for it: it takes {FEWEST_EVENTS:,}"
    if events > MOST_EVENTS:
        return f"{events:,} events are not tried with it unless it is asked for by its kind"
    if not trainable():
        return "it needs the extra `train`: pip install 'musicu[train]'"
    return None


def trainable() -> bool:
    """Whether the extra `train` is there."""
    return all(find_spec(name) is not None for name in ("torch", "onnx"))


def trained_alone(data: SequenceData, repeats: bool, seed: int) -> TransformerTrial:
    """A transformer by itself, because it was asked for; its step is chosen by what is held out.

    Raises MissingExtraError without the extra `train`.
    """
    if not trainable():
        raise MissingExtraError("the kind transformer", "train")
    found, steps, ndcg = _trial(data, data.held, repeats, seed)
    report = {"kept": True, "steps": steps, "ndcg": ndcg, "why": "it was asked for"}
    return TransformerTrial(True, report, found, _whole(data, steps, repeats, seed))


def tried(
    data: SequenceData, scorers: Sequence[NextItemScorer], repeats: bool, seed: int
) -> TransformerTrial:
    """A transformer beside the other scorers of a mixture.

    Every second target chooses its step and the weights of both mixtures; the others compare
    them. It is kept where the gain in NDCG@20 is greater than its standard error.
    """
    if (why := reason_not_to_try(data)) is not None:
        return TransformerTrial(False, {"kept": False, "why": f"not tried: {why}"})
    choosing = data.held.taken(np.arange(0, len(data.held), 2))
    comparing = data.held.taken(np.arange(1, len(data.held), 2))
    found, steps, _ = _trial(data, choosing, repeats, seed)
    every = [*scorers, found]
    shares = target_shares(every, choosing, repeats)
    ways = [np.append(mixture(shares[:, :-1]), 0.0), mixture(shares)]
    without, with_it = gains(mixture_ranks(every, ways, comparing, repeats))
    gain, error = _paired(with_it - without)
    report = {
        "kept": gain > error,
        "steps": steps,
        "without": float(without.mean()) if len(without) else 0.0,
        "with": float(with_it.mean()) if len(with_it) else 0.0,
        "standard_error": error,
        "why": "ahead of the mixture without it" if gain > error else "not ahead without a doubt",
    }
    whole = _whole(data, steps, repeats, seed) if gain > error else None
    return TransformerTrial(gain > error, report, found, whole)


def _paired(differences: Any) -> tuple[float, float]:
    """Mean and standard error of differences."""
    if len(differences) < 2:
        return 0.0, 0.0
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(len(differences)))


def _trial(
    data: SequenceData, choosing: HeldOut, repeats: bool, seed: int
) -> tuple[TransformerScorer, int, float]:
    from musicu.sequences.transformer_training import train_transformer

    step = max(1, -(-len(choosing) // _MOST_STOPS))
    few = choosing.taken(np.arange(0, len(choosing), step))
    found = train_transformer(
        data.held.train, data.items, data.content, held=few, repeats=repeats, seed=seed
    )
    return found.scorer, found.steps, found.ndcg


def _whole(data: SequenceData, steps: int, repeats: bool, seed: int) -> TransformerScorer:
    from musicu.sequences.transformer_training import train_transformer

    return train_transformer(
        data.sessions, data.items, data.content, repeats=repeats, steps=steps, seed=seed
    ).scorer

"""A transformer for a next-item model, where it is asked for; held-out items choose its step."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from musicu.errors import MissingExtraError
from musicu.items.item_table import Floats
from musicu.sequences.heldout_sessions import HeldOut
from musicu.sequences.session_table import SessionTable
from musicu.sequences.transformer_scorer import TransformerScorer

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
class FittedTransformer:
    """trial: learned without what is held out. whole: learned from all sessions, in as many steps.

    ndcg: NDCG@20 of the trial on what is held out.
    """

    trial: TransformerScorer
    whole: TransformerScorer
    steps: int
    ndcg: float


def trainable() -> bool:
    """Whether the extra `train` is there."""
    return all(find_spec(name) is not None for name in ("torch", "onnx"))


def fit_transformer(data: SequenceData, repeats: bool, seed: int) -> FittedTransformer:
    """Train a transformer twice: to choose its step, and then on all sessions.

    Raises MissingExtraError without the extra `train`.
    """
    if not trainable():
        raise MissingExtraError("the kind transformer", "train")
    from musicu.sequences.transformer_training import train_transformer

    step = max(1, -(-len(data.held) // _MOST_STOPS))
    few = data.held.taken(np.arange(0, len(data.held), step))
    trial = train_transformer(
        data.held.train, data.items, data.content, held=few, repeats=repeats, seed=seed
    )
    whole = train_transformer(
        data.sessions, data.items, data.content, repeats=repeats, steps=trial.steps, seed=seed
    )
    return FittedTransformer(trial.scorer, whole.scorer, trial.steps, trial.ndcg)

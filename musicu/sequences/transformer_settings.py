"""Settings of a next-item transformer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransformerSettings:
    """dim: of items and states, a multiple of heads. length: items of a history that are read,
    the latest. dropout: of states and attention. id_dropout: how often an item is shown without
    its own embedding, by its content alone. rate: of learning. batch: events in a step, about.
    candidates: items that each target is told from in a step. events: how many are learned from
    at most, in as many passes, or fewer. checks: how often held-out targets are scored.
    """

    dim: int = 64
    layers: int = 1
    heads: int = 2
    length: int = 30
    dropout: float = 0.3
    id_dropout: float = 0.3
    rate: float = 3e-3
    weight_decay: float = 0.01
    batch: int = 2_000
    candidates: int = 1_024
    events: int = 2_000_000
    passes: int = 60
    checks: int = 10

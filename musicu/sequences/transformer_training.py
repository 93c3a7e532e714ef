"""Training a next-item transformer (torch, the extra `train`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from musicu.items.item_table import Floats, Ints
from musicu.progress import tracked
from musicu.sequences.content_basis import ContentBasis
from musicu.sequences.heldout_sessions import HeldOut, gain, ranks
from musicu.sequences.next_item_model import distribution
from musicu.sequences.session_table import SessionTable
from musicu.sequences.transformer_graph import history_graph
from musicu.sequences.transformer_network import MASKED, ItemVectors, SequenceTransformer
from musicu.sequences.transformer_scorer import TransformerScorer
from musicu.sequences.transformer_settings import TransformerSettings

_POOL = 16  # batches whose sessions are sorted by length
_UNIFORM = 0.5  # share of the candidates that are drawn without regard to their plays
_FEWEST_STEPS = 8  # of a pass
_CLIP = 1.0  # norm of gradients


@dataclass(frozen=True)
class Trained:
    """The scorer at its best step, that step, and its NDCG@20 on what was held out."""

    scorer: TransformerScorer
    steps: int
    ndcg: float


def train_transformer(
    sessions: SessionTable,
    items: int,
    content: Floats | None,
    *,
    held: HeldOut | None = None,
    repeats: bool = False,
    steps: int | None = None,
    settings: TransformerSettings | None = None,
    seed: int = 0,
) -> Trained:
    """Train on sessions; content: float32 [items, dim], 0 for unknown.

    held: chooses the step that is kept. steps: how many, where nothing is held out. Default: as
    the settings say.
    """
    settings = settings or TransformerSettings()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        learner = _Learner(sessions, items, content, settings, np.random.default_rng(seed))
        every = max(1, learner.wanted // settings.checks)
        best: Trained | None = None
        limit = learner.wanted if steps is None else steps
        for step in tracked(range(1, limit + 1), "training the transformer", limit, "steps"):
            learner.step()
            if held is None or (step % every and step < limit):
                continue
            scorer = learner.scorer()
            value = _measured(scorer, held, repeats)
            if best is None or value > best.ndcg:
                best = Trained(scorer, step, value)
            elif step > best.steps + 3 * every:
                break
        return best or Trained(learner.scorer(), limit, 0.0)


def _measured(scorer: TransformerScorer, held: HeldOut, repeats: bool) -> float:
    def scores(history: Ints) -> Floats:
        return distribution(scorer.scores(history), history[:0] if repeats else history)

    return gain(ranks(scores, held))


class _Learner:
    """The networks, their optimiser, and the batches that they are shown."""

    def __init__(
        self,
        sessions: SessionTable,
        items: int,
        content: Floats | None,
        settings: TransformerSettings,
        rng: np.random.Generator,
    ) -> None:
        self.settings, self.rng, self.sessions = settings, rng, sessions
        plays = np.bincount(sessions.item, minlength=items)
        self.played = plays > 0
        mixed = _UNIFORM * self.played / max(self.played.sum(), 1)
        self.drawn = mixed + (1 - _UNIFORM) * plays / max(plays.sum(), 1)
        self.basis = None if content is None else ContentBasis.of(content, rng)
        numbers = None
        if self.basis is not None and content is not None:
            numbers = torch.from_numpy(self.basis(content))
        self.items = ItemVectors(items, numbers, settings)
        self.network = SequenceTransformer(settings)
        self.parameters = [*self.items.parameters(), *self.network.parameters()]
        self.optimiser = torch.optim.AdamW(
            self.parameters, lr=settings.rate, weight_decay=settings.weight_decay
        )
        self.pieces = _pieces(sessions, settings.length)
        mean = (self.pieces[:, 1] - self.pieces[:, 0]).mean() if len(self.pieces) else 1.0
        events = min(settings.batch, len(sessions.item) / _FEWEST_STEPS)
        self.batch = max(1, round(events / mean))  # pieces
        each = max(1, -(-len(self.pieces) // self.batch))
        passes = settings.events / max(len(sessions.item), 1)
        self.wanted = max(1, int(each * min(settings.passes, max(1.0, passes))))
        self.batches = self._batches()

    def step(self) -> None:
        """Learn from one batch."""
        if not len(self.pieces):
            return
        items, told = self._batch(next(self.batches))
        states = self.network(self.items(items[:, :-1]))[told]
        loss = self._loss(states, items[:, 1:][told])
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, _CLIP)
        self.optimiser.step()

    def scorer(self) -> TransformerScorer:
        """What has been learned so far."""
        settings = self.settings
        self.network.eval()
        self.items.eval()
        with torch.no_grad():
            played = torch.from_numpy(self.played)[:, None]
            own = self.items.own * played
            projection = None
            vectors = own
            if self.items.projection is not None and self.items.content is not None:
                vectors = own + self.items.projection(self.items.content)
                projection = self.items.projection.weight.T.numpy().copy()
            graph = history_graph(self.network, settings.dim, settings.length)
        self.network.train()
        self.items.train()
        found = vectors.numpy().astype(np.float32)
        return TransformerScorer(found, graph, settings.length, self.basis, projection)

    def _loss(self, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Sampled softmax: each target against candidates drawn for all, by their probability.

        With the correction for how they are drawn (Jean et al., ACL 2015).
        """
        count = self.settings.candidates
        among = torch.from_numpy(self.rng.choice(len(self.drawn), count, p=self.drawn))
        right = (states * self.items(targets)).sum(dim=1, keepdim=True)
        drawn = torch.from_numpy(np.log(count * self.drawn[among.numpy()]).astype(np.float32))
        wrong = (states @ self.items(among).T - drawn).masked_fill(
            targets[:, None] == among[None], MASKED
        )
        logits = torch.cat([right, wrong], dim=1)
        return nn.functional.cross_entropy(logits, torch.zeros(len(targets), dtype=torch.int64))

    def _batch(self, which: Ints) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows of items, int64 [sessions, length + 1], and which of their places have a next."""
        first, end = self.pieces[which].T
        longest = int((end - first).max())
        place = np.arange(longest)
        inside = place < (end - first)[:, None]
        event = np.minimum(first[:, None] + place, len(self.sessions.item) - 1)
        rows = np.where(inside, self.sessions.item[event], 0)
        return torch.from_numpy(rows), torch.from_numpy(inside[:, 1:])

    def _batches(self) -> Iterator[Ints]:
        """Pieces in batches of about one length, in a random order, without end."""
        size = self.batch
        while True:
            order = self.rng.permutation(len(self.pieces))
            for start in range(0, len(order), _POOL * size):
                pool = order[start : start + _POOL * size]
                lengths = self.pieces[pool, 1] - self.pieces[pool, 0]
                pool = pool[np.argsort(lengths, kind="stable")]
                for batch in self.rng.permutation(-(-len(pool) // size)).tolist():
                    yield pool[batch * size : (batch + 1) * size]


def _pieces(sessions: SessionTable, length: int) -> NDArray[Any]:
    """Where pieces of at most length + 1 events begin and end: int64 [pieces, 2].

    They overlap by one event, so that each event but a session's first is asked for once.
    """
    found = []
    for begin, end in zip(sessions.start[:-1].tolist(), sessions.start[1:].tolist(), strict=True):
        for stop in range(end, begin + 1, -length):
            found.append((max(begin, stop - length - 1), stop))
    return np.array(found, np.int64).reshape(-1, 2)

"""The configuration of a track encoder and its training."""

from __future__ import annotations

from dataclasses import dataclass, replace

from musicu.errors import QueryError
from musicu.records import check_count


@dataclass(frozen=True, slots=True)
class TrackConfig:
    """The hyper-parameters of a track encoder; the defaults are those of the benchmarks.

    dim: length of a vector. The kernel of numbers (`kernel.py`) takes two fifths of it where tracks
    have numbers; the networks share the rest. networks: size of the ensemble, each network from
    another seed; their vectors are concatenated, so that a similarity is the mean of theirs, which
    has a lower error (Lakshminarayanan et al., NeurIPS 2017). hidden: width of the hidden layer.
    factors: of the collaborative vectors, where they are fitted here.
    steps: the most optimiser steps, over all networks. epochs: the most passes of a network over
    the members of all groups (but no fewer than 100 steps), as small sets overfit soon.
    batch: groups per step. context: the most tracks of a group that represent it.
    learning_rate: of Adam, with cosine decay to zero.
    temperature: of the contrastive loss. popularity_correction: 0 learns the probability of a
    track, 1 its lift over its popularity (logQ; Bengio and Senecal, 2008).
    modality_dropout: the probability of hiding a block of features of a track in training;
    token_dropout: of hiding a word, tag or name. weight_decay: of the weights, times the rate.
    min_count: the fewest tracks with a word, tag or name for it to enter the vocabulary;
    max_vocabulary: the most entries of each vocabulary, the most frequent first.
    heldout: share of tracks kept out of training, to measure recall on new tracks.
    session_gap_minutes: the pause that ends a session; None: a history is one group.
    seed: random seed.
    """

    dim: int = 256
    networks: int = 3
    hidden: int = 256
    factors: int = 64
    steps: int = 3000
    epochs: int = 6
    batch: int = 512
    context: int = 4
    learning_rate: float = 3e-3
    temperature: float = 0.1
    popularity_correction: float = 0.5
    modality_dropout: float = 0.25
    token_dropout: float = 0.2
    weight_decay: float = 1e-2
    min_count: int = 2
    max_vocabulary: int = 50_000
    heldout: float = 0.05
    session_gap_minutes: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        counts = ("dim", "networks", "hidden", "factors", "steps", "epochs", "context", "min_count")
        for name in counts:
            check_count(name, getattr(self, name))
        if self.networks > self.dim - self.kernel_dim:
            raise QueryError(f"{self.networks} networks cannot share a dim of {self.dim}")
        if self.batch < 2:
            raise QueryError(f"batch is {self.batch}: a contrast needs 2 or more")
        for name in ("modality_dropout", "token_dropout", "heldout"):
            if not 0 <= getattr(self, name) < 1:
                raise QueryError(f"{name} is {getattr(self, name)}: give a share in [0, 1)")
        if not self.temperature > 0:
            raise QueryError(f"temperature is {self.temperature}: give a number above 0")

    @property
    def kernel_dim(self) -> int:
        """The kernel's part of a vector, where there is a kernel: an even number."""
        return 2 * (self.dim // 5)

    def of_network(self, number: int, room: int) -> TrackConfig:
        """The config of one network of the ensemble, by number from 0; room: their joint dim."""
        dim, rest = divmod(room, self.networks)
        return replace(
            self,
            dim=dim + (number < rest),
            networks=1,
            steps=max(1, self.steps // self.networks),
            seed=self.seed + number,
        )

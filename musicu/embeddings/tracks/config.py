"""How a track encoder is built and trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

from musicu.errors import QueryError


@dataclass(frozen=True, slots=True)
class TrackConfig:
    """The recipe of a track encoder; the defaults are what the benchmarks were run with.

    dim: length of a vector. A kernel of numbers takes two fifths of it, where there are any
    (`kernel.py`), the networks share the rest. networks: how many are trained, each from
    another seed; their vectors stand side by side, so that a likeness is the mean of theirs, which
    errs less than one (Lakshminarayanan et al., NeurIPS 2017). hidden: width of a network's hidden
    layer. factors: of the collaborative vectors, where it fits them itself.
    steps: of the optimiser, of all networks and at most; epochs: how often a network draws each
    track of each group, on average and at most (but no fewer than 100 steps), as small sets are
    soon known by heart.
    batch: groups a step. context: how many tracks of a group stand for it, at most.
    learning_rate: of Adam, falling to zero as a half cosine.
    temperature: of the contrastive loss. popularity_correction: 0 learns how probable a track is,
    1 how much more probable than it is anyway (logQ; Bengio and Senecal, 2008), so that popular
    tracks get no credit for being popular.
    modality_dropout: how often a kind of feature is hidden from a track while training;
    token_dropout: how often a word, tag or name is. weight_decay: of the weights, times the rate.
    min_count: tracks that a word, tag or name must be on to be learned; max_vocabulary: how many of
    them, the most frequent first, of each kind.
    heldout: share of the tracks that are kept from training, to see how it does on new ones.
    session_gap_minutes: a pause that parts a listener's sessions; None: a history is one group.
    seed: decides every draw.
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
            if getattr(self, name) < 1:
                raise QueryError(f"{name} is {getattr(self, name)}: give 1 or more")
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
        """How much of a vector the kernel takes, where there is one: an even number."""
        return 2 * (self.dim // 5)

    def of_network(self, number: int, room: int) -> TrackConfig:
        """The config of one of the networks, by its number from 0, that share so much room."""
        dim, rest = divmod(room, self.networks)
        return replace(
            self,
            dim=dim + (number < rest),
            networks=1,
            steps=max(1, self.steps // self.networks),
            seed=self.seed + number,
        )

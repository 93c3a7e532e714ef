"""Anything: the baseline that shows what chance gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from musicu.candidates.request import Ranked, Request, mixed, user_numbers

_ROUNDS = 4
_GOLDEN = 0x9E3779B97F4A7C15  # so that neighbouring keys share no round


@dataclass(frozen=True, slots=True)
class Random:
    """Tracks drawn without replacement, for each listener others; scores are all 0.

    The draw depends on the seeds, the listener's id and the rows that may be found.
    """

    seed: int = 0
    name: ClassVar[str] = "random"
    reason_prefix: ClassVar[str] = "Picked at random"
    anchor_kind: ClassVar[str] = "track"
    ranker: ClassVar[str] = "source"

    def candidates(self, request: Request) -> Ranked:
        """One list a listener."""
        lists, rows = len(request.profiles), len(request.rows)
        k = min(rows, request.fetch_factor * (request.want + 20))
        users = user_numbers(request.profiles.users, self.seed ^ request.seed)
        drawn = request.rows[_permuted(k, rows, users)] if rows else np.empty((lists, 0), np.int64)
        return Ranked(
            np.arange(lists),
            np.full(lists, -1, np.int32),
            np.full(lists, request.want),
            np.full(lists, k == rows),
            np.arange(lists + 1) * k,
            drawn.ravel(),
            np.zeros(lists * k, np.float32),
        )


def _permuted(k: int, count: int, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The first k of a permutation of 0 … count - 1 for each key: int64 [keys, k].

    A Feistel network over the next power of 4, walked until it falls below `count` (Black and
    Rogaway, Ciphers with arbitrary finite domains, CT-RSA 2002).
    """
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    places = np.broadcast_to(np.arange(k, dtype=np.uint64), (len(keys), k)).copy()
    beyond = np.ones(places.shape, bool)
    rounds = [mixed(keys + np.uint64(r * _GOLDEN % (1 << 64))) for r in range(1, _ROUNDS + 1)]
    owner = np.broadcast_to(np.arange(len(keys))[:, None], places.shape)
    while beyond.any():
        places[beyond] = _ciphered(places[beyond], [r[owner[beyond]] for r in rounds], half)
        beyond = places >= count
    found: NDArray[np.int64] = places.astype(np.int64)
    return found


def _ciphered(
    values: NDArray[np.uint64], keys: list[NDArray[np.uint64]], half: int
) -> NDArray[np.uint64]:
    mask = np.uint64((1 << half) - 1)
    left, right = values >> np.uint64(half), values & mask
    for key in keys:
        left, right = right, left ^ (mixed(right ^ key) & mask)
    joined: NDArray[np.uint64] = (left << np.uint64(half)) | right
    return joined

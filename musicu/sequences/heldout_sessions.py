"""What is held out of sessions, so that settings and mixtures are chosen inside them.

Where sessions are many, the newest of them are held out whole, and their last item and one within
are targets: how does a new session go on? Where they are fewer, as the histories of some
thousand listeners are, their last items are held out: what does each listener play next?
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.items.item_table import Floats, Ints
from musicu.retrieval.ordering import ranges
from musicu.sequences.session_table import SessionTable

#: How many targets there are at most, and how many sessions are held out whole.
MOST_TARGETS = 3_000
_WHOLE = MOST_TARGETS // 2
_SHARE = 0.03  # of the sessions may be held out whole
_LAST_EACH = 5  # items of a session at most, and a quarter of it
_SHORTEST = 3  # events of a session of which an item is held out


@dataclass(frozen=True, eq=False)
class HeldOut:
    """train: what remains to fit on. histories: of each target. targets: int64 [targets]."""

    train: SessionTable
    histories: list[Ints]
    targets: Ints

    def __len__(self) -> int:
        return len(self.targets)

    def taken(self, places: Ints) -> HeldOut:
        """Some of the targets."""
        return HeldOut(self.train, [self.histories[p] for p in places], self.targets[places])

    def fresh(self) -> HeldOut:
        """The targets that do not stand in their histories."""
        return self.taken(np.flatnonzero(~self.again))

    @property
    def again(self) -> NDArray[np.bool_]:
        """Which targets stand in their histories: bool [targets]."""
        pairs = zip(self.histories, self.targets, strict=True)
        return np.array([target in history for history, target in pairs], bool)


def hold_out(sessions: SessionTable, rng: np.random.Generator) -> HeldOut:
    """Hold out targets; only items that remain in other sessions are targets."""
    whole = len(sessions) * _SHARE >= _WHOLE
    chosen = _of_newest(sessions, rng) if whole else _last_of_all(sessions, rng)
    remains = np.ones(len(sessions.item), bool)
    if whole:
        remains[sessions.start[-_WHOLE - 1] :] = False
    else:
        remains[chosen] = False
    return _targets(sessions, chosen, sessions.kept(remains))


def _of_newest(sessions: SessionTable, rng: np.random.Generator) -> Ints:
    """The last event of the newest sessions, and one that neither begins nor ends them."""
    first, lengths = sessions.start[-_WHOLE - 1 : -1], sessions.lengths[-_WHOLE:]
    last = (first + lengths - 1)[lengths > 1]
    within = first + 1 + (rng.random(_WHOLE) * (lengths - 2)).astype(np.int64)
    return np.sort(np.concatenate([last, within[lengths > 2]]))


def _last_of_all(sessions: SessionTable, rng: np.random.Generator) -> Ints:
    """The last events of all sessions, or of some where there are more than enough."""
    each = np.clip(MOST_TARGETS // max(len(sessions), 1), 1, _LAST_EACH)
    count = np.clip(sessions.lengths // 4, 1, each)
    count[sessions.lengths < _SHORTEST] = 0
    if len(sessions) > MOST_TARGETS:
        count[rng.permutation(len(sessions))[MOST_TARGETS:]] = 0
    return ranges(sessions.start[1:] - count, count)


def _targets(sessions: SessionTable, chosen: Ints, train: SessionTable) -> HeldOut:
    """The chosen events whose items are known, with what came before them.

    What has the same moment did not come before: a batch of favourites, or a day's plays where
    only days are known. Events that all stand at their session's first moment keep their order.
    """
    known = np.zeros(int(sessions.item.max(initial=-1)) + 1, bool)
    known[train.item] = True
    chosen = chosen[known[sessions.item[chosen]]]
    begins, ends = sessions.start[:-1][sessions.session[chosen]], chosen
    if sessions.settled is not None and (sessions.settled[chosen] > begins).any():
        later = sessions.settled[chosen] > begins
        chosen, begins = chosen[later], begins[later]
        ends = sessions.settled[chosen]
    histories = [sessions.item[a:b] for a, b in zip(begins, ends, strict=True)]
    return HeldOut(train, histories, sessions.item[chosen])


def hold_out_items(sessions: SessionTable, taken: NDArray[np.bool_]) -> HeldOut:
    """Hold out every event of some items: targets after whatever remains before them.

    taken: bool [items].
    """
    out = taken[sessions.item]
    train = sessions.kept(~out)
    place = np.cumsum(~out)[out]  # of what remains, how much comes before each event
    begins = train.start[:-1][sessions.session[out]]
    some = place > begins
    pairs = zip(begins[some], place[some], strict=True)
    return HeldOut(train, [train.item[a:b] for a, b in pairs], sessions.item[out][some])


def repeat_share(held: HeldOut) -> float:
    """The share of targets that stand in their histories."""
    return float(held.again.mean()) if len(held) else 0.0


def ranks(scores: Callable[[Ints], Floats], held: HeldOut) -> NDArray[np.float64]:
    """The rank of each target from 0, ties by half: float64 [targets].

    scores: of all items, for a history.
    """
    found = np.empty(len(held))
    for place, (history, target) in enumerate(zip(held.histories, held.targets, strict=True)):
        found[place] = rank_of(scores(history), target)
    return found


def rank_of(scores: Floats, target: int) -> float:
    """The rank of an item from 0, ties by half: where evidence is thin, many items tie."""
    better = np.count_nonzero(scores > scores[target])
    return float(better + (np.count_nonzero(scores == scores[target]) - 1) / 2)


def gains(rank: NDArray[np.float64], k: int = 20) -> NDArray[np.float64]:
    """NDCG@k of one target each, for ranks of any shape."""
    found: NDArray[np.float64] = np.where(rank < k, 1 / np.log2(rank + 2), 0)
    return found


def gain(rank: NDArray[np.float64], k: int = 20) -> float:
    """NDCG@k of one target each, the mean."""
    return float(gains(rank, k).mean()) if len(rank) else 0.0

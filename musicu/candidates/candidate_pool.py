"""What may be ranked of the lists that sources answer with, and the order of what is explored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.candidates.request import Ranked, Request, mixed, user_numbers
from musicu.items.item_table import Ints
from musicu.items.joins import MANY, join_positions
from musicu.ranking.ranker import Pool


def pool_of(request: Request, lists: Ranked, heard: bool, source: str) -> Pool:
    """The entries of all lists, each row once a listener, without what may not be shown."""
    owner = np.repeat(lists.listener, lists.lengths)
    kept = np.flatnonzero(~_excluded(request, owner, lists.row, heard))
    keys = owner[kept] * MANY + lists.row[kept]
    kept = kept[np.unique(keys, return_index=True)[1]]  # the first list that has it
    interest = np.repeat(lists.interest, lists.lengths)[kept]
    score = lists.score[kept]
    return Pool(
        request.profiles, owner[kept], lists.row[kept], interest, score, source, request.now
    )


def _excluded(request: Request, owner: Ints, row: Ints, heard: bool) -> NDArray[np.bool_]:
    """What its listener may not be shown: what was heard, or only what was skipped more.

    owner, row: int64 [entries]. bool [entries].
    """
    recordings, known = request.items.recordings, request.history
    listed = np.zeros(len(request.items), bool)  # which recordings are in any list: often few
    recording = recordings[row]
    listed[recording] = True
    theirs = recordings[known.row]
    barred = listed[theirs] & (known.weight < 0) if heard else listed[theirs]
    keys = known.listener[barred] * MANY + theirs[barred]
    excluded: NDArray[np.bool_] = join_positions(owner * MANY + recording, keys) >= 0
    return excluded


def drawn_order(request: Request, pool: Pool) -> Ints:
    """An order of the entries drawn for each listener: of the near ones, any may be explored."""
    users = user_numbers(request.profiles.users, request.seed)[pool.listener]
    draws = mixed(users ^ mixed(pool.row.astype(np.uint64) + np.uint64(1)))
    order: Ints = np.lexsort((pool.row, draws, pool.listener))
    return order

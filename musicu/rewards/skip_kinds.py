"""What a skip means: searching, fatigue, or dislike.

Listeners skip in runs within seconds while they look for something, and that says little of what
they skipped; they skip what they have heard often because they have heard it often; only the rest
speaks against a track (Meggetto, Revie, Levine and Moshfeghi, CIKM 2021).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

SKIP_KINDS = {
    "search": "left within seconds, in a run of such skips",
    "fatigue": "of a track that the listener has played often before",
    "dislike": "any other",
}
SEARCH_MS = 10_000
SEARCH_RUN = 2  # skips in a row
RUN_GAP_US = 120 * 1_000_000  # between two outcomes of a run
OFTEN = 5  # plays before


def skip_kinds(outcomes: pa.Table) -> pa.Array:
    """The kind of each outcome that is a skip, null for all others: in the order of the table."""
    count = outcomes.num_rows
    user = _codes(outcomes["user_id"])
    at = outcomes["at"].cast(pa.int64()).to_numpy()
    order = np.lexsort((np.arange(count), at, user))
    skipped = pc.equal(outcomes["kind"], "skipped").to_numpy(zero_copy_only=False)
    listened = pc.fill_null(outcomes["milliseconds"], SEARCH_MS).to_numpy()
    quick = skipped & (listened < SEARCH_MS)
    searching = np.zeros(count, bool)
    searching[order] = _in_runs(quick[order], user[order], at[order])
    often = plays_before(outcomes) >= OFTEN
    kinds = np.select([searching, skipped & often, skipped], ["search", "fatigue", "dislike"], "")
    return pa.array(kinds, mask=~skipped)


def plays_before(outcomes: pa.Table) -> NDArray[np.int64]:
    """How often each outcome's listener had played the track before it."""
    count = outcomes.num_rows
    pair = _codes(outcomes["user_id"]) * (count + 1) + _codes(outcomes["track_id"])
    at = outcomes["at"].cast(pa.int64()).to_numpy()
    order = np.lexsort((np.arange(count), at, pair))
    played = pc.equal(outcomes["kind"], "played").to_numpy(zero_copy_only=False)[order]
    before = np.cumsum(played) - played
    starts = np.r_[True, np.diff(pair[order]) != 0] if count else np.zeros(0, bool)
    before -= np.repeat(before[starts], np.diff(np.r_[np.flatnonzero(starts), count]))
    result = np.empty(count, np.int64)
    result[order] = before
    return result


def _in_runs(
    quick: NDArray[np.bool_], user: NDArray[np.int64], at: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The quick skips that have enough others beside them; rows sorted by listener and time."""
    if not len(quick):
        return quick
    joined = np.r_[False, (np.diff(user) == 0) & (np.diff(at) <= RUN_GAP_US)]
    run = np.cumsum(~(joined & quick & np.r_[False, quick[:-1]]))
    length = np.bincount(run, weights=quick)
    return np.asarray(quick & (length[run] >= SEARCH_RUN))


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(pc.rank(column, tiebreaker="dense").to_numpy(), dtype=np.int64)

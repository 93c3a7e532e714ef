"""What a model may learn from, whom it is asked about, and what would have been right.

Conventions, the same in every split:

- History is what a listener heard in the training part; answers are tracks that the same listener
  heard in the other part and not in the training part: discoveries, not repetitions.
- Whoever has no history, or no answer among the candidates, is not asked; how many is noted.
- Every candidate is ranked, for every listener: nothing is sampled. What a listener has in the
  history is no candidate for them.
- A model sees the training part and what the catalog says of all tracks, new ones included, as
  it would on the day of release. It never sees a listen of the other part.

by_time cuts all listeners at one moment, so that nobody's future is learned from (Ji et al., "A
Critical Study on Data Leakage in Recommender System Offline Evaluation", TOIS 2023). by_artists
and by_tracks hold tracks out that nobody is known to have heard. by_release asks where the tracks
released from a day on belong, among listeners or in playlists (a playlist counts as a listener).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import csr_matrix

from musicu.errors import QueryError
from musicu.evaluation.labels import LabelGroups
from musicu.evaluation.recommendation.listening_log import Ints, Listening, Mask
from musicu.records import counted

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One way to part a log.

    training: bool [listens]. history: csr float32 [users, tracks], the pairs of the training part.
    answers: csr bool [users, tracks], without rows for those who are not asked.
    asked: int64, rows of the users who are asked. candidates: int64, rows of the tracks.
    """

    name: str
    about: str
    listening: Listening
    training: Mask
    history: csr_matrix
    answers: csr_matrix
    asked: Ints
    candidates: Ints
    notes: tuple[str, ...]

    def training_listens(self) -> pa.Table:
        """All that may be learned from: user_id, track_id, timestamp, weight."""
        return self.listening.table(self.training)


def by_time(listening: Listening, *, at: datetime | None = None, share: float = 0.2) -> Split:
    """Train on what was heard before a moment, ask about what was heard from then on.

    at: the moment; None: so that about `share` of the listens come after it. Listens without a
    time are left out, and counted. Raises QueryError where either part would be empty.
    """
    known = listening.moment >= 0
    if not known.any():
        raise QueryError(
            "the listens have no timestamps, so they cannot be split by time: "
            "hold artists or tracks out"
        )
    _check_share(share)
    moments = np.sort(listening.moment[known])
    cut = moments[int((1 - share) * len(moments))] if at is None else _micros(at)
    before, after = known & (listening.moment < cut), known & (listening.moment >= cut)
    when = datetime.fromtimestamp(cut / 1e6, timezone.utc).strftime("%Y-%m-%d %H:%M")
    if not before.any() or not after.any():
        side = "before" if not before.any() else "from"
        raise QueryError(f"no listen is dated {side} {when}: choose another moment")
    undated = int(np.count_nonzero(~known))
    notes = [f"{counted(undated, 'listen')} without a timestamp: left out"] if undated else []
    about = f"Trained on what was heard before {when} UTC, asked what was heard from then on."
    return _split("time", about, listening, before, after, _all(listening), notes)


def by_artists(
    listening: Listening,
    artists: LabelGroups,
    *,
    share: float = 0.2,
    seed: int = 0,
    among: str = "new",
) -> Split:
    """Hold a share of the artists out whole: a track is new where any of its artists is.

    artists: of the tracks, by row; a track without any stands alone. among: "new" ranks the new
    tracks, "all" ranks them between all others. Raises QueryError as `by_tracks` does.
    """
    _check_share(share)
    alone = int(np.count_nonzero(~artists.known))
    chosen = _drawn(len(artists.names) + alone, share, seed)
    own = chosen[len(artists.names) :]
    new = np.array([chosen[codes].any() for codes in artists.codes], dtype=bool)
    new[~artists.known] = own
    about = (
        f"{share:.0%} of the artists, drawn at random, are new: nobody's listens of them are known."
    )
    return _by_newness("new-artists", about, listening, new, among)


def by_tracks(
    listening: Listening, *, share: float = 0.2, seed: int = 0, among: str = "new"
) -> Split:
    """Hold a share of the tracks out, while their artists may be known from others.

    Raises QueryError for a share outside (0, 1), another `among`, or where nothing is left.
    """
    _check_share(share)
    about = (
        f"{share:.0%} of the tracks, drawn at random, are new: nobody's listens of them are known."
    )
    new = _drawn(len(listening.tracks), share, seed)
    return _by_newness("new-tracks", about, listening, new, among)


def by_release(
    listening: Listening, released: Sequence[date | None], at: date, *, among: str = "new"
) -> Split:
    """Ask where the tracks released from `at` on belong, knowing the older ones.

    released: by row of the catalog; tracks without a date are older. Where listens are dated,
    those from `at` on are not learned from, whatever they are of. With playlists for listeners
    this is playlist placement: the older tracks of a playlist are the query, its newer tracks the
    answers, all newer tracks the candidates. Raises QueryError where either side is empty.
    """
    new = np.array([day is not None and day >= at for day in released], dtype=bool)
    if not new.any() or new.all():
        which = "no" if not new.any() else "every"
        raise QueryError(
            f"{which} track of the catalog was released from {at} on: choose a day between"
        )
    moment = _micros(datetime(at.year, at.month, at.day, tzinfo=timezone.utc))
    about = f"Tracks released from {at} on are new; what was heard before is known."
    return _by_newness("new-releases", about, listening, new, among, until=moment)


def leave_last_out(listening: Listening) -> Split:
    """Ask for everyone's last track, ties in time going to the last row.

    Much of the literature does, so published numbers can be compared. It lets a model learn from
    the future of others, so it flatters: prefer `by_time`.
    """
    order = np.lexsort((np.arange(len(listening)), listening.moment, listening.user))
    last = np.zeros(len(listening), dtype=bool)
    last[order[np.flatnonzero(np.diff(listening.user[order], append=-1))]] = True
    about = "Everyone's last track is asked for, all others are known."
    return _split("leave-last-out", about, listening, ~last, last, _all(listening), [])


def asking(split: Split, listeners: int, seed: int) -> Split:
    """The same split, asking so many of its listeners, drawn by the seed."""
    if listeners < 1:
        raise QueryError(f"{listeners} listeners are asked: give 1 or more")
    drawn = np.random.default_rng([seed, len(split.asked)]).permutation(split.asked)[:listeners]
    note = f"{len(drawn):,} of {len(split.asked):,} listeners are asked, drawn at random"
    asked = np.sort(drawn)
    answers = _rows_only(split.answers, asked)
    return replace(split, asked=asked, answers=answers, notes=(*split.notes, note))


def write_training_part(split: Split, folder: Path) -> list[Path]:
    """Write what a system may know of a split, so that its lists can be measured on it.

    listens.parquet: all it may learn from. asked.parquet: user_id, whom to find candidates for.
    candidates.parquet: track_id, what may be found. Returns the three paths.
    """
    listening = split.listening
    tables = {
        "listens": split.training_listens(),
        "asked": pa.table({"user_id": pa.array(listening.users[split.asked], pa.string())}),
        "candidates": pa.table(
            {"track_id": pa.array(listening.tracks[split.candidates], pa.string())}
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.parquet" for name in tables]
    for path, table in zip(paths, tables.values(), strict=True):
        pq.write_table(table, path)
    return paths


def _by_newness(
    name: str, about: str, listening: Listening, new: Mask, among: str, until: int | None = None
) -> Split:
    if among not in ("new", "all"):
        raise QueryError(f"candidates are among 'new' or 'all' tracks, not {among!r}")
    fresh = new[listening.track]
    training = ~fresh
    notes = []
    if until is not None:
        late = training & (listening.moment >= until)
        training &= ~late
        if late.any():
            notes.append(f"{int(late.sum()):,} later listens of older tracks are not learned from")
    candidates = np.flatnonzero(new) if among == "new" else _all(listening)
    about += f" The candidates are {'the new' if among == 'new' else 'all'} tracks."
    return _split(name, about, listening, training, fresh, candidates, notes)


def _split(
    name: str,
    about: str,
    listening: Listening,
    training: Mask,
    later: Mask,
    candidates: Ints,
    notes: list[str],
) -> Split:
    """Cut, and find out who can be asked."""
    history = listening.pairs(training)
    answers = listening.pairs(later).astype(bool)
    allowed = np.zeros(len(listening.tracks), dtype=bool)
    allowed[candidates] = True
    answers = answers.multiply(allowed[None, :]).tocsr()
    answers = (answers > answers.multiply(history.astype(bool))).tocsr()
    known, wanting = np.diff(history.indptr) > 0, np.diff(answers.indptr) > 0
    asked = np.flatnonzero(known & wanting)
    if not len(asked):
        raise QueryError(
            f"nobody can be asked under the split {name!r}: it takes listeners with some tracks "
            "in the training part and others, not heard before, in the other part"
        )
    if (unknown := int(np.count_nonzero(wanting & ~known))) > 0:
        notes = [*notes, f"with answers but no history, and so not asked: {unknown:,} listeners"]
    answers = _rows_only(answers, asked)
    return Split(
        name, about, listening, training, history, answers, asked, candidates, tuple(notes)
    )


def _rows_only(matrix: csr_matrix, rows: Ints) -> csr_matrix:
    kept = np.zeros(matrix.shape[0], dtype=bool)
    kept[rows] = True
    found = matrix.multiply(kept[:, None]).tocsr().astype(bool)
    found.eliminate_zeros()
    found.sort_indices()
    return found


def _all(listening: Listening) -> Ints:
    return np.arange(len(listening.tracks))


def _drawn(count: int, share: float, seed: int) -> Mask:
    """A share of that many, at least one and not all, drawn by the seed: bool [count]."""
    if count < 2:
        raise QueryError(f"there are {count} to hold out from: it takes 2 or more")
    size = min(max(1, round(share * count)), count - 1)
    chosen = np.zeros(count, dtype=bool)
    chosen[np.random.default_rng([seed, count]).permutation(count)[:size]] = True
    return chosen


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise QueryError(f"the share held out is {share}: give a number between 0 and 1")


def _micros(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1e6)

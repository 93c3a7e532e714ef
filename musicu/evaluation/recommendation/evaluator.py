"""Ask a model for everyone's candidates, and measure them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.bootstrap import Resamples
from musicu.errors import QueryError
from musicu.evaluation.labels import LabelGroups
from musicu.evaluation.metrics import Floats, Mask, accuracy, recall
from musicu.evaluation.recommendation import beyond_accuracy as beyond
from musicu.evaluation.recommendation.groups import (
    activity_groups,
    artist_matrix,
    emerging,
    listener_groups,
    listeners_of,
    main_artist,
)
from musicu.evaluation.recommendation.listening_log import Ints
from musicu.evaluation.recommendation.splits import Split
from musicu.evaluation.recommendation.training_part import Scorer, Scores
from musicu.evaluation.similarity_ranking import nearest
from musicu.items.creator_groups import CreatorGroups, track_groups
from musicu.listening.small_groups import SMALLEST_GROUP, is_shown
from musicu.progress import tell

#: Scores nearer to 0 are what rounding leaves of 0, and no ranking.
NOISE = 1e-12
BLOCK_CELLS = 8_000_000  # scores held at once: 32 MB of float32

#: name: (whether more is better; None: neither, it says what kind of list it is)
BEYOND: dict[str, bool | None] = {
    "coverage": True,
    "gini": False,
    "novelty": None,
    "artist diversity": None,
    "long tail": None,
    "emerging artists": None,
    "long tail heard": None,
    "emerging artists heard": None,
}
#: Of each group of creators: its share of lists, of what listeners have heard, and the one less
#: the other.
CREATOR_METRICS = ("exposure share", "listening share", "exposure over listening")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one model, and what it is in every bootstrap draw (none: no interval).

    listeners, tracks: the groups it is of, or "all". count: of listeners, or of artists for
    "artist recall", that it is a mean of.
    """

    listeners: str
    tracks: str
    metric: str
    k: int
    value: float
    draws: Floats
    count: int
    higher_is_better: bool | None = True


class Ruler:
    """What every model of one split is measured with: groups, popularity, bootstrap draws."""

    def __init__(
        self,
        split: Split,
        artists: LabelGroups,
        ks: Sequence[int],
        draws: int,
        seed: int,
        creators: CreatorGroups | None = None,
        listeners: Mapping[str, Mask] | None = None,
    ) -> None:
        """Groups beside the usual ones: creators of the tracks, listeners bool [asked] each."""
        if not ks or min(ks) < 1:
            raise QueryError(f"k is {list(ks)}: give one or more numbers from 1 on")
        self.split = split
        self.ks = tuple(sorted(set(ks)))
        self.tied = 0  # listeners to whom the model last measured gives all candidates one score
        heard = listeners_of(split.history)
        self.surprise = beyond.self_information(heard, split.history.shape[0])
        self.track_groups = track_groups(heard)
        self.listener_groups = {
            **listener_groups(split.history, split.asked),
            **activity_groups(split.history, split.asked),
            **(listeners or {}),
        }
        self.emerging = emerging(split.history, artists)
        heard_rows = (split.history[split.asked] > 0).astype(np.float64)
        total = np.maximum(np.diff(heard_rows.indptr), 1)
        tail = (~self.track_groups["head"]).astype(np.float64)
        #: By group of creators, its share of what each listener asked has heard: float64 [asked].
        self.heard = {
            "long tail": (heard_rows @ tail) / total,
            "emerging artists": (heard_rows @ self.emerging.astype(np.float64)) / total,
        }
        self.folded = 0  # groups of creators that too few listeners have heard
        if creators is not None:
            heard_by = partial(_reach, split.history > 0)
            creators, self.folded = creators.folded(heard_by, SMALLEST_GROUP)
            for name in creators.names:
                self.track_groups[f"{creators.by}: {name}"] = creators.mask(name)
        self.listened = {
            name: (heard_rows @ mask.astype(np.float64)) / total
            for name, mask in self.track_groups.items()
        }
        self.main_artist = main_artist(artists)
        self.owners = artist_matrix(artists)
        self.resamples = Resamples(np.arange(len(split.asked)), draws, seed)
        count = len(split.candidates)
        self.order = np.random.default_rng([seed, count]).permutation(count)
        self.answers = split.answers[split.asked]
        wanted = np.asarray((self.answers.astype(np.float32) @ self.owners).sum(axis=0)).ravel()
        self.wanted_artists = np.flatnonzero(wanted)
        self.artist_resamples = Resamples(self.wanted_artists, draws, seed)

    def measure(self, scorer: Scorer) -> list[Figure]:
        """All figures of a model; raises QueryError for scores that are not numbers."""
        lists, hits = self.lists(scorer)
        return [
            figure
            for k in self.ks
            for figure in (
                *self._means(self._per_listener(lists, hits, k), k),
                *self._of_everyone(lists, k),
                self._artist_recall(lists, hits, k),
            )
        ]

    def lists(self, scorer: Scorer) -> tuple[Ints, Mask]:
        """The tracks on everyone's list, -1 for an empty place, and which are answers.

        int64 and bool [asked, places], places the largest k, or fewer where fewer are candidates.
        """
        found, self.tied = [], 0
        for users, scores in self._blocks(scorer):
            found.append(top(scores, self.split, users, self.ks[-1], self.order))
            offered = np.isfinite(scores)
            low = np.min(scores, axis=1, where=offered, initial=np.inf)
            high = np.max(scores, axis=1, where=offered, initial=-np.inf)
            self.tied += int(np.count_nonzero((low == high) & (offered.sum(axis=1) > 1)))
        lists = np.concatenate(found)
        return lists, _hits(self.answers, lists)

    def _blocks(self, scorer: Scorer) -> Iterator[tuple[Ints, Scores]]:
        step = max(1, BLOCK_CELLS // max(1, len(self.split.candidates)))
        asked = len(self.split.asked)
        for start in range(0, asked, step):
            tell("finding candidates", start, asked, "listeners")
            users = self.split.asked[start : start + step]
            scores = scorer(users)
            scores = np.where(np.abs(scores) < NOISE, np.float32(0), scores)
            yield users, scores.astype(np.float32, copy=False)

    def _per_listener(
        self, lists: Ints, hits: Mask, k: int
    ) -> dict[tuple[str, str, str, bool | None], Floats]:
        """By listeners, tracks, metric and its direction: float64 [asked], NaN where it is void."""
        answers = np.diff(self.answers.indptr)
        found: dict[tuple[str, str, str, bool | None], Floats] = {}
        for metric, values in accuracy(hits, answers, k).items():
            found["all", "all", metric, True] = values
            if metric in ("recall", "ndcg"):
                for name, group in self.listener_groups.items():
                    found[name, "all", metric, True] = np.where(group, values, np.nan)
        for name, tracks in self.track_groups.items():
            count = np.asarray(self.answers.multiply(tracks[None, :]).sum(axis=1)).ravel()
            inside = hits & tracks[np.maximum(lists, 0)]
            found["all", name, "recall", True] = recall(inside, count.astype(np.int64), k)
            shown, listened = (
                beyond.mean_of(tracks.astype(np.float64), lists, k),
                self.listened[name],
            )
            for metric, share in zip(
                CREATOR_METRICS, (shown, listened, shown - listened), strict=True
            ):
                found["all", name, metric, None] = share
        tail = ~self.track_groups["head"]
        kinds = {
            "novelty": beyond.mean_of(self.surprise, lists, k),
            "artist diversity": beyond.artist_diversity(self.main_artist, lists, k),
            "long tail": beyond.mean_of(tail.astype(np.float64), lists, k),
            "emerging artists": beyond.mean_of(self.emerging.astype(np.float64), lists, k),
        }
        for name, heard in self.heard.items():
            kinds[f"{name} heard"] = heard
            for listeners, group in self.listener_groups.items():
                found[listeners, "all", name, None] = np.where(group, kinds[name], np.nan)
                found[listeners, "all", f"{name} heard", None] = np.where(group, heard, np.nan)
        return found | {("all", "all", n, BEYOND[n]): values for n, values in kinds.items()}

    def _means(
        self, values: dict[tuple[str, str, str, bool | None], Floats], k: int
    ) -> Iterator[Figure]:
        """The mean over the listeners that have a value, here and in every draw.

        Of groups of too few listeners none is told.
        """
        table = np.stack(list(values.values()), axis=1)
        known = np.isfinite(table)
        filled = np.where(known, table, 0.0)
        draws = _over(self.resamples.sums(filled), self.resamples.sums(known.astype(np.float64)))
        counts = known.sum(axis=0)
        means = _over(filled.sum(axis=0), counts)
        for column, (listeners, tracks, metric, better) in enumerate(values):
            if counts[column] and (listeners == "all" or is_shown(int(counts[column]))):
                yield Figure(
                    listeners=listeners,
                    tracks=tracks,
                    metric=metric,
                    k=k,
                    value=float(means[column]),
                    draws=draws[:, column],
                    count=int(counts[column]),
                    higher_is_better=better,
                )

    def _of_everyone(self, lists: Ints, k: int) -> Iterator[Figure]:
        exposed = beyond.exposure(lists[:, :k], len(self.surprise))[self.split.candidates]
        for metric, measure in (("coverage", beyond.coverage), ("gini", beyond.gini)):
            none, asked, better = np.empty(0), len(lists), BEYOND[metric]
            yield Figure("all", "all", metric, k, measure(exposed), none, asked, better)

    def _artist_recall(self, lists: Ints, hits: Mask, k: int) -> Figure:
        """The share of those an artist should have reached that it did reach, over artists.

        A reach is a pair of listener and answer. Artists are drawn, as they are the unit.
        """
        reached = np.bincount(lists[:, :k][hits[:, :k]], minlength=self.owners.shape[0])
        wanted = np.asarray(self.answers.sum(axis=0)).ravel()
        shares = (self.owners.T @ reached)[self.wanted_artists]
        values = shares / (self.owners.T @ wanted)[self.wanted_artists]
        draws = self.artist_resamples.means(values)
        value = float(values.mean())
        return Figure("all", "all", "artist recall", k, value, draws, len(values))


def top(scores: Scores, split: Split, users: Ints, k: int, order: Ints) -> Ints:
    """The candidates of the highest scores that a listener has not heard: int64 [users, k].

    order: int64 [candidates], a permutation: equal scores go by it. -1 where fewer are offered.
    Raises QueryError for scores of another shape, and for NaN.
    """
    wanted = (len(users), len(split.candidates))
    if scores.shape != wanted:
        raise QueryError(f"a model gave scores of shape {scores.shape} instead of {wanted}")
    if np.isnan(scores).any():
        raise QueryError(f"a model gave {int(np.isnan(scores).sum()):,} scores that are NaN")
    heard = split.history[users][:, split.candidates].toarray() > 0
    free = np.where(heard, np.float32(-np.inf), scores.astype(np.float32, copy=False))[:, order]
    places = nearest(free, min(k, free.shape[1]))
    offered = np.take_along_axis(free, places, axis=1) > -np.inf
    rows: NDArray[np.int64] = np.where(offered, split.candidates[order[places]], -1)
    return rows


def _reach(heard: csr_matrix, groups: CreatorGroups) -> Ints:
    """How many listeners have heard each group: int64 [groups]."""
    pairs = (heard.astype(np.float32) @ groups.matrix()).tocsc()
    counts: Ints = np.diff(pairs.indptr).astype(np.int64)
    return counts


def _hits(answers: csr_matrix, lists: Ints) -> Mask:
    """Which places hold an answer; both are sorted within a row, so keys can be looked up."""
    width = answers.shape[1]
    rows = np.repeat(np.arange(answers.shape[0]), np.diff(answers.indptr))
    keys = rows * np.int64(width) + answers.indices
    asked = np.arange(len(lists))[:, None] * np.int64(width) + np.maximum(lists, 0)
    hits: Mask = np.isin(asked, keys) & (lists >= 0)
    return hits


def _over(sums: Floats, counts: Floats) -> Floats:
    means: Floats = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means

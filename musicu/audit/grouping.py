"""Groups of recordings that are one, each pair of members nearly so and all of them on average.

That A is B and B is C is not enough for A to be C: small differences would add up to another mix.
So every pair is compared. It may differ somewhat more than two recordings that are joined by
themselves, since two copies that were damaged in different ways are less alike than either is to
its original, but one pair that differs by more keeps two groups apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from musicu.audit.changes import SpectralChange, mean_change
from musicu.audit.fingerprint_comparison import Fingerprints, best_comparison
from musicu.audit.recording_matches import (
    LINKED_CHANGE,
    LINKED_MEAN,
    SAME_CHANGE,
    SEGMENT_ERROR,
    Match,
    judge_pair,
    with_changes,
)
from musicu.features.fingerprint_codes import FRAMES_PER_SECOND

#: Of two groups so many members each are compared; more copies than that say nothing new.
_MOST_COMPARED = 16


def group_recordings(
    prints: Fingerprints, matches: Sequence[Match], may_be_one: Callable[[str, str], bool]
) -> dict[str, str]:
    """The first hash, in order, of the group that each recording belongs to.

    matches: those that are certain join groups, the surest first. may_be_one: what titles allow.
    """
    groups = _Groups(prints, matches, may_be_one)
    sure = [match for match in matches if match.certain]
    for match in sorted(sure, key=_least_change_first):
        groups.join(match)
    return {name: min(members) for members in groups.all() for name in members}


def _least_change_first(match: Match) -> tuple[float, float, str, str]:
    share = match.change.share if match.change is not None else 0.0
    return share, match.error, match.first, match.second


class _Groups:
    """Groups that grow, and where each member begins in the sound of its group, in frames."""

    def __init__(
        self,
        prints: Fingerprints,
        matches: Sequence[Match],
        may_be_one: Callable[[str, str], bool],
    ) -> None:
        self._prints, self._may_be_one = prints, may_be_one
        self._place = {name: i for i, name in enumerate(prints.hashes)}
        self._members: dict[str, dict[str, int]] = {name: {name: 0} for name in prints.hashes}
        self._changes = {frozenset((m.first, m.second)): _change_of(m) for m in matches}

    def all(self) -> Iterable[dict[str, int]]:
        """Each group once."""
        return {id(members): members for members in self._members.values()}.values()

    def join(self, match: Match) -> None:
        """Join the groups of a match, if the members of one are those of the other on average."""
        one, other = self._members[match.first], self._members[match.second]
        if one is other:
            return
        offset = round(match.offset_seconds * FRAMES_PER_SECOND)
        shift = one[match.first] + offset - other[match.second]
        moved = {name: begins + shift for name, begins in other.items()}
        pairs = (
            (a, b, moved[b] - one[a])
            for a in sorted(one)[:_MOST_COMPARED]
            for b in sorted(moved)[:_MOST_COMPARED]
        )
        if self._are_one(pairs):
            one.update(moved)
            for name in moved:
                self._members[name] = one

    def _are_one(self, pairs: Iterable[tuple[str, str, int]]) -> bool:
        """Whether the recordings of some pairs, at their offsets, are one, all of them."""
        found: list[SpectralChange] = []
        for pair in pairs:
            change = self._change(*pair)
            if change is None or not change.within(LINKED_CHANGE):
                return False
            found.append(change)
        return all(change.within(SAME_CHANGE) for change in found) or mean_change(found).within(
            LINKED_MEAN
        )

    def _change(self, a: str, b: str, offset: int) -> SpectralChange | None:
        """What differs between two recordings; None where they are none or titles part them."""
        if not self._may_be_one(a, b):
            return None
        pair = frozenset((a, b))
        if pair not in self._changes:
            i, j = self._place[a], self._place[b]
            around = np.arange(offset - 2, offset + 3)
            best = best_comparison(self._prints[i], self._prints[j], around, SEGMENT_ERROR)
            match = judge_pair(self._prints, i, j, best)
            told = with_changes(self._prints, [match])[0] if match is not None else None
            self._changes[pair] = _change_of(told)
        return self._changes[pair]


def _change_of(match: Match | None) -> SpectralChange | None:
    return match.change if match is not None and match.whole else None


def joined(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The first name, in order, of the set that each belongs to once the pairs are joined."""
    head = {name: name for name in sorted(names)}

    def find(name: str) -> str:
        while head[name] != name:
            head[name] = head[head[name]]
            name = head[name]
        return name

    for a, b in pairs:
        if a in head and b in head:
            first, second = sorted((find(a), find(b)))
            head[second] = first
    return {name: find(name) for name in head}

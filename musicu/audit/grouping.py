"""Groups of recordings that are one, each member with each other one (complete linkage).

That A is B and B is C is not enough for A to be C: small differences would add up to another mix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from musicu.audit.fingerprint_comparison import Fingerprints, best_comparison
from musicu.audit.recording_matches import SEGMENT_ERROR, Match, judge_pair, with_changes
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
        self._certain = {frozenset((m.first, m.second)): m.certain for m in matches}

    def all(self) -> Iterable[dict[str, int]]:
        """Each group once."""
        return {id(members): members for members in self._members.values()}.values()

    def join(self, match: Match) -> None:
        """Join the groups of a match, if each member of one is each of the other."""
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
        if all(self._are_one(*pair) for pair in pairs):
            one.update(moved)
            for name in moved:
                self._members[name] = one

    def _are_one(self, a: str, b: str, offset: int) -> bool:
        """Whether two recordings are certainly one; compared now where they never were."""
        if not self._may_be_one(a, b):
            return False
        pair = frozenset((a, b))
        if pair not in self._certain:
            self._certain[pair] = self._compare(a, b, offset)
        return self._certain[pair]

    def _compare(self, a: str, b: str, offset: int) -> bool:
        i, j = self._place[a], self._place[b]
        around = np.arange(offset - 2, offset + 3)
        found = best_comparison(self._prints[i], self._prints[j], around, SEGMENT_ERROR)
        match = judge_pair(self._prints, i, j, found)
        return match is not None and with_changes(self._prints, [match])[0].certain


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

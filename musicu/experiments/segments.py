"""Results by group of listeners."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.experiments.comparisons import Comparisons, MetricResult
from musicu.experiments.unit_values import UnitTable
from musicu.items.creator_groups import OTHER
from musicu.listening.small_groups import is_shown

Mask = NDArray[np.bool_]

ACTIVITY = ("new", "light", "heavy")


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """A metric's result among the units with one value of a segment column."""

    segment: str
    value: str
    arm: str
    result: MetricResult


def with_activity(units: UnitTable, column: str) -> UnitTable:
    """The units with a segment "activity" by a column of what they did before the experiment.

    New: nothing, or no value. Light and heavy: up to the median of the others, and above it. A
    column that repeats in a unit's rows counts once, as its mean.
    """
    values = units.sums[column] / units.rows
    active = values > 0
    middle = np.median(values[active]) if active.any() else 0.0
    labels = np.where(active, np.where(values > middle, "heavy", "light"), "new")
    return replace(units, labels={**units.labels, "activity": labels.astype(object)})


def segment_results(test: Comparisons) -> tuple[list[SegmentResult], dict[str, int]]:
    """The results among the units of each value, and how many were too few to be shown alone.

    A value is shown where every arm has enough units of it; the others are one, "other groups",
    where they have enough together. A metric that a group has no values of is left out.
    """
    found, folded = list[SegmentResult](), 0
    for segment, labels in test.units.labels.items():
        groups, few = _groups(test, labels)
        folded += few
        for value, among in groups.items():
            found += _of_group(test, segment, value, among)
    about = f"values of segments with fewer than {test.smallest} units in an arm"
    return found, {about: folded} if folded else {}


def _groups(test: Comparisons, labels: NDArray[np.object_]) -> tuple[dict[str, Mask], int]:
    values = sorted({label for label in labels if label is not None})
    masks = {value: labels == value for value in values}
    shown = {value: mask for value, mask in masks.items() if _is_enough(test, mask)}
    others = [mask for value, mask in masks.items() if value not in shown]
    if shown and len(others) > 1 and _is_enough(test, other := np.any(others, axis=0)):
        shown[OTHER] = other
    return shown, len(others)


def _is_enough(test: Comparisons, among: Mask) -> bool:
    sizes = np.bincount(test.units.arm[among], minlength=len(test.units.arms))
    return is_shown(int(sizes.min()), test.smallest)


def _of_group(test: Comparisons, segment: str, value: str, among: Mask) -> Iterator[SegmentResult]:
    for metric in test.metrics:
        one = replace(test, metrics=[metric])
        try:
            found = one.among(among)
        except QueryError:  # no values, or nothing to divide by, in this group
            continue
        for arm, results in found.items():
            for result in results.values():
                if is_shown(min(result.units), test.smallest):
                    yield SegmentResult(segment, value, arm, result)

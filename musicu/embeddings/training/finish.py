"""From the chunks of a recording to its vector: statistics over time, then a linear map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.normalisation import unit_rows


@dataclass(frozen=True, slots=True, eq=False)
class Finish:
    """A summary s of a recording becomes (s - centre) @ matrix, at unit length.

    centre: float32 [summary]. matrix: float32 [summary, dim].
    """

    centre: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def apply(self, summaries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors float32 [..., dim] of summaries float32 [..., summary]."""
        return unit_rows((summaries - self.centre) @ self.matrix).astype(np.float32)


def summarise(chunks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean and deviation over a recording's chunks, float32 [..., 2 * features].

    chunks: float32 [..., chunks, features]. How a recording varies tells as much of it as what
    it is on average.
    """
    mean = chunks.mean(axis=-2)
    spread = np.sqrt(np.square(chunks - mean[..., None, :]).mean(axis=-2))
    both: NDArray[np.float32] = np.concatenate([mean, spread], axis=-1)
    return both


def fit_finish(
    summaries: NDArray[np.float32], weights: NDArray[np.float64], shrinkage: float, dim: int
) -> Finish:
    """Principal directions of the summaries, each divided by its shrunk deviation.

    summaries: float32 [recordings, summary]. weights: how much each recording counts, float64
    [recordings]. shrinkage: what is added to every direction's variance, in mean variances of a
    direction: 0 whitens wholly, a large number only centres and turns. Where there are fewer
    directions than `dim`, the rest of the vector is 0.
    """
    share = weights / weights.sum()
    centre = share @ summaries.astype(np.float64)
    apart = (summaries - centre) * np.sqrt(share)[:, None]
    _, deviations, directions = np.linalg.svd(apart, full_matrices=False)
    values = deviations[:dim] ** 2
    floor = shrinkage * (deviations**2).sum() / dim + 1e-12
    matrix = np.zeros((summaries.shape[1], dim))
    matrix[:, : len(values)] = directions[:dim].T / np.sqrt(values + floor)
    return Finish(centre.astype(np.float32), matrix.astype(np.float32))


def settle_kin(
    finish: Finish, summaries: NDArray[np.float32], kin: NDArray[np.int64], shrinkage: float
) -> Finish:
    """The same finish, with directions shortened in which kin differ among themselves.

    Within-class covariance normalisation (Hatch, Kajarekar and Stolcke, Interspeech 2006).
    kin: int64 [recordings], equal for recordings of one artist, -1 where unknown; a prolific one
    counts as eight. shrinkage: what is added to every direction's variance, in mean variances.
    Where no two recordings are kin, the finish stays as it is.
    """
    placed = ((summaries - finish.centre) @ finish.matrix).astype(np.float64)
    values, axes = np.linalg.eigh(kin_spread(placed, kin))
    if values.max() <= 0:
        return finish
    root = axes / np.sqrt(np.maximum(values, 0.0) + shrinkage * values.mean()) @ axes.T
    return Finish(finish.centre, (finish.matrix.astype(np.float64) @ root).astype(np.float32))


def kin_spread(rows: NDArray[np.float64], kin: NDArray[np.int64]) -> NDArray[np.float64]:
    """Covariance of rows [recordings, D] about the mean of their kin, float64 [D, D].

    kin: int64 [recordings], -1 where unknown; a prolific artist counts as eight recordings.
    Zeros where no two recordings are kin.
    """
    total, count = np.zeros((rows.shape[1],) * 2), 0.0
    for group in np.unique(kin[kin >= 0]):
        own = rows[kin == group]
        weight = min(len(own), 8) / len(own)
        apart = own - own.mean(axis=0)
        total += weight * apart.T @ apart
        count += weight * (len(own) - 1)
    return total / max(count, 1.0)

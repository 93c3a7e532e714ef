"""An arc: energy or tempo that rises, falls, or goes over a peak or through a valley."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.items.item_table import Ints
from musicu.shelves.assembly import ScoredItem, ShelfSpec
from musicu.shelves.character import known
from musicu.shelves.context import Anchor, ShelfContext
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.sequencing import Fits, slotted
from musicu.shelves.shelf import Shelf, ShelfTrack
from musicu.shelves.shelf_reasons import Reason, tempo_of

#: What fitting its place wholly is worth, beside a cosine that goes to 1.
POINTS = 0.5
#: Candidates looked at for each place.
POOL_A_SLOT = 20

SHAPES = {
    "rise": "from low to high",
    "fall": "from high to low",
    "peak": "up to a peak and down again",
    "valley": "down to a valley and up again",
}
_UNITS = {"energy": "", "tempo": " BPM"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc(Recipe):
    """Tracks whose energy or tempo follows a shape; like `track`, where one is given.

    by: "energy" or "tempo". shape: one of SHAPES. Needs the catalog's descriptors, or tempo tags.
    """

    name: ClassVar[str] = "arc"
    by: str = "energy"
    shape: str = "rise"
    track: str | None = None

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """One shelf; QueryError where by or shape is unknown, or no track has the number."""
        if self.by not in _UNITS or self.shape not in SHAPES:
            raise QueryError(
                f"an arc of {self.by!r} and the shape {self.shape!r} is not known: by is one of "
                f"{', '.join(_UNITS)}, shape one of {', '.join(SHAPES)}"
            )
        seed = None if self.track is None else context.find(self.track)
        if seed is None:
            own = context.matching(self.constraints.where)
        else:
            own = context.places(context.near([seed], 50 * self.size, self.constraints.where))
        values = self._values(context, own)
        if not values:
            raise QueryError(
                f"the {self.by} of no track is known here: run `musicu describe` on the catalog"
            )
        seed_row = context.rows([seed])[seed] if seed else None
        curve = _Curve(self, values)
        near = curve.candidates(self.size)
        rows = context.items_of(context.places(near))
        plain = [ScoredItem(rows[t], 0.0) for t in near]
        choices = plain if seed_row is None else context.likened(near, [Anchor(seed_row)])
        like = "" if seed_row is None else f" around {ShelfTrack(seed_row).title}"
        ask = ShelfSpec(
            title=self.title or f"{self.by.capitalize()} {SHAPES[self.shape]}{like}",
            items=choices,
            excluded=[seed_row] if seed_row else [],
            seed=seed_row,
            order=slotted(curve.fits, curve.tell, curve.in_order),
        )
        return [self.shelf(context, ask)]

    def _values(self, context: ShelfContext, own: Ints) -> dict[str, float]:
        """What the arc is made of, by id: tempo or energy of the tracks of which it is known."""
        names = ["track_id", "bpm_tag", "tempo_bpm", "tempo_confidence", "energy"]
        columns = [name for name in names if name in context.tracks.column_names]
        rows = context.items.tracks.select(columns).take(pa.array(own)).to_pylist()
        found = (
            (row["track_id"], tempo_of(row) or None if self.by == "tempo" else known(row, "energy"))
            for row in rows
        )
        return {track_id: value for track_id, value in found if value is not None}


class _Curve:
    """What is wanted in each place, between the tenths at either end of what there is."""

    def __init__(self, arc: Arc, values: dict[str, float]) -> None:
        self._arc = arc
        self._values = values
        self._low, self._high = map(float, np.quantile(list(values.values()), [0.1, 0.9]))

    def targets(self, slots: int) -> NDArray[np.float64]:
        """The wanted value in each place, float64 [slots]."""
        way = np.linspace(0.0, 1.0, slots) if slots > 1 else np.zeros(1)
        shapes = {
            "rise": way,
            "fall": 1 - way,
            "peak": 1 - np.abs(2 * way - 1),
            "valley": np.abs(2 * way - 1),
        }
        targets: NDArray[np.float64] = (
            self._low + (self._high - self._low) * shapes[self._arc.shape]
        )
        return targets

    def candidates(self, slots: int) -> list[str]:
        """The tracks nearest to each wanted value."""
        ids, values = list(self._values), np.array(list(self._values.values()))
        found: dict[str, None] = {}
        for target in self.targets(slots):
            order = np.argsort(np.abs(values - target), kind="stable")[:POOL_A_SLOT]
            found.update(dict.fromkeys(ids[i] for i in order))
        return list(found)

    def _fit(self, values: NDArray[np.float64], targets: NDArray[np.float64]) -> Fits:
        """From POINTS where the value is the wanted one to 0 where it is half the range away."""
        half = max((self._high - self._low) / 2, 1e-9)
        apart = np.abs(values[None, :] - targets[:, None]) / half
        fit: Fits = POINTS * np.clip(1 - apart, 0, 1)
        return fit

    def fits(self, choices: Sequence[ScoredItem], slots: int) -> Fits:
        """Scores with what each place makes of them."""
        values = np.array([self._values[choice.track_id] for choice in choices])
        scores = np.array([choice.score for choice in choices])
        worth: Fits = self._fit(values, self.targets(slots)) + scores
        return worth

    def in_order(self, chosen: list[ScoredItem]) -> list[ScoredItem]:
        """Sorted where the shape rises, and where it falls: no step goes the wrong way."""
        turn = {"rise": len(chosen), "fall": 0}.get(self._arc.shape, (len(chosen) + 1) // 2)
        first_up = self._arc.shape != "valley"
        parts = (chosen[:turn], not first_up), (chosen[turn:], first_up)
        key = self._sort_key
        return [c for part, down in parts for c in sorted(part, key=key, reverse=down)]

    def _sort_key(self, choice: ScoredItem) -> tuple[float, str]:
        return self._values[choice.track_id], choice.track_id

    def tell(self, choice: ScoredItem, slot: int, slots: int) -> ScoredItem:
        """The choice in its place, with how well it fits there."""
        value, target = self._values[choice.track_id], float(self.targets(slots)[slot])
        points = float(self._fit(np.array([value]), np.array([target]))[0, 0])
        if points <= 0:
            return choice
        digits = 0 if self._arc.by == "tempo" else 2
        said = f"{value:.{digits}f}{_UNITS[self._arc.by]}"
        facts = {self._arc.by: round(value, 4), "wanted": round(target, 4)}
        text = f"its {self._arc.by} of {said} is near the {target:.{digits}f} wanted here"
        return choice.plus(Reason("slot", facts, text, points))

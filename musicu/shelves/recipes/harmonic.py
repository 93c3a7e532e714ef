"""Harmonic mixing: a chain of tracks in which every transition fits in key and tempo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from musicu.catalog.identity import Row
from musicu.errors import QueryError
from musicu.shelves.assembly import ScoredItem, ShelfSpec
from musicu.shelves.context import Anchor, ShelfContext
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.sequencing import chained
from musicu.shelves.shelf import Shelf, ShelfTrack
from musicu.shelves.shelf_reasons import Reason, key_of, tempo_of
from musicu.shelves.transitions import Transition, Transitions, tempo_judged

#: What a seamless transition is worth, beside a cosine that goes to 1.
POINTS = 0.5
#: Keys may be the same or neighbours on the Camelot wheel.
LEAST_KEY = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonicMix(Recipe):
    """From one track on, each next one in the same or a neighbouring key and near in tempo.

    pitch: the most that a tempo may change, half and double time taken together; 0.08 is what a
    DJ's slider does. The shelf is shorter than asked for where the chain comes to an end.
    """

    name: ClassVar[str] = "harmonic-mix"
    track: str
    pitch: float = 0.08

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """One shelf; QueryError where the key or the tempo of the first track is unknown."""
        seed = context.find(self.track)
        row = context.rows([seed])[seed]
        if key_of(row) is None or not tempo_of(row):
            raise QueryError(
                f"the key or the tempo of {ShelfTrack(row).title!r} is not known well enough: run "
                "`musicu describe` on the catalog, or begin with another track"
            )
        ids = context.near([seed], 100 * self.size, self.constraints.where)
        choices = [c for c in context.likened(ids, [Anchor(row)]) if _mixes(c.row)]
        ask = ShelfSpec(
            title=self.title or f"A harmonic mix from {ShelfTrack(row).title}",
            items=choices,
            excluded=[row],
            seed=row,
            order=chained(row, self._allow, _tell),
        )
        return [self.shelf(context, ask)]

    def _allow(self, judged: Transitions) -> NDArray[np.bool_]:
        tempo = judged.parts["tempo"] >= tempo_judged(1 + self.pitch) - 1e-9
        allowed: NDArray[np.bool_] = tempo & (judged.parts["key"] >= LEAST_KEY)
        return allowed


def _mixes(row: Row) -> bool:
    """Whether enough is known of a track to mix it."""
    return key_of(row) is not None and bool(tempo_of(row))


def _tell(choice: ScoredItem, before: Row, step: Transition) -> ScoredItem:
    """The choice with the transition to it."""
    keys = [key.camelot for row in (before, choice.row) if (key := key_of(row)) is not None]
    tempi = [round(bpm, 2) for row in (before, choice.row) if (bpm := tempo_of(row))]
    told = f"{' to '.join(keys)}, {' to '.join(f'{bpm:.0f}' for bpm in tempi)} BPM"
    value = {"from": before["track_id"], "keys": keys, "bpm": tempi}
    text = f"mixes with the one before ({told})"
    return choice.plus(Reason("transition", value, text, POINTS * step.score))

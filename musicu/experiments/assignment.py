"""Who sees what: the arm of each unit from a salted hash of its id.

Nothing is stored: the same id is always in the same arm, on every machine, and ids that are new
tomorrow have one already. A layer is a set of experiments that must not share listeners: each
takes a range of the layer's buckets. Layers are independent of each other, since each has a salt
of its own (Tang, Agarwal, O'Brien and Meyer, KDD 2010). A holdout keeps a share of all listeners
out of every experiment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.records import check_number, id_list, short

Places = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Assignment:
    """How an experiment gives its units to arms.

    name: salts the arms. arms: arm → its share; shares are scaled to a sum of 1. layer, within:
    the layer's name, and the range of it from which the experiment takes its units (a share from,
    a share to). holdout: the share of all units that no experiment gets.
    """

    name: str
    arms: Mapping[str, float]
    layer: str = ""
    within: tuple[float, float] = (0.0, 1.0)
    holdout: float = 0.0

    def __post_init__(self) -> None:
        if not self.name:
            raise QueryError("an experiment needs a name: it decides who is in which arm")
        if not isinstance(self.arms, Mapping) or len(self.arms) < 2:
            raise QueryError(
                f"arms are {short(self.arms)}: give two or more with a share above 0 each, such as "
                "{'control': 0.5, 'new': 0.5}"
            )
        for arm, share in self.arms.items():
            check_number(f"the share of arm {arm}", share, above=0)
        if not isinstance(self.within, tuple | list) or len(self.within) != 2:
            raise QueryError(f"within is {short(self.within)}: give two shares, such as (0, 0.5)")
        first, last = (check_number("within", share) for share in self.within)
        if not 0 <= first < last <= 1:
            raise QueryError(f"within is {self.within}: give two rising shares between 0 and 1")
        if not 0 <= check_number("holdout", self.holdout) < 1:
            raise QueryError(f"holdout is {self.holdout}: give a share from 0 to below 1")

    def arm_of(self, unit_id: str | int) -> str | None:
        """The arm of one unit, None where it is in no arm."""
        arm: str | None = self.assign([unit_id])[0].as_py()
        return arm

    def assign(self, unit_ids: Any) -> pa.Array:
        """The arm of each unit, null where it is held out or belongs to others of the layer.

        unit_ids: a list, or a column of any library; 7, 7.0 and "7" are one id. Raises QueryError
        for a single id, and where one is missing.
        """
        ids = id_list(unit_ids)
        names = list(self.arms)
        ends = np.cumsum(list(self.arms.values()))
        codes = np.searchsorted(ends / ends[-1], _places(f"arm {self.name}", ids), side="right")
        inside = _places("holdout", ids) >= self.holdout
        in_layer = _places(f"layer {self.layer}", ids)
        inside &= (in_layer >= self.within[0]) & (in_layer < self.within[1])
        codes = np.minimum(codes, len(names) - 1)
        return pa.array(names).take(pa.array(codes, mask=~inside))


def _places(salt: str, ids: list[str]) -> Places:
    """A number in [0, 1) for each id, uniform and independent of those under other salts."""
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    digests = b"".join(
        hashlib.blake2b(unit.encode(), digest_size=8, key=key).digest() for unit in ids
    )
    numbers = (np.frombuffer(digests, dtype=">u8") >> np.uint64(11)).astype(np.float64)
    return np.asarray(numbers / 2.0**53)

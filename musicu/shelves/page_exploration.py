"""A page whose order a policy explores, with the propensity of each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from musicu.policies.policy import POLICIES, order_by_policy
from musicu.shelves.shelf import Shelf

#: A row a shelf, in the order of the page. position: from 1. shelf: its title.
#: name: as exposures call it. given_position: before the policy.
#: propensity: the probability that the policy puts it there, given the shelves above it.
SHELF_PLACES = pa.schema(
    [
        ("position", pa.int32()),
        ("shelf", pa.string()),
        ("name", pa.string()),
        ("given_position", pa.int32()),
        ("policy", pa.string()),
        ("seed", pa.int64()),
        ("propensity", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class ExploredPage:
    """Shelves in the order that a policy chose; given: where each stood before, from 0."""

    shelves: list[Shelf]
    given: list[int]
    propensities: list[float]
    policy: str
    seed: int

    def to_table(self) -> pa.Table:
        """The columns of SHELF_PLACES."""
        count = len(self.shelves)
        columns = [
            range(1, count + 1),
            [shelf.title for shelf in self.shelves],
            [shelf.name or shelf.title for shelf in self.shelves],
            [place + 1 for place in self.given],
            [self.policy] * count,
            [self.seed] * count,
            self.propensities,
        ]
        return pa.table([list(column) for column in columns], schema=SHELF_PLACES)


def explore_page(
    shelves: Sequence[Shelf], policy: str, seed: int = 0, user_id: str | None = None
) -> ExploredPage:
    """The shelves in an order that a policy chooses, from the first place to the last.

    seed, user_id: what the policy's chance is drawn from, so that two listeners are explored
    apart. Raises RegistryError for an unknown policy, QueryError for one that answers nonsense.
    """
    rng = np.random.default_rng([seed % 2**63, *(user_id or "").encode()])
    chosen = order_by_policy(POLICIES.make(policy), [shelf.title for shelf in shelves], rng)
    return ExploredPage(
        [shelves[choice.action] for choice in chosen],
        [choice.action for choice in chosen],
        [choice.propensity for choice in chosen],
        policy,
        seed,
    )

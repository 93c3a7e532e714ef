"""Numbers about few listeners are not shown: they would tell of single ones (k-anonymity).

Whatever shows a number about a group of listeners asks here first. Totals must be of shown groups
alone, or the hidden ones could be had by subtraction.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

#: Listeners in the smallest group that is shown (k).
SMALLEST_GROUP = 10


def is_shown(listeners: int, smallest: int = SMALLEST_GROUP) -> bool:
    """Whether numbers about so many listeners may be shown."""
    return listeners >= smallest


def shown_count(listeners: int, smallest: int = SMALLEST_GROUP) -> str:
    """A number of listeners for people: "1,234", or "fewer than 10"."""
    return f"{listeners:,}" if is_shown(listeners, smallest) else f"fewer than {smallest}"


def shown_groups(
    rows: pa.Table, by: str | Sequence[str], smallest: int = SMALLEST_GROUP
) -> tuple[pa.Table, int]:
    """The rows of groups of enough listeners, and how many groups are left out.

    rows: with a column user_id. by: the columns that make the groups; none for all as one group.
    """
    keys = [by] if isinstance(by, str) else list(by)
    if not keys:
        enough = is_shown(pc.count_distinct(rows["user_id"]).as_py(), smallest)
        return (rows, 0) if enough else (rows.slice(0, 0), min(rows.num_rows, 1))
    people = rows.group_by(keys).aggregate([("user_id", "count_distinct")])
    enough = pc.greater_equal(people["user_id_count_distinct"], smallest)
    shown = people.filter(enough).select(keys)
    numbered = rows.append_column("_row", pa.array(range(rows.num_rows), pa.int64()))
    kept = numbered.join(shown, keys, join_type="left semi")["_row"]
    taken = rows.take(pc.take(kept, pc.sort_indices(kept)))
    return taken, people.num_rows - shown.num_rows

"""Made exposures of a small catalog: who likes what is known, and how likely places are seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from candidates_samples import NOW, made_items, made_listens

from musicu.items.item_table import ItemTable
from musicu.listening.feedback import EXPOSURES, OUTCOMES
from musicu.ranking.ranking_features import percentiles

SEEN = (1.0 / (1 + np.arange(8))) ** 0.7


@dataclass(frozen=True)
class Log:
    items: ItemTable
    listens: pa.Table
    exposures: pa.Table
    outcomes: pa.Table


def made_log(
    pages: int = 900, chance: float = 0.3, seed: int = 0, likes_popular: float = 8.0
) -> Log:
    """A page of eight tracks each, which listeners like the more the more popular they are.

    chance: the share of pages whose order is random; the others go by track id.
    """
    rng = np.random.default_rng(seed)
    items = made_items(count=60, seed=1)
    listens = made_listens(items, users=20, each=12, skips=0.0)
    items.plays = np.bincount(items.rows_of(listens["track_id"].to_pylist()), minlength=60)
    liked = 1 / (1 + np.exp(-likes_popular * (percentiles(items.popularity) - 0.75)))
    shown: list[dict[str, Any]] = []
    done: list[dict[str, Any]] = []
    for page in range(pages):
        rows = rng.choice(60, 8, replace=False)
        random = rng.random() < chance
        rows = rows if random else np.sort(rows)
        at, user = NOW + timedelta(hours=page % 600), f"user{page % 20:02d}"
        earned = (rng.random(8) < SEEN) & (rng.random(8) < liked[rows])
        for slot, row in enumerate(rows.tolist()):
            name = f"{page}-{slot}"
            common = {"user_id": user, "track_id": items.ids[row], "exposure_id": name}
            place = {"page_id": str(page), "surface": "page", "shelf": "one", "shelf_position": 0}
            shown.append(
                {
                    **common,
                    **place,
                    "item_position": slot,
                    "policy": "random" if random else "given",
                    "propensity": 1 / (8 - slot) if random else 1.0,
                    "shown_at": at,
                }
            )
            if earned[slot]:
                event = {"event_id": name, "kind": "played", "milliseconds": 90_000, "at": at}
                done.append({**common, **event})
    plays = listens.set_column(2, "timestamp", pa.array([NOW - timedelta(days=3)] * len(listens)))
    plays = plays.cast(listens.schema)
    return Log(
        items,
        plays,
        pa.Table.from_pylist(shown, schema=EXPOSURES),
        pa.Table.from_pylist(done, schema=OUTCOMES),
    )

"""Are the reasons on shelves true? Each is taken away, and the score must fall.

    python benchmarks/shelf_reasons.py CATALOG [--sample 40] [--seeds 4]

For a sample of items and reasons of every recipe: the one track loses what the reason names (its
tag, descriptor or vector; the listener loses the interest), the whole shelf is built again by the
same recipe, and the track must score less there, or stand there no more.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.candidates import TasteProfile
from musicu.catalog.catalog import Catalog
from musicu.errors import QueryError
from musicu.records import Vectors
from musicu.shelves import Shelf, ShelfContext, recipe_of
from musicu.shelves.given import TableCatalog
from musicu.shelves.shelf_reasons import Reason

FEATURES = {
    "artist": ["artists", "album_artist"],
    "album": ["album"],
    "genres": ["genres"],
    "tempo": ["bpm_tag", "tempo_bpm"],
    "key": ["key_tag", "key"],
    "label": ["label"],
    "released": ["date", "released"],
    "era": ["date", "released", "original_date"],
    "slot": ["energy", "bpm_tag", "tempo_bpm"],
    "transition": ["key_tag", "key", "bpm_tag", "tempo_bpm"],
    "sound": [],
    "journey": [],
    "taste": [],
    "nearest": [],
}
#: Reasons that go with the track's vector.
BY_VECTOR = ("sound", "journey", "taste", "nearest")
_ENTRIES = ("place", "dated", "undated", "plays")


RECIPES_FOR_A_LISTENER = ("daily-mixes", "because-you-listened", "new-for-you")


def lacking(catalog: TableCatalog, track_id: str, reason: Reason) -> TableCatalog:
    """The catalog with one track short of what a reason names."""
    table, ids, values = catalog.table, catalog.pairs.ids, catalog.pairs.values
    columns = FEATURES.get(reason.kind, [])
    if reason.kind == "character":
        columns = [name for name in reason.value if name != "words"]
    own = pc.equal(table["track_id"], track_id)
    for name in columns:
        if name in table.column_names:
            kind = table.schema.field(name).type
            kept = pc.if_else(own, pa.scalar(None, kind), table[name])
            table = table.set_column(table.column_names.index(name), name, kept)
    if reason.kind in BY_VECTOR:
        keep = ids != track_id
        return TableCatalog(table, Vectors(ids[keep], values[keep]))
    return TableCatalog(table, catalog.pairs)


def missing(profile: TasteProfile, track_id: str, reason: Reason) -> TasteProfile:
    """The listener without the interest, or the memory, that a reason names."""
    if reason.kind == "interest":
        named = reason.value["track_id"]
        kept = tuple(i for i in profile.interests if named not in (i.medoid, *i.track_ids))
        return replace(profile, interests=kept)
    if reason.kind == "heard":
        history = profile.history
        other = np.flatnonzero(history.ids != track_id)
        columns = {name: getattr(history, name)[other] for name in _ENTRIES}
        return replace(profile, history=replace(history, **columns))
    return profile


def score_in(shelves: list[Shelf], track_id: str) -> float:
    return max((i.score for s in shelves for i in s if i.track_id == track_id), default=-np.inf)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("catalog")
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=4)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    opened = Catalog.open(args.catalog)
    catalog = TableCatalog(opened.tracks(), opened.vectors())
    ids = catalog.pairs.ids
    taste = TasteProfile.from_seeds(list(rng.choice(ids, 16, replace=False)), catalog.pairs)
    artists = [a[0] for a in catalog.table["artists"].to_pylist() if a]
    asked = [{"recipe": name} for name in RECIPES_FOR_A_LISTENER]
    for a, b in rng.choice(ids, (args.seeds, 2), replace=False):
        asked += [
            {"recipe": "more-like-track", "track": a},
            {"recipe": "more-like-artist", "artist": str(rng.choice(artists))},
            {"recipe": "journey", "start": a, "end": b},
            {"recipe": "arc", "track": a},
            {"recipe": "harmonic-mix", "track": a},
            {"recipe": "fill-playlist", "tracks": [a, b]},
        ]
    right: dict[str, Counter] = defaultdict(Counter)
    kinds: dict[str, Counter] = defaultdict(Counter)
    for options in asked:
        recipe = recipe_of({**options, "size": 12})
        try:
            shelves = recipe.shelves(ShelfContext(catalog, profile=taste))
        except QueryError:
            continue
        pairs = [(item, reason) for s in shelves for item in s for reason in item.reasons]
        order = rng.permutation(len(pairs))[: max(1, args.sample // args.seeds)]
        for item, reason in (pairs[i] for i in order):
            changed = lacking(catalog, item.track_id, reason)
            poorer = missing(taste, item.track_id, reason)
            try:
                after = recipe.shelves(ShelfContext(changed, profile=poorer))
            except QueryError:
                after = []
            fell = score_in(after, item.track_id) < score_in(shelves, item.track_id) - 1e-12
            right[recipe.name][fell] += 1
            kinds[reason.kind][fell] += 1
    total = sum(right.values(), Counter())
    for title, table in (("recipe", right), ("reason", kinds)):
        print(f"\n{title:<22} held    of")
        for name, counts in sorted(table.items()):
            print(f"{name:<22} {counts[True]:>4} {sum(counts.values()):>5}")
    print(
        f"\nall: {total[True]} of {sum(total.values())} ({total[True] / sum(total.values()):.1%})"
    )


if __name__ == "__main__":
    main()

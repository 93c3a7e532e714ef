"""What was joined to a catalog from other people's data, beside its tracks.

`musicu join` writes a table for each source, `joined/<source>/`, by track. `Catalog.tracks()` has
its columns as `<source>_<column>`, and fills what its own columns lack:

- `released` and `date`, track by track, from the first source (by name) that knows the date;
- `popularity`, only where no track has one of its own, and then from one source for all tracks, the
  one that knows most, as counts of two sources cannot be compared.

`released_source` and `popularity_source` say where a value comes from: "tags" is the track itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from musicu.tags.dates import parse_date

ROOM = "joined"
#: The columns of the tracks themselves that joins fill.
FILLED = ("released", "date", "popularity")

_ABOUT_VALUES = ("_source", "_as_of")
_OWN = "tags"
#: The best date of a source stands first: when the music came out, not this edition of it.
_DATES = ("original_date", "date")


def source_columns(table: pa.Table) -> list[str]:
    """The columns of a source's table that hold values, and by what tracks were matched."""
    names = [name for name in table.column_names if name != "track_id"]
    return [
        n
        for n in names
        if not any(n.endswith(end) and n.removesuffix(end) in names for end in _ABOUT_VALUES)
    ]


def beside_joined(tracks: pa.Table, joined: Mapping[str, pa.Table]) -> pa.Table:
    """The tracks with the columns of every source, dates and popularity filled."""
    if not joined:
        return tracks
    for source, table in joined.items():
        rows = pc.index_in(tracks["track_id"], value_set=table["track_id"].combine_chunks())
        found = table.select(source_columns(table)).take(rows)
        for at, name in enumerate(found.column_names):
            field = found.schema.field(at).with_name(f"{source}_{name}")
            if field.name not in tracks.column_names:
                tracks = tracks.append_column(field, found[name])
    return _with_popularity(_with_dates(tracks, list(joined)), list(joined))


def _with_dates(tracks: pa.Table, sources: list[str]) -> pa.Table:
    own = pc.is_valid(tracks["released"])
    dates, told = tracks["date"], pc.if_else(own, _OWN, None)
    missing = pc.invert(own)
    for source in sources:
        for name in (f"{source}_{name}" for name in _DATES):
            if name in tracks.column_names:
                known = pc.and_(missing, pc.is_valid(tracks[name]))
                dates = pc.if_else(known, tracks[name], dates)
                told = pc.if_else(known, source, told)
                missing = pc.and_(missing, pc.invert(known))
    filled = pc.and_(pc.is_valid(told), pc.invert(own))
    days = pc.if_else(filled, _first_days(dates), tracks["released"])
    tracks = _set(_set(tracks, "date", dates), "released", days)
    return tracks.append_column("released_source", told)


def _first_days(dates: pa.ChunkedArray) -> pa.Array:
    coded = pc.fill_null(dates, "").combine_chunks().dictionary_encode()
    parsed = [parse_date(text) for text in coded.dictionary.to_pylist()]
    days = pa.array([found.first_day if found else None for found in parsed], pa.date32())
    return days.take(coded.indices)


def _with_popularity(tracks: pa.Table, sources: list[str]) -> pa.Table:
    count, chosen = len(tracks), _OWN
    values = tracks["popularity"]
    if values.null_count == count:
        named = [s for s in sources if f"{s}_popularity" in tracks.column_names]
        known = {s: count - tracks[f"{s}_popularity"].null_count for s in named}
        if known and max(known.values()):
            chosen = max(known, key=lambda source: known[source])
            values = tracks[f"{chosen}_popularity"].cast(pa.float64())
    told = pc.if_else(pc.is_valid(values), chosen, None)
    return _set(tracks, "popularity", values).append_column("popularity_source", told)


def _set(tracks: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    at = tracks.schema.get_field_index(name)
    return tracks.set_column(at, tracks.schema.field(at), values)

"""A taste in words: medoids, shares, genres and years."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from musicu.records import counted
from musicu.retrieval.names import label

if TYPE_CHECKING:
    from musicu.listening.profiles import Interest, TasteProfile

_Rows = dict[str, dict[str, Any]]


def describe(taste: TasteProfile, tracks: pa.Table) -> str:
    """A line an interest, the most important first, then how much was heard and skipped."""
    wanted = {name for interest in taste.interests for name in interest.track_ids}
    rows = _rows(tracks, wanted | set(taste.negatives[:3]))
    lines = [
        f"{number}. {_line(interest, taste, rows)}"
        for number, interest in enumerate(taste.interests, 1)
    ]
    lines = lines or ["No interests: nothing that is liked has a vector."]
    lines.append(f"Heard {counted(len(taste.heard), 'track')}{_skipped(taste, rows)}.")
    return "\n".join(lines)


def times(count: float) -> str:
    """How often, in words: once, twice, 12 times."""
    whole = round(count)
    return {1: "once", 2: "twice"}.get(whole, f"{whole:,} times")


def _line(interest: Interest, taste: TasteProfile, rows: _Rows) -> str:
    """ "62 %: near Artist – Title, played 12 times (23 tracks; ambient, drone; 1990s)"."""
    plays = dict(zip(taste.history.ids, taste.history.plays, strict=True))[interest.medoid]
    known = [rows[name] for name in interest.track_ids if name in rows]
    facts = [counted(len(interest.track_ids), "track"), _genres(known), _era(known)]
    named = label(rows[interest.medoid]) if interest.medoid in rows else interest.medoid
    share = f"{100 * interest.importance:.0f} %"
    how = f", played {times(plays)}" if plays else ""
    return f"{share}: near {named}{how} ({'; '.join(filter(None, facts))})"


def _skipped(taste: TasteProfile, rows: _Rows) -> str:
    if not taste.negatives:
        return ""
    names = [label(rows[name]) for name in taste.negatives[:3] if name in rows]
    among = f", {'; '.join(names)} among them" if names else ""
    return f"; {counted(len(taste.negatives), 'track')} skipped more than played{among}"


def _genres(rows: list[dict[str, Any]]) -> str:
    """The genres of at least a quarter of the tracks, at most three."""
    counts = Counter(name for row in rows for name in set(row.get("genres") or ()))
    most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(name for name, count in most[:3] if 4 * count >= len(rows))


def _era(rows: list[dict[str, Any]]) -> str:
    """The decade that most of the dated tracks are from."""
    decades = Counter(row["released"].year // 10 * 10 for row in rows if row.get("released"))
    if not decades:
        return ""
    decade, count = min(decades.items(), key=lambda pair: (-pair[1], pair[0]))
    return f"{decade}s" if 2 * count > sum(decades.values()) else ""


def _rows(tracks: pa.Table, wanted: set[str]) -> _Rows:
    ids = pa.array(sorted(wanted), pa.string())  # of nothing, Arrow would not know the type
    kept = tracks.filter(pc.is_in(tracks["track_id"], value_set=ids))
    names = ["track_id", "title", "artists", "album", "path", "genres", "released"]
    return {row["track_id"]: row for row in kept.select(names).to_pylist()}

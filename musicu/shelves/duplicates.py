"""Which tracks are one recording, or versions of one work: a shelf holds one of them.

Where `musicu audit` has heard both, its word stands (`recording_id`, `work_id`). Else two files
are one recording where any of these holds, and their titles name no different version (live,
remix, radio edit, part 2, …):

- the audio is the same to the byte (`content_hash`; here titles are not asked),
- they carry the same ISRC or MusicBrainz recording id,
- title and performer are the same, the durations differ by at most 2 s or 1 %, and the
  vectors' cosine is at least `Rules.duplicate_cosine`.

What is not known is no evidence: tracks without a title, a duration or a vector stay apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from musicu.catalog.identity import Row, artist_keys, codes, title_key, version_of

_AUDITED = ("recording_id", "work_id")


def recording_numbers(
    tracks: Sequence[Row], cosine: Callable[[int, int], float | None], threshold: float
) -> list[int]:
    """A number for each track, equal where the recording is: the first position that has it.

    cosine: the likeness of the tracks at two positions, None where a vector is missing.
    """
    number = list(range(len(tracks)))
    for group in _groups(tracks):
        for place, i in enumerate(group):
            for j in group[:place]:
                if number[i] != number[j] and _same(tracks[i], tracks[j], cosine(i, j), threshold):
                    low, high = sorted((number[i], number[j]))
                    number = [low if n == high else n for n in number]
    return number


def _groups(tracks: Sequence[Row]) -> Iterator[list[int]]:
    """Positions of tracks that have something in common which makes a comparison worth it."""
    groups: dict[tuple[str, str], list[int]] = {}
    for i, track in enumerate(tracks):
        keys = {("audio", track.get("content_hash") or "")}
        keys |= {("code", code) for code in codes(track)}
        keys |= {(name, track.get(name) or "") for name in _AUDITED}
        keys |= {(title_key(track.get("title")), artist) for artist in artist_keys(track)}
        for key in keys:
            if key[0] and key[1]:
                groups.setdefault(key, []).append(i)
    return (group for group in groups.values() if len(group) > 1)


def _same(a: Row, b: Row, cosine: float | None, threshold: float) -> bool:
    """Whether two tracks are one recording, by the rules above."""
    if a.get("content_hash") and a.get("content_hash") == b.get("content_hash"):
        return True
    if all(track.get(name) for track in (a, b) for name in _AUDITED):
        return any(a[name] == b[name] for name in _AUDITED)
    if version_of(a.get("title")) != version_of(b.get("title")):
        return False
    if codes(a) & codes(b):
        return True
    named = bool(title_key(a.get("title"))) and title_key(a.get("title")) == title_key(
        b.get("title")
    )
    performed = bool(artist_keys(a) & artist_keys(b))
    return named and performed and _equally_long(a, b) and (cosine or 0.0) >= threshold


def _equally_long(a: Row, b: Row) -> bool:
    """Whether both durations are known and differ by at most 2 s or 1 %."""
    x, y = a.get("duration_seconds"), b.get("duration_seconds")
    return x is not None and y is not None and abs(x - y) <= max(2.0, 0.01 * max(x, y))

"""Albums and what a label knows about a track: dates, numbers, codes and plays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from musicu.datasets.synth.cover import draw_cover
from musicu.datasets.synth.made_names import LABELS, title
from musicu.datasets.synth.styles import Style

_NEWEST = date(2026, 11, 20)
_OLDEST = date(2009, 3, 1)


@dataclass(frozen=True, slots=True)
class Release:
    """A track as a label lists it.

    popularity: 0 to 100. date: a year, a month or a day, as precise as the tag is.
    """

    artist: str
    album: str
    title: str
    track_number: int
    genres: tuple[str, ...]
    label: str
    date: str
    isrc: str
    popularity: float
    cover_png: bytes

    @property
    def path(self) -> str:
        """Where the file lies in the folder, with forward slashes."""
        return f"{self.artist}/{self.album}/{self.track_number:02d} {self.title}.flac"

    def tags(self) -> list[tuple[str, str]]:
        """Vorbis comments under their usual names."""
        one = {"TITLE": self.title, "ARTIST": self.artist, "ALBUM": self.album}
        one |= {"ALBUMARTIST": self.artist, "TRACKNUMBER": str(self.track_number)}
        genres = [("GENRE", genre) for genre in self.genres]
        return [*one.items(), ("DATE", self.date), *genres, ("LABEL", self.label),
                ("ISRC", self.isrc)]  # fmt: skip

    def on_best_of(self, rng: np.random.Generator) -> Release:
        """The same recording on a later collection by the same artist."""
        return replace(
            self,
            album=f"The Best of {self.artist}",
            track_number=1,
            date=_NEWEST.isoformat(),
            cover_png=draw_cover(rng),
        )


def discography(
    rng: np.random.Generator, artist: str, number: int, style: Style, tracks: int, taken: set[str]
) -> list[Release]:
    """An artist's tracks on an early and a recent album; one track alone is a single."""
    label = LABELS[int(rng.integers(len(LABELS)))]
    sizes = [tracks] if tracks == 1 else [tracks - tracks // 2, tracks // 2]
    releases: list[Release] = []
    for size, (oldest, newest) in zip(sizes, _PERIODS, strict=False):
        days = int(rng.integers((newest - oldest).days + 1))
        day = oldest + timedelta(days=days)
        album, cover, known = title(rng, taken), draw_cover(rng), _as_known(rng, day)
        for place in range(1, size + 1):
            isrc = f"ZZDEM{day:%y}{number % 1000:03d}{len(releases) + 1:02d}"
            releases.append(
                Release(artist, album, title(rng, taken), place, style.genres, label, known, isrc,
                        _popularity(rng, day), cover)
            )  # fmt: skip
    return releases


_PERIODS = ((_OLDEST, date(2023, 12, 31)), (date(2025, 6, 1), _NEWEST))


def _as_known(rng: np.random.Generator, day: date) -> str:
    """The day, or for some older releases only its month or year."""
    if day.year >= 2025:
        return day.isoformat()
    return day.isoformat()[: (4, 7, 10, 10)[int(rng.integers(4))]]


def _popularity(rng: np.random.Generator, day: date) -> float:
    """Few are heard often, and nobody has heard what came out this week."""
    heard = min(1.0, (_NEWEST - day).days / 365)
    return round(100 * heard * float(rng.beta(0.7, 1.8)), 1)

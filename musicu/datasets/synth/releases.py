"""Albums and what a label knows about a track: names, covers, dates, numbers, codes and plays.

Names are drawn from word lists. None is a real artist.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from musicu.datasets.synth.styles import Style
from musicu.pages.png import png

_NEWEST = date(2026, 11, 20)
_OLDEST = date(2009, 3, 1)
SIDE = 240  # pixels
_ARTISTS = {  # style: first words, second words
    "house": ("Velvet, Cobalt, Tunnel, Mañana", "Turnstile Club, Paternoster, Night Kiosk"),
    "solo piano": ("Ilse, Théodora, Agnieszka, Małgosia", "Vanterpool, Lindqvarn, Żurawel"),
    "chiptune": ("Pixel, Turbo, Kilobyte, 8-Bit", "Ferret, Pâtissier, Submarine Crew"),
    "folk": ("Wren &, Hazel &, Juniper &", "Coppersmith, Thistledown, Blackthorn Ferry"),
    "ambient": ("Slow, Ljus, Halcyon, Pale", "Observatory Nine, Tidepool, Vinterhamn"),
    "drum and bass": ("Vektor, Nine-Tail, Ashgrid", "Sequence, Protokół, Foxglove Unit"),
    "jazz trio": ("The Otto, The Clementine, The Desmond", "Farthing Trio, Quill Trio, Brûlé Trio"),
    "chamber": ("Kvartet, Quartetto, The Saltmarsh", "Jeřabina, Belvento, Consort"),
    "synth-pop": ("Neon, Satellite, Plastic", "Ombrella, Sweethearts '86, Ministère"),
    "dub": ("King, Doctor, Deacon", "Limestone, Parabola, Tangerine Sound"),
    "music box": ("Mademoiselle, Grandmother, Señora", "Níspero, Cogsworthy, Tic-Tac"),
    "drone": ("Mörk, Basalt, Under", "Cathedral Engine, Fjärd, Heath Transmissions"),
}
_ADJECTIVES = """
Amber Borrowed Crooked Distant Electric Feathered Gentle Hollow Invisible Lunar Marble
Northern Paper Quiet Restless Salted Tangled Unfinished Violet Weightless
"""
_NOUNS = """
Almanac Bicycle Cartographer Driftwood Escalator Ferry Greenhouse Harbour Icebox Jukebox
Kite Lantern Magpie Nocturne Orchard Pendulum Quarry Raincoat Staircase Telegram Umbrella
Voyage Weathervane Yarn
"""
_PLACES = """
Åland Bogotá Cork Dunedin Évora Fremantle Gdańsk Hull İzmir Kraków Lucerne Malmö Nagoya Oulu
Piran Quito
"""
_TRIES = 6

LABELS = ("Gooseberry Records", "Nightbus", "Étoile Fixe", "Old Pier Tapes")


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


def artist_name(rng: np.random.Generator, style: str, taken: set[str]) -> str:
    """A new artist's name that suits a style."""
    firsts, seconds = (words.split(", ") for words in _ARTISTS[style])
    return _fresh([f"{_one(rng, firsts)} {_one(rng, seconds)}" for _ in range(_TRIES)], taken)


def title(rng: np.random.Generator, taken: set[str]) -> str:
    """A new title for a track or an album."""
    return _fresh([_title(rng) for _ in range(_TRIES)], taken)


def _title(rng: np.random.Generator) -> str:
    nouns = _NOUNS.split()
    first, second = (nouns[int(i)] for i in rng.choice(len(nouns), 2, replace=False))
    adjective, place = _one(rng, _ADJECTIVES.split()), _one(rng, _PLACES.split())
    forms = (
        f"{adjective} {first}",
        f"The {adjective} {first}",
        f"{first} in {place}",
        f"{first} and {second}",
    )
    return _one(rng, forms)


def _one(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _fresh(names: list[str], taken: set[str]) -> str:
    """The first name that is not taken, else the last one numbered; notes it as taken."""
    number = 2
    for name in names:
        if name not in taken:
            taken.add(name)
            return name
    while f"{names[-1]} {number}" in taken:
        number += 1
    taken.add(f"{names[-1]} {number}")
    return f"{names[-1]} {number}"


def draw_cover(rng: np.random.Generator) -> bytes:
    """A square cover of its own, PNG bytes."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    hue = rng.random()
    dark = _colour(hue, 0.75, 0.32)
    light = _colour(hue + rng.uniform(0.08, 0.3), 0.5, 0.95)
    accent = _colour(hue + 0.5, 0.65, 0.98)
    slope = rng.uniform(-1, 1)
    blend = np.clip((y + slope * (x - 0.5)), 0, 1)[..., None]
    pixels = dark * (1 - blend) + light * blend
    shape = _shape(x, y, rng)[..., None]
    pixels = pixels * (1 - 0.85 * shape) + accent * 0.85 * shape
    return png((pixels * 255).round().astype(np.uint8))


def _colour(hue: float, saturation: float, value: float) -> NDArray[np.float64]:
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _shape(
    x: NDArray[np.float64], y: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """A mask 0 to 1: a disc, rings, stripes or hills."""
    kind = int(rng.integers(4))
    far = np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.3, 0.7))
    if kind == 0:
        field = rng.uniform(0.15, 0.3) - far
    elif kind == 1:
        field = np.where(far < 0.42, 0.05 * np.cos(2 * np.pi * far * rng.integers(5, 10)), -1)
    elif kind == 2:
        field = 0.05 * (np.cos(2 * np.pi * (x + rng.uniform(-1, 1) * y) * rng.integers(3, 7)) - 0.5)
    else:
        field = y - 0.65 - 0.12 * np.sin(2 * np.pi * (rng.uniform(0.8, 2.2) * x + rng.random()))
    mask: NDArray[np.float64] = np.clip(0.5 + field * SIDE / 2, 0, 1)  # soft edges
    return mask

"""Tables of tracks with known taste: tracks of one style belong together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

STYLES, ARTISTS, TRACKS = 6, 48, 360


@dataclass(frozen=True)
class Taste:
    """tracks: with track_id, artists, genres, two numbers, released and a column of sound.

    style: int [tracks]; new: bool [tracks], of no playlist; playlists: of one style each.
    """

    tracks: pa.Table
    style: np.ndarray
    new: np.ndarray
    playlists: pa.Table


def taste(seed: int = 0) -> Taste:
    """Artists of one style each; tracks whose tag, numbers and sound lean to their style."""
    rng = np.random.default_rng(seed)
    artist = np.arange(TRACKS) % ARTISTS
    style = artist % STYLES
    new = np.arange(TRACKS) >= TRACKS - 60
    sound = np.eye(STYLES)[style] * 2 + rng.normal(size=(TRACKS, STYLES)) * 0.5
    numbers = np.stack([np.cos(style), np.sin(style)]) + rng.normal(size=(2, TRACKS)) * 0.2
    days = np.sort(rng.integers(0, 9000, TRACKS))
    tracks = pa.table(
        {
            "track_id": [f"t{i:03d}" for i in range(TRACKS)],
            "title": [f"piece {i}" for i in range(TRACKS)],
            "artists": [[f"Artist {a}"] for a in artist],
            "genres": [[f"genre {s}", "music"] for s in style],
            "warmth": numbers[0],
            "grit": numbers[1],
            "released": [date(2000, 1, 1) + timedelta(days=int(d)) for d in days],
            "sound": pa.array(list(sound)),
        }
    )
    rows = []
    for number in range(60):
        fitting = np.flatnonzero((style == number % STYLES) & ~new)
        rows += [(f"p{number}", f"t{i:03d}") for i in rng.choice(fitting, 12, replace=False)]
    lists, ids = zip(*rows, strict=True)
    return Taste(tracks, style, new, pa.table({"playlist_id": lists, "track_id": ids}))

"""Names of artists, albums, titles and labels, drawn from word lists. None is a real artist."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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

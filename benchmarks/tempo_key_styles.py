"""Styles of made music for fitting and testing tempo and key: rhythms, harmony and bands.

A grid is a string with one digit a step: nine times in nine the drum sounds, or never at 0.
`tempo_key_mixing.py` makes further styles of parts of these.
"""

from __future__ import annotations

from dataclasses import dataclass

# Chords of a bar: semitones above the tonic and quality (M, m, d for diminished).
MAJOR_TURNS = (
    "0M 7M 9m 5M", "0M 9m 5M 7M", "0M 5M 7M 7M", "0M 5M 0M 7M", "2m 7M 0M 0M", "0M 4m 5M 7M",
    "9m 5M 0M 7M", "5M 0M 7M 9m", "0M 10M 5M 0M", "0M 0M 5M 7M", "0M 9m 2m 7M", "0M 5M 9m 7M",
    "0M 0M 0M 0M", "5M 7M 4m 9m", "0M 7M 0M 5M", "0M 5M 2m 7M", "0M 2m 5M 0M", "0M 0M 5M 0M",
)  # fmt: skip
MINOR_TURNS = (
    "0m 8M 3M 10M", "0m 10M 8M 10M", "0m 5m 10M 3M", "0m 8M 5m 7M", "0m 5m 7m 0m", "0m 5m 7M 0m",
    "0m 10M 8M 7M", "0m 0m 8M 10M", "0m 3M 10M 5M", "0m 5M 0m 5M", "0m 7m 8M 5m", "0m 0m 0m 0m",
    "0m 1M 0m 10M", "8M 10M 0m 0m", "5m 0m 7M 0m", "0m 8M 10M 7m", "0m 2d 7M 0m", "0m 0m 5m 0m",
)  # fmt: skip


Scale = tuple[int, ...]
MAJOR: Scale = (0, 2, 4, 5, 7, 9, 11)
MINOR: Scale = (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True, slots=True)
class Style:
    """A kind of music. bpm: slowest and fastest; minor: its share of pieces in minor.

    drums: of each variant, General MIDI drum → grid. Programs are of General MIDI.
    drumless: share of pieces without drums; loose: timing deviation in seconds.
    """

    name: str
    bpm: tuple[float, float]
    drums: tuple[dict[int, str], ...] = ()
    chords: tuple[str, ...] = ("whole", "beat")
    bass: tuple[str, ...] = ("whole", "eighth")
    chord_programs: tuple[int, ...] = (0, 4, 25, 27)
    bass_programs: tuple[int, ...] = (32, 33, 34)
    lead_programs: tuple[int, ...] = (0, 65, 73, 81, 40)
    minor: float = 0.5
    drumless: float = 0.0
    beats: int = 4
    steps: int = 4  # to a beat
    swing: tuple[float, float] = (0.0, 0.0)  # of a beat: how late the second of two notes is
    swung: float = 0.5  # beats that the two notes share
    loose: float = 0.006
    rubato: float = 0.012  # of the tempo, how far it sways at most where players are loose
    power: float = 0.0  # share of pieces whose chords lack the third
    turns: tuple[tuple[str, ...], tuple[str, ...]] = (MAJOR_TURNS, MINOR_TURNS)
    scales: tuple[tuple[Scale, ...], tuple[Scale, ...]] = ((MAJOR,), (MINOR,))  # of the tune
    drone: float = 0.0  # share of pieces whose bass stays on the tonic
    bassless: float = 0.0
    tune_only: float = 0.0  # share of pieces without chords
    faint: float = 0.0  # share of pieces whose drums are far behind the others
    held_out: bool = False


_K, _S, _C, _H, _O, _R, _T = 36, 38, 39, 42, 46, 51, 47
_BACK = "0000900000009000"
_HALF = "0000000090000000"
_8THS = "9080908090809080"
_16THS = "9686968696869686"
_4THS = "9000900090009000"
_OFFS = "0090009000900090"
_GUITARS, _KEYS, _SYNTHS = (24, 25, 26, 27, 28), (0, 1, 2, 4, 5, 16), (80, 81, 62, 63, 90, 84)
_PADS, _STRINGS = (88, 89, 91, 94, 95, 50), (48, 49, 44, 52)

STYLES = (
    Style("rock", (92, 160), ({_K: "9000002090600000", _S: _BACK, _H: _8THS},
          {_K: "9020009000900020", _S: _BACK, _R: _8THS}, {_K: "9000003090300030", _S: _BACK,
          _O: _4THS}), ("whole", "sync", "eighth"), ("eighth", "sync"), (29, 30, 27, 18),
          lead_programs=(29, 30, 81), power=0.4),
    Style("pop", (84, 132), ({_K: "9000000090400000", _S: _BACK, _H: _8THS},
          {_K: "9000009000900000", _C: _BACK, _H: _16THS}), ("whole", "beat", "arp8", "sync"),
          ("whole", "eighth", "sync"), _KEYS + _GUITARS, (33, 38, 39), minor=0.35),
    Style("ballad", (58, 86), ({_K: "9000002090200000", _S: _BACK, _H: _8THS},
          {_K: "9000000090000000", 37: _BACK, _H: _16THS}), ("whole", "beat", "arp8", "arp16"),
          ("whole", "half"), _KEYS + _GUITARS, minor=0.35, drumless=0.15),
    Style("house", (116, 130), ({_K: _4THS, _C: _BACK, _O: _OFFS},
          {_K: _4THS, _S: _BACK, _H: _16THS, _O: _OFFS}, {_K: _4THS, _O: _OFFS}),
          ("off", "sync", "whole"), ("off", "sync", "eighth"), (*_SYNTHS, 4, 16, 0), (38, 39, 87),
          minor=0.75, loose=0.0),
    Style("techno", (122, 145), ({_K: _4THS, _O: _OFFS, _C: "0000300000003020"},
          {_K: _4THS, _H: _16THS}, {_K: "9000900090009030", _T: "0030020030020030", _O: _OFFS}),
          ("sync", "whole", "arp16"), ("off", "sixteenth", "sync"), _SYNTHS, (38, 39, 87),
          minor=0.9, loose=0.0, power=0.3),
    Style("trance", (130, 142), ({_K: _4THS, _O: _OFFS, _C: _BACK}, {_K: _4THS, _H: _16THS,
          _O: _OFFS}), ("whole", "arp16", "sync"), ("off", "rolling"), _SYNTHS + _PADS, (38, 39),
          minor=0.85, loose=0.0),
    Style("drum and bass", (165, 178), ({_K: "9000000000900000", _S: _BACK, _H: _8THS},
          {_K: "9000200000900030", _S: "0000900300009002", _H: _8THS, _O: "0000000000900000"},
          {_K: "9090000000900000", _S: "0000900200209000", _H: _16THS}), ("whole", "sync"),
          ("whole", "sync", "half"), _PADS + _KEYS, (38, 39, 87), minor=0.85, loose=0.003),
    Style("hip hop", (74, 104), ({_K: "9000002000900200", _S: _BACK, _H: _8THS},
          {_K: "9020000300900030", _S: _BACK, _H: _16THS}, {_K: "9000000900900000", _C: _BACK,
          _H: _8THS}), ("whole", "sync", "half"), ("sync", "whole"), (*_KEYS, 11, 108, 48),
          (38, 33, 35), minor=0.75),
    Style("trap", (128, 160), ({_K: "9000000300200900", _C: _HALF, _H: _8THS},
          {_K: "9000002000900000", _S: _HALF, _H: _16THS}), ("whole", "arp8"), ("sync", "whole"),
          _KEYS + _PADS + (11, 14), (38, 39), minor=0.9, loose=0.0),
    Style("reggae", (66, 92), ({_K: "0000000090000000", 37: "0000000090000000", _H: _8THS},
          {_K: _HALF, _S: _HALF, _H: "0090009000900090"}, {_K: _4THS, 37: _HALF, _H: _8THS}),
          ("off",), ("sync", "beat"), (27, 16, 0, 18), (33, 35), minor=0.5),
    Style("reggaeton", (86, 104), ({_K: _4THS, _S: "0009009000090090", _H: _8THS},
          {_K: _4THS, _C: "0009009000090090"}), ("whole", "sync"), ("sync", "half"),
          _SYNTHS + _KEYS, (38, 39), minor=0.75, loose=0.0),
    Style("swing", (112, 220), ({_R: "900906900906", 44: "000900000900", _K: "300200300200"},
          {_R: "900906900906", 44: "000900000900", 37: "002000002003"}), ("sync", "half"),
          ("beat",), (0, 26, 4, 11), (32,), (65, 66, 56, 71, 57), minor=0.35, steps=3, loose=0.01),
    Style("shuffle", (84, 150), ({_K: "900000900000", _S: "000900000900", _R: "906906906906"},
          {_K: "900003900000", _S: "000900000900", _H: "906906906906"}), ("beat", "whole", "sync"),
          ("beat", "eighth"), (27, 0, 16, 29), lead_programs=(22, 27, 65, 29), minor=0.3, steps=3),
    Style("slow twelve eight", (44, 78), ({_K: "900000900000", _S: "000900000900",
          _H: "999999999999"},), ("arp8", "eighth", "whole"), ("beat", "whole"),
          (0, 16, 24, 27), minor=0.4, steps=3, drumless=0.3),
    Style("metal", (96, 190), ({_K: "9996999699969996", _S: _BACK, _O: _4THS},
          {_K: "9099909990999099", _S: _BACK, _R: _8THS}, {_K: "9000909090009090", _S: _BACK,
          _O: _8THS}), ("gallop", "eighth", "sync", "sixteenth"), ("gallop", "eighth"), (30, 29),
          (33, 34), (30, 29), minor=0.95, power=0.8),
    Style("latin", (84, 130), ({64: "0000009900000099", 63: "9000900090009000", 75:
          "9009009000909000", 70: _16THS}, {_K: "9009009090090090", 75: "0090909009009000",
          70: _8THS}), ("sync", "off"), ("sync", "half"), (0, 24, 61), (32, 33), (56, 73, 66),
          minor=0.5),
    Style("march", (104, 128), ({_K: "9000000090000000", _S: "9000969090009690"},
          {_K: _4THS, _S: "0090009000900990"}), ("off",), ("half", "beat"), (60, 61), (57, 58),
          (56, 72, 73), minor=0.15),
    Style("orchestra", (60, 144), ({_T: "9000000060003030"}, {_K: "9000009090000000", _S:
          "0000303000003033"}), ("whole", "beat", "eighth", "arp8"), ("whole", "beat", "eighth"),
          (*_STRINGS, 60, 61), (42, 43), (40, 68, 71, 73, 60, 56), minor=0.5, drumless=0.7,
          loose=0.012),
    Style("solo piano", (56, 150), chords=("arp8", "beat", "arp16", "oompah", "eighth"),
          bass=("whole", "half", "beat"), chord_programs=(0, 1), bass_programs=(0,),
          lead_programs=(0, 1), minor=0.45, drumless=1.0, loose=0.014),
    Style("folk", (84, 144), ({70: _8THS}, {54: _BACK, _K: "9000000090000000"}),
          ("strum", "oompah", "arp8"), ("half", "whole"), (24, 25, 105, 15), (32, 33),
          (73, 21, 22, 40, 110), minor=0.3, drumless=0.6, loose=0.01),
    Style("chiptune", (112, 184), ({_K: "9000009090000000", _S: _BACK, _H: _8THS},
          {_K: _4THS, _S: _BACK, _H: _16THS}), ("arp16", "arp8", "off"), ("eighth", "octaves"),
          (80, 81), (80, 38), (80, 81), minor=0.5, drumless=0.2, loose=0.0),
    Style("ambient", (60, 100), chords=("whole", "double"), bass=("whole",), chord_programs=_PADS,
          bass_programs=(39, 89), lead_programs=(88, 98, 14, 91), minor=0.5, drumless=1.0),
    Style("six eight", (48, 84), ({_K: "900000900000", _S: "000900000900", _H: "909909909909"},),
          ("arp8", "eighth"), ("beat",), (25, 24, 0, 46), minor=0.5, steps=3, drumless=0.5,
          loose=0.01),
    Style("garage", (128, 138), ({_K: "9000000000900000", _S: _BACK, _H: "0090009000900390"},
          {_K: "9000003000900020", _C: _BACK, _O: _OFFS, 37: "0003000200300003"}),
          ("sync", "off"), ("sync",), (4, 16, 90, 5), (38, 39), minor=0.8, loose=0.0),
    Style("synth film", (76, 124), ({_K: _4THS, _S: _BACK}, {_K: "9000000090000000", _S: _BACK,
          _H: _16THS}), ("whole", "arp16", "double"), ("eighth", "sixteenth", "octaves"),
          _SYNTHS + _PADS, (38, 39, 81), minor=0.7, drumless=0.25, loose=0.0),
    Style("minuet", (84, 170), ({_T: "900000000000"},), ("oompah", "beat", "arp8", "whole"),
          ("whole", "beat"), (*_STRINGS, 0, 6), (42, 43, 0), (40, 73, 68, 0), minor=0.4, beats=3,
          drumless=0.85, loose=0.012),
    Style("three four song", (76, 150), ({_K: "900000000000", _S: "000090009000", _H:
          "908090809080"}, {_K: "900000000000", _S: "000000009000", _H: "900090009000"}),
          ("whole", "oompah", "arp8", "strum"), ("whole", "beat"), _GUITARS + _KEYS, (32, 33),
          (73, 22, 65, 21), minor=0.35, beats=3, drumless=0.4, loose=0.01),
    Style("jazz three", (110, 190), ({_R: "900906906", 44: "000900900", _K: "900000000"},),
          ("sync", "whole"), ("whole", "beat"), (0, 26, 11), (32,), (65, 66, 71), minor=0.4,
          beats=3, steps=3, drumless=0.2, loose=0.01),
    Style("dubstep", (136, 146), ({_K: "9000000000000300", _S: _HALF, _H: _8THS},
          {_K: "9002000300000030", _S: _HALF, _H: "9009009090090090"}), ("whole", "sync"),
          ("sync", "rolling", "whole"), _SYNTHS + _PADS, (38, 39, 87), minor=0.95, loose=0.0),
    Style("downtempo", (68, 112), ({_K: "9000000200900000", _S: _BACK, _H: "9080908090809086"},
          {_K: "9000000090000000", 37: _BACK, 70: _16THS}), ("whole", "arp8", "sync"),
          ("whole", "sync", "half"), _KEYS + _PADS, (33, 38, 39), (73, 65, 11, 81), minor=0.7,
          drumless=0.1),
    Style("hymn", (60, 110), chords=("beat", "half"), bass=("beat", "half"),
          chord_programs=(19, 52, 48, 0), bass_programs=(19, 43), lead_programs=(19, 56, 0),
          minor=0.25, drumless=1.0, loose=0.015),
    # kept for the test: neither these rhythms nor most of these instruments are fitted on
    Style("disco", (108, 128), ({_K: _4THS, _S: _BACK, _O: _OFFS, _H: _8THS},), ("sync", "strum"),
          ("octaves",), (28, 7, 51, 61), (36, 37), (51, 64, 62), minor=0.5, held_out=True),
    Style("funk", (90, 118), ({_K: "9020000300900020", _S: "0000900302009003", _H: _16THS},),
          ("sync",), ("sync",), (7, 28, 17), (36, 37), (64, 61), minor=0.7, held_out=True),
    Style("waltz", (84, 180), ({_K: "900000000000", _H: "000090009000"},), ("oompah", "arp8"),
          ("whole",), (21, 6, 51), (43, 35), (41, 70, 74), minor=0.4, beats=3, drumless=0.6,
          held_out=True),
    Style("punk", (150, 205), ({_K: "9000002090200000", _S: _BACK, _O: _8THS},), ("eighth",),
          ("eighth",), (31, 30), (34, 35), (31, 87), minor=0.3, power=0.7, held_out=True),
    Style("country", (92, 140), ({_K: "9000000090000000", _S: "3396339633963396"},
          {_K: "9000000090000000", 37: _BACK}), ("oompah", "strum"), ("half",), (25, 106, 15),
          (32, 35), (110, 106, 22), minor=0.1, drumless=0.2, held_out=True),
    Style("bossa", (112, 150), ({_K: "9009900990099009", 37: "9009009000900900", 70: _8THS},),
          ("sync",), ("half",), (24, 99, 6), (35, 32), (74, 69, 67), minor=0.4, held_out=True),
    Style("breakbeat", (126, 140), ({_K: "9000000003900000", _S: "0000900200309000", _H: _8THS},),
          ("sync", "whole"), ("sync",), (83, 93, 96), (87, 36), (82, 85), minor=0.8,
          held_out=True),
    Style("choir", (60, 96), chords=("whole", "half", "beat"), bass=("half", "whole"),
          chord_programs=(52, 53, 54, 19), bass_programs=(19, 43), lead_programs=(53, 69, 75),
          minor=0.45, drumless=1.0, loose=0.015, held_out=True),
)  # fmt: skip

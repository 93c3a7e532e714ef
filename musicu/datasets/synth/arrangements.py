"""What each style's players do with a plan: twelve small bands."""

from __future__ import annotations

import numpy as np

from musicu.datasets.synth.patterns import arpeggio, bass, chords, drums, melody, walking_bass
from musicu.datasets.synth.score import Part, Plan


def _pick(rng: np.random.Generator, *options: str) -> str:
    return options[int(rng.integers(len(options)))]


def ambient(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """Long pads, a bass note a bar, bells far away."""
    tune = melody(plan, rng, ["x.....o.", "..x...o.", "x...o..."], 72, 0.2, rest=0.2)
    beats = float(plan.beats_per_bar)
    return [
        Part("pad", chords(plan, "x", beats * 1.25, 55), 0.22, -0.3, 0.5),
        Part("pad", chords(plan, "x", beats * 1.25, 67, 0.3), 0.12, 0.4, 0.6),
        Part("sub bass", bass(plan, "1", beats * 1.05, 36), 0.25, 0, 0.05),
        Part("bell", tune, 0.4, 0.2, 0.8, echo=0.45, echo_beats=1.5),
    ]


def drone(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """A dark fifth that hardly moves, and the sea."""
    beats = float(plan.beats_per_bar)
    root = plan.key.pitch(0) - 24
    still = [note._replace(pitch=root) for note in bass(plan, "1", beats * 1.6, 36)]
    fifth = [note._replace(pitch=root + 7 + 12 * (i % 2)) for i, note in enumerate(still)]
    bells = melody(plan, rng, ["x.......", "....o..."], 60, 0.3, rest=0.3)
    return [
        Part("drone", still, 0.5, 0, 0.4),
        Part("drone", fifth, 0.25, -0.3, 0.6),
        Part("pad", chords(plan, "x", beats * 1.5, 55, 0.2), 0.12, 0.4, 0.7),
        Part("surf", drums(plan, ["x..."])[::3], 0.25, 0.2, 0.4),
        Part("bell", bells, 0.12, 0.5, 1.0),
    ]


def house(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """Four on the floor, hats between, stabs off the beat."""
    rhythm = _pick(rng, "..x..x....x..x..", "x..x..x...x..x..", "..x...x...x..x.o")
    line = _pick(rng, "..1...1...1...1.", "..1..81...1..5..", "1..1..8...1..8..")
    return [
        Part("kick", drums(plan, ["x...x...x...x..."]), 0.9, 0, 0.02),
        Part("clap", drums(plan, ["....x.......x..."], 0.15), 0.4, 0, 0.2),
        Part("open hat", drums(plan, ["..x...x...x...x."], 0.15), 0.22, 0.25),
        Part("hat", drums(plan, ["x-o-x-o-x-o-x-oo"], 0.3), 0.22, -0.3),
        Part("synth bass", bass(plan, line, 0.4, 36), 0.48, 0, 0.02, ducked=True),
        Part("stab", chords(plan, rhythm, 0.35, 57), 0.24, -0.15, 0.3, 0.35, ducked=True),
        Part("pad", chords(plan, "x", 4.2, 64, 0.3), 0.2, 0.3, 0.5, ducked=True),
    ]


def synth_pop(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """Octave bass, big snare, arpeggio and a lead that one remembers."""
    rhythms = ["x..x..x.o.o.x...", "x...o.x...x.o...", "x.o.x.o.x......."]
    steps = _pick(rng, "0121345421213454", "0213021302130213", "0120312041203120")
    return [
        Part("kick", drums(plan, ["x.......x.o.....", "x.......x......."]), 0.8, 0, 0.03),
        Part("snare", drums(plan, ["....x.......x..."]), 0.5, 0, 0.35),
        Part("hat", drums(plan, ["x.o.x.o.x.o.x.o."], 0.15), 0.2, 0.3),
        Part("synth bass", bass(plan, "1.8.1.8.1.8.1.8.", 0.45, 36), 0.42, 0, 0.03),
        Part("pad", chords(plan, "x", 4.1, 57), 0.2, -0.4, 0.4),
        Part("square wave", arpeggio(plan, steps, 0.22, 62), 0.2, 0.5, 0.3, 0.3),
        Part("lead", melody(plan, rng, rhythms, 72, 0.3), 0.36, 0, 0.35, 0.3),
    ]


def drum_and_bass(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """A chopped break at speed over a growling bass and slow pads."""
    breaks = ["x.........x.....", "x.....o...x....."]
    snares = _pick(rng, "....x..-.-..x..-", "....x..o....x.-.", "....x-......x..o")
    line = _pick(rng, "1.....1...8.....", "1..1......5...1.", "1.........1.8...")
    tune = melody(plan, rng, ["x..o..x.", "x.......", "o..x...."], 72, 0.4)
    return [
        Part("kick", drums(plan, breaks), 0.85, 0, 0.02),
        Part("snare", drums(plan, [snares]), 0.55, 0, 0.12),
        Part("hat", drums(plan, ["x.o.x.o.x.o.x.oo"]), 0.22, 0.3),
        Part("shaker", drums(plan, ["oxoxoxoxoxoxoxox"], 0.3), 0.14, -0.4),
        Part("reese bass", bass(plan, line, 0.95, 33, 0.15), 0.5, 0, 0.02),
        Part("pad", chords(plan, "x", 4.2, 60), 0.16, -0.2, 0.6),
        Part("electric piano", tune, 0.25, 0.2, 0.5, 0.45),
    ]


def dub(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """One drop, a heavy bass, an organ skank that echoes away."""
    line = _pick(rng, "1..1.5..3.1.....", "..1.1.5...8.5...", "1...3.5.1...5...")
    tune = melody(plan, rng, ["..x..o..", "x.o.....", "....x.o."], 69, 0.3, rest=0.3)
    return [
        Part("soft kick", drums(plan, ["........x......."]), 1.0, 0, 0.05),
        Part("rim", drums(plan, ["........x.......", "........x.....o."]), 0.6, 0.1, 0.5, 0.5),
        Part("hat", drums(plan, ["x.o.x.o.x.o.x.oo"], swing=0.2), 0.2, -0.3),
        Part("sub bass", bass(plan, line, 0.5, 33), 0.5, 0, 0.0),
        Part("organ", chords(plan, "....x.......x...", 0.22, 60), 0.2, 0.3, 0.2, 0.5),
        Part("electric piano", tune, 0.3, -0.3, 0.5, 0.55, 0.75),
        Part("crackle", drums(plan, ["x"])[::4], 0.12, 0.0, 0.0),
    ]


def chiptune(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """Three tones and a noise: arpeggios for chords, a brisk tune."""
    rhythms = ["x.o.x.oox.o.x...", "x..o..x.o.o.x.o.", "x.oox.o.x...x.o."]
    steps = _pick(rng, "0120120120120120", "0123012301230123", "0210021002100210")
    return [
        Part("pulse wave", melody(plan, rng, rhythms, 72, 0.15), 0.5, 0.15, 0.03, 0.2, 0.5),
        Part("square wave", arpeggio(plan, steps, 0.2, 60), 0.2, -0.35, 0.02),
        Part("triangle wave", bass(plan, "1.1.8.1.1.1.8.5.", 0.3, 36), 0.3, 0, 0.0),
        Part("noise drum", drums(plan, ["x.-.x.-.x.-.x.--"]), 0.35, 0, 0.02),
        Part("soft kick", drums(plan, ["x...x...x...x..."]), 0.5, 0, 0.0),
    ]


def solo_piano(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """Broken chords in the left hand, a song in the right."""
    left = _pick(rng, "01213121", "02132312", "01234321")
    rhythms = ["x...o.x.", "x.o.x...", "x..ox.o."]
    return [
        Part("piano", bass(plan, "1...5...", 2.2, 36), 0.42, -0.25, 0.25, loose_seconds=0.008),
        Part("piano", arpeggio(plan, left, 0.9, 50), 0.3, -0.1, 0.3, loose_seconds=0.008),
        Part("piano", melody(plan, rng, rhythms, 72, 0.15), 0.65, 0.2, 0.3, loose_seconds=0.01),
    ]


def jazz_trio(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """Walking bass, ride cymbal, a piano that comps and then speaks."""
    comping = _pick(rng, "x..o....", ".x....o.", "...x..o.")
    rhythms = ["x.oox.o.", ".oxo..x.", "x.o.xoo.", "..x.ooxo"]
    swing = 1 / 3
    tune = melody(plan, rng, rhythms, 72, 0.3, swing=swing, rest=0.12)
    return [
        Part("ride", drums(plan, ["x.oxx.ox"], swing=swing), 0.3, 0.35, 0.1),
        Part("hat", drums(plan, ["..x...x."]), 0.25, -0.3, 0.05),
        Part("snare", drums(plan, [".......-", "...-...."], 0.3, swing=swing), 0.25, -0.1, 0.1),
        Part("double bass", walking_bass(plan, rng, 33), 0.75, -0.1, 0.08, loose_seconds=0.004),
        Part("piano", chords(plan, comping, 0.6, 53, swing=swing), 0.22, 0.15, 0.2),
        Part("piano", tune, 0.6, 0.2, 0.2, loose_seconds=0.008),
    ]


def folk(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """A fingerpicked guitar, its thumb alternating, a tune on top."""
    fingers = _pick(rng, "2.3124.3", "3.2.4.23", "2324.324")
    tune = melody(plan, rng, ["x...o.o.", "x.o.x...", "..x.o.x."], 67, 0.3)
    return [
        Part("guitar", bass(plan, "1.3.1.5.", 1.2, 40), 0.6, -0.15, 0.12, loose_seconds=0.006),
        Part("guitar", arpeggio(plan, fingers, 1.0, 50), 0.5, 0.15, 0.15, loose_seconds=0.006),
        Part("guitar", tune, 1.0, 0.3, 0.2, loose_seconds=0.008),
        Part("shaker", drums(plan, ["o-x-o-x-"], 0.5), 0.08, -0.4, 0.1),
    ]


def chamber(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """Four bowed voices: tune, two inner parts, cello."""
    low = bass(plan, _pick(rng, "1...5...", "1.......", "1...3.5."), 1.9, 36)
    inner = arpeggio(plan, _pick(rng, "01010101", "02120212", "0.1.2.1."), 0.5, 55)
    return [
        Part(
            "strings", melody(plan, rng, ["x...o.o.", "x.....o.", "x.o.x.o."], 72), 0.4, -0.5, 0.35
        ),
        Part("strings", inner, 0.22, -0.15, 0.35),
        Part("strings", chords(plan, "x...", 3.9, 50)[::2], 0.2, 0.2, 0.35),
        Part("strings", low, 0.4, 0.5, 0.3),
    ]


def music_box(plan: Plan, rng: np.random.Generator) -> list[Part]:
    """A waltz on tines: one, two, three, and a child's tune."""
    rhythms = ["x.o.o.", "x...o.", "x.oox.", "x....."]
    return [
        Part("music box", bass(plan, "1..", 0.9, 60), 0.5, -0.2, 0.3),
        Part("music box", chords(plan, ".oo", 0.8, 72), 0.2, -0.1, 0.3),
        Part("music box", melody(plan, rng, rhythms, 84), 0.6, 0.15, 0.35),
        Part("bell", bass(plan, "1..", 2.5, 48, 0.5), 0.15, 0.4, 0.6),
    ]

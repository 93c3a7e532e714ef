"""How well the descriptor `vocal_probability` tells songs from instrumental music.

    python benchmarks/vocal_probability.py SONGS MUSIC [--model NAME_OR_FOLDER] [--half development]

SONGS is the folder of `audio_songs.py`, one half of whose artists count as sung: a few are not, so
that nothing can be right of all. MUSIC is a folder of recordings with a `tracks.csv`, whose column
`vocals` says "yes" of the sung ones, "unknown" where nobody knows, and all others are
instrumental. Shown are the area under the curve, how it is among MUSIC alone, what is above .8 and
below .2, and what share is sung at each probability, either class weighing the same; intervals
draw artists. The logistic function that fits best, relative to the one at hand, follows.
"""

from __future__ import annotations

import argparse
import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
from audio_songs import read_clips
from numpy.typing import NDArray
from scipy.optimize import minimize

from musicu import Embedder, read_audio
from musicu.bootstrap import interval
from musicu.embeddings.onnx_embedder import AudioEmbedder
from musicu.embeddings.songs import floored, songs_input
from musicu.embeddings.voice_meter import VOCAL

Rows = NDArray[np.float64]
BINS = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)
DRAWS = 200
FEWEST = 10  # recordings of a bin


def probabilities(model: str, paths: list[Path]) -> Rows:
    """What the model's songs network says of each file's windows."""
    embedder = Embedder.load(Path(model) if Path(model).is_dir() else model)
    assert isinstance(embedder, AudioEmbedder)
    assert embedder.songs is not None
    found = []
    for path in paths:
        audio = read_audio(path, embedder.sample_rate, embedder.windows)
        powers = floored(audio, embedder.songs.last.reading.floor_db)
        inputs = np.concatenate([songs_input(power) for power in powers])
        found.append(float(embedder.songs.session.run([VOCAL], {"logs": inputs})[0]))
    return np.array(found)


def area(sung: Rows, others: Rows) -> float:
    """The share of pairs in which the sung one has the greater probability."""
    apart = sung[:, None] - others
    return float(np.mean((apart > 0) + 0.5 * (apart == 0)))


def area_interval(sung: Rows, others: Rows, artists: list[NDArray[np.int64]]) -> str:
    """The area with a 95 % interval that draws the artists of either side."""
    rng, draws = np.random.default_rng(0), []
    for _ in range(DRAWS):
        rows = [_drawn(side, rng) for side in artists]
        draws.append(area(sung[rows[0]], others[rows[1]]))
    low, high = interval(np.array(draws)) or (np.nan, np.nan)
    return f"{area(sung, others):.3f} [{low:.3f}, {high:.3f}]"


def _drawn(artists: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    names = np.unique(artists)
    drawn = rng.choice(names, len(names))
    return np.concatenate([np.flatnonzero(artists == name) for name in drawn])


def fitted(sung: Rows, others: Rows) -> tuple[float, float]:
    """Slope and shift of the logistic function over the log odds at hand, classes of one weight."""
    odds = [np.log(np.clip(p, 1e-9, 1 - 1e-9) / np.clip(1 - p, 1e-9, 1)) for p in (sung, others)]

    def loss(at: Rows) -> float:
        right = [sign * (at[0] * x + at[1]) for sign, x in zip((1, -1), odds, strict=True)]
        return float(sum(np.logaddexp(0, -r).mean() for r in right))

    slope, shift = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(slope), float(shift)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("songs", type=Path)
    parser.add_argument("music", type=Path)
    parser.add_argument("--model", default="musicu-audio-v2")
    parser.add_argument("--half", choices=["development", "final"], default="development")
    options = parser.parse_args()
    clips = read_clips(options.songs, options.half)
    with (options.music / "tracks.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["vocals"] != "unknown"]
    has_voice = np.array([row["vocals"] == "yes" for row in rows])
    artists = np.unique([row["artist"] for row in rows], return_inverse=True)[1]
    songs = probabilities(options.model, clips.paths)
    music = probabilities(options.model, [options.music / row["path"] for row in rows])
    others = music[~has_voice]
    print(f"{len(songs)} songs, {len(others)} instrumental, {has_voice.sum()} sung among them")
    sides = [clips.artists, artists[~has_voice]]
    print("area under the curve", area_interval(songs, others, sides))
    print(f"sung recordings of MUSIC among its others {area(music[has_voice], others):.3f}")
    for name, found in (("songs", songs), ("instrumental", others)):
        print(f"{name}: {np.mean(found >= 0.8):.3f} from .8, {np.mean(found <= 0.2):.3f} up to .2")
    for low, high in pairwise(BINS):
        inside = [(side >= low) & (side < high) for side in (songs, others)]
        share, count = [side.mean() for side in inside], sum(side.sum() for side in inside)
        if count >= FEWEST:
            said = np.concatenate([songs[inside[0]], others[inside[1]]]).mean()
            print(f"  {low:.1f} to {high:.1f}: said {said:.2f}, sung {share[0] / sum(share):.2f}")
    print("fits best: slope {:.3f}, shift {:+.3f}".format(*fitted(songs, others)))


if __name__ == "__main__":
    main()

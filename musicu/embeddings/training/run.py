"""From a catalog to a model of one's own: what `musicu train audio` calls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.audio import read_audio
from musicu.embeddings.cards import find_model
from musicu.embeddings.frontend import SAMPLE_RATE
from musicu.embeddings.training import rendered, train
from musicu.embeddings.training.crops import CROPS, Crop
from musicu.embeddings.training.curves import draw_curves
from musicu.embeddings.training.excerpts import Excerpts, take_excerpts
from musicu.embeddings.training.export import (
    Encoder,
    copy_model,
    export_model,
    load_encoder,
    windows_of,
)
from musicu.embeddings.training.fine_tuning import TakeExcerpts, go_on, rests
from musicu.embeddings.training.fitting import (
    Evidence,
    fit_encoder,
    gather_evidence,
    score_encoder,
)
from musicu.embeddings.training.gains import Gain
from musicu.embeddings.training.heldout import HeldOutScore, hold_out
from musicu.embeddings.training.pairs import Grouping, PairWeights
from musicu.embeddings.training.parallel import Workers
from musicu.embeddings.training.sound_cache import open_cache
from musicu.embeddings.training.train_config import Recipe
from musicu.embeddings.training.train_data import (
    Pool,
    TrainingTrack,
    families,
    group,
    group_rendered,
    make_pool,
)
from musicu.embeddings.training.windows_cache import ReadSound
from musicu.errors import ModelError

_BAND = 0.5  # how strongly rendered pieces of one band draw together
_AS_GIVEN = ("title", "album", "licence", "commit")  # in the credits


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run gave.

    model: the folder of the model that is to be used. kept: "learned", "refitted" (the old
    network, what follows it told of these recordings) or "unchanged". score: how well held-out
    recordings find each other, of a model that began from nothing. gain: of a run that went on
    from a model, what it gained, or did not. failures: reason by path of recordings that could
    not be read.
    """

    model: Path
    kept: str
    score: HeldOutScore | None
    gain: Gain | None
    failures: dict[str, str]


def train_audio(
    tracks: Sequence[TrainingTrack],
    recipe: Recipe,
    out: Path,
    *,
    init: str | Path | None = None,
    report: train.Report | None = None,
    read: ReadSound | None = None,
) -> TrainResult:
    """Train an encoder, or teach a finished one these recordings, and write `out/model`.

    A run that was stopped goes on from `out/checkpoint.safetensors` to the same result. With
    `init` (a model's name or folder) the network's shape and window come from that model, and
    what was learned is kept only where it is clearly ahead on these recordings; see `going_on`,
    also for the models whose network learns nothing where nothing is named.
    Labels are positives of the network only as far as `recipe.pairs` says.

    Writes `log.jsonl`, `curves.svg`, `cache/` and `checkpoint.safetensors` beside the model.
    Raises ModelError where there is too little to learn from.
    """
    out.mkdir(parents=True, exist_ok=True)
    base = find_model(init).folder if init is not None else None
    old = load_encoder(base) if base is not None else None
    crops: tuple[Crop, ...] = CROPS
    if old is not None:
        recipe = _as_heard_by(old, recipe)
        old.network.to(recipe.device)
        crops = CROPS[:1]
        if rests(old, *_named(tracks, recipe), recipe):
            recipe, crops = replace(recipe, steps=0), CROPS[:3]
    hear = read or _read
    workers = Workers.join(recipe.device)
    material, failures = workers.in_turn(lambda: gather(tracks, recipe, out, hear))
    told = _both(out / "log.jsonl", report) if workers.rank == 0 else _silent
    start = old.network.state_dict() if old is not None else None
    learner = train.learn(train.new_learner(recipe, start), material, recipe, out, told)
    paths = [track.path for track in tracks]
    evidence = workers.in_turn(
        lambda: gather_evidence(material, recipe, out, paths, hear, told, crops)
    )
    network = learner.average.eval()
    if old is None:
        encoder = fit_encoder(network, evidence, recipe)
        score = score_encoder(encoder, evidence)
        result = TrainResult(out / "model", "learned", score, None, failures)
    else:
        # a recipe of no steps: only what follows the network goes on
        network = network if learner.step > 0 else old.network
        best = go_on(old, network, evidence, recipe, _taker(evidence, paths, hear, recipe))
        encoder = best.encoder
        told({"event": "gain", "kept": best.kept} | best.gain.as_dict())
        result = TrainResult(out / "model", best.kept, None, best.gain, failures)
    if workers.rank == 0:
        draw_curves(out / "log.jsonl", out / "curves.svg")
        _write(result, encoder, base, tracks)
    workers.wait()
    return result


def _named(tracks: Sequence[TrainingTrack], recipe: Recipe) -> tuple[Grouping, NDArray[np.bool_]]:
    """What is known of the recordings, and which of them a network may learn from."""
    grouping = group(tracks)
    held = hold_out(grouping, recipe.held_out, np.random.default_rng(recipe.seed))
    return grouping, ~held


def _write(
    result: TrainResult, encoder: Encoder, base: Path | None, tracks: Sequence[TrainingTrack]
) -> None:
    """Put the model where the result says: a copy of `base` where nothing was gained."""
    recipe = encoder.recipe
    if base is not None and result.kept == "unchanged":
        copy_model(base, result.model, recipe.name)
        return
    if result.gain is not None:
        scores = {"gain": result.gain.as_dict()}
    else:
        assert result.score is not None
        scores = {"held_out": result.score.as_dict()}
    encoder.network.cpu()
    export_model(result.model, encoder, _about(encoder, scores), _credits(tracks))


def _taker(
    evidence: Evidence, paths: Sequence[Path], read: ReadSound, recipe: Recipe
) -> TakeExcerpts:
    """Takes excerpts of rows of the evidence from their files."""
    windows = windows_of(recipe) if recipe.statistics else None

    def take(rows: NDArray[np.int64]) -> Excerpts:
        files = [paths[recording] for recording in evidence.recordings[rows]]
        return take_excerpts(rows, files, read, windows, recipe.seed)

    return take


def _as_heard_by(old: Encoder, recipe: Recipe) -> Recipe:
    """The recipe with what a model's shape and hearing decide."""
    kept = ("network", "frames", "window_count", "vector_dim", "statistics")
    return replace(recipe, **{name: getattr(old.recipe, name) for name in kept})


def gather(
    tracks: Sequence[TrainingTrack],
    recipe: Recipe,
    out: Path,
    read: ReadSound,
) -> tuple[train.Material, dict[str, str]]:
    """The caches, the split and the pools of a run, and why recordings were left out."""
    if len(tracks) < 4:
        raise ModelError(f"{len(tracks)} recordings are too few to learn from")
    paths_of = [track.path for track in tracks]
    cache = open_cache(out / "cache", paths_of, read, recipe.front_end, recipe.device)
    grouping, learns = _named(tracks, recipe)
    frames = train.long_frames(recipe)
    real = make_pool(cache, grouping, learns, frames, recipe.balance, recipe.pairs)
    paths = dict(zip(cache.keys, (str(track.path) for track in tracks), strict=True))
    failures = {paths[key]: reason for key, reason in cache.failures.items()}
    held = np.flatnonzero(~learns & (cache.lengths() > 0))
    if recipe.rendered_share == 0 and (recipe.head.made == 0 or not recipe.statistics):
        return train.Material(real, None, held), failures
    pieces = rendered.render_set(out / "rendered", recipe.render)
    made = _pool_of_made(pieces, recipe, out, frames, read)
    return train.Material(real, made, held, tuple(piece.path for piece in pieces)), failures


def _pool_of_made(
    pieces: Sequence[rendered.Rendered], recipe: Recipe, out: Path, frames: int, read: ReadSound
) -> Pool:
    paths = [piece.path for piece in pieces]
    cache = open_cache(out / "rendered-cache", paths, read, recipe.front_end, recipe.device)
    everything = np.ones(len(pieces), dtype=np.bool_)
    pairs = PairWeights(artist=_BAND)
    known = families(pieces)
    return make_pool(cache, group_rendered(pieces), everything, frames, 0.0, pairs, known)


def _read(path: Path) -> NDArray[np.float32]:
    return read_audio(path, SAMPLE_RATE).samples


def _both(log: Path, report: train.Report | None) -> train.Report:
    """A report that goes to the log and to whoever listens."""
    log.touch()

    def tell(event: dict[str, Any]) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
        if report is not None:
            report(event)

    return tell


def _silent(event: dict[str, Any]) -> None:
    """What processes beside the first say."""


def _about(encoder: Encoder, scores: dict[str, Any]) -> dict[str, Any]:
    """The card's words for a model of one's own."""
    summary = "An audio encoder trained on one's own catalog with `musicu train audio`."
    if encoder.neighbours is not None:
        count = len(encoder.neighbours.vectors)
        summary += f" What it hears is drawn towards the nearest of {count:,} of its recordings."
    return {
        "summary": summary,
        "training": f"{_steps(encoder.recipe)}; see recipe.toml.",
        "scores": scores,
        "weaknesses": "Measured only on recordings of the same catalog.",
        "licence": "That of whoever trained it, within the terms of the recordings.",
    }


def _steps(recipe: Recipe) -> str:
    if recipe.steps == 0:
        return "No step of its network, which stayed as it was; what follows it was told of these"
    return f"{recipe.steps} steps of {recipe.tracks} pairs of windows"


def _credits(tracks: Sequence[TrainingTrack]) -> list[dict[str, str]]:
    return [
        {
            "track_id": track.track_id,
            "artist": track.artist or "",
            "source": track.source or "",
            "path": track.credit.get("source_path", track.path.name),
            **{name: track.credit.get(name, "") for name in _AS_GIVEN},
        }
        for track in tracks
    ]

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
from musicu.embeddings.training import trainer
from musicu.embeddings.training.crops import CROPS, Crop
from musicu.embeddings.training.curves import draw_curves
from musicu.embeddings.training.encoder_export import (
    Encoder,
    copy_model,
    export_model,
    load_encoder,
)
from musicu.embeddings.training.fine_tuning import find_labels, fine_tune
from musicu.embeddings.training.fitting import fit_encoder, measure_fit_data, score_encoder
from musicu.embeddings.training.gains import Gain
from musicu.embeddings.training.heldout import HeldOutScore, hold_out
from musicu.embeddings.training.made import group_made, instrument_families, read_made
from musicu.embeddings.training.pairs import Grouping, PairWeights
from musicu.embeddings.training.parallel import Workers
from musicu.embeddings.training.recipe import TrainingRecipe
from musicu.embeddings.training.sound_cache import open_cache
from musicu.embeddings.training.train_data import TrackPool, TrainingTrack, group, make_pool
from musicu.embeddings.training.windows_cache import ReadSound
from musicu.errors import ModelError

_BAND = 0.5  # weight of two made pieces of one band as a positive pair
_AS_GIVEN = ("title", "album", "licence", "commit")  # in the credits


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run gave.

    model: the folder of the model that is to be used. kept: "learned", "refitted" (the network
    frozen, what follows it fitted to these recordings) or "unchanged". score: how well held-out
    recordings find each other, of a model trained from nothing. gain: of fine-tuning. failures:
    reason by path of recordings that could not be read.
    """

    model: Path
    kept: str
    score: HeldOutScore | None
    gain: Gain | None
    failures: dict[str, str]


def train_audio(
    tracks: Sequence[TrainingTrack],
    recipe: TrainingRecipe,
    out: Path,
    *,
    init: str | Path | None = None,
    made: Path | None = None,
    report: trainer.Report | None = None,
    read: ReadSound | None = None,
) -> TrainResult:
    """Train an encoder, or fine-tune a finished one on these recordings, and write `out/model`.

    A run that was stopped resumes from `out/checkpoint.safetensors` to the same result. With
    `init` (a model's name or folder) the network's shape and input windows come from that model,
    and a change is kept only where it is clearly ahead on these recordings; see `fine_tune`.
    Labels are positives of the network only as far as `recipe.pairs` says. made: a folder of made
    pieces, for recipes that learn from some.

    Writes `log.jsonl`, `curves.svg`, `cache/` and `checkpoint.safetensors` beside the model.
    Raises ModelError where there is too little to learn from.
    """
    out.mkdir(parents=True, exist_ok=True)
    base = find_model(init).folder if init is not None else None
    old = load_encoder(base) if base is not None else None
    crops: tuple[Crop, ...] = CROPS
    if old is not None:
        recipe = _with_inputs_of(old, recipe)
        old.network.to(recipe.device)
        crops = CROPS[:1]
        if find_labels(*_named(tracks, recipe), recipe) is None:
            recipe, crops = replace(recipe, steps=0), CROPS[:3]
    read = read or _read
    workers = Workers.join(recipe.device)
    material, failures = workers.in_turn(lambda: gather(tracks, recipe, out, read, made))
    tell = _both(out / "log.jsonl", report) if workers.rank == 0 else _silent
    start = old.network.state_dict() if old is not None else None
    learner = trainer.learn(trainer.new_learner(recipe, start), material, recipe, out, tell)
    paths = [track.path for track in tracks]
    data = workers.in_turn(
        lambda: measure_fit_data(
            material, recipe, out, paths, read, tell, crops, old.songs if old else None
        )
    )
    network = learner.average.eval()
    if old is None:
        encoder = fit_encoder(network, data, recipe)
        score = score_encoder(encoder, data)
        result = TrainResult(out / "model", "learned", score, None, failures)
    else:
        network = network if learner.step > 0 else old.network
        tuned = fine_tune(old, network, data, recipe)
        encoder = tuned.encoder
        tell({"event": "gain", "kept": tuned.kept} | tuned.gain.as_dict())
        result = TrainResult(out / "model", tuned.kept, None, tuned.gain, failures)
    if workers.rank == 0:
        draw_curves(out / "log.jsonl", out / "curves.svg")
        _write(result, encoder, base, tracks)
    workers.wait()
    return result


def _named(
    tracks: Sequence[TrainingTrack], recipe: TrainingRecipe
) -> tuple[Grouping, NDArray[np.bool_]]:
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


def _with_inputs_of(old: Encoder, recipe: TrainingRecipe) -> TrainingRecipe:
    """The recipe with a model's shape and input windows."""
    kept = ("network", "frames", "window_count", "vector_dim", "statistics")
    return replace(recipe, **{name: getattr(old.recipe, name) for name in kept})


def gather(
    tracks: Sequence[TrainingTrack],
    recipe: TrainingRecipe,
    out: Path,
    read: ReadSound,
    made: Path | None = None,
) -> tuple[trainer.Material, dict[str, str]]:
    """The caches, the split and the pools of a run, and why recordings were left out."""
    if len(tracks) < 4:
        raise ModelError(f"{len(tracks)} recordings are too few to learn from")
    of_head = recipe.head.made if recipe.statistics else 0.0
    if made is None and max(recipe.rendered_share, of_head) > 0:
        raise ModelError(
            f"the recipe learns from made pieces (rendered_share {recipe.rendered_share:g}, made "
            f"{of_head:g} in [head]): name their folder with --made, or set both to 0"
        )
    paths = [track.path for track in tracks]
    cache = open_cache(out / "cache", paths, read, recipe.front_end, recipe.device)
    grouping, learns = _named(tracks, recipe)
    frames = trainer.long_frames(recipe)
    real = make_pool(cache, grouping, learns, frames, recipe.balance, recipe.pairs)
    by_key = dict(zip(cache.keys, map(str, paths), strict=True))
    failures = {by_key[key]: reason for key, reason in cache.failures.items()}
    held = np.flatnonzero(~learns & (cache.lengths() > 0))
    if made is None:
        return trainer.Material(real, None, held), failures
    pool, files = _made_pool(made, recipe, out, frames, read)
    return trainer.Material(real, pool, held, files), failures


def _made_pool(
    folder: Path, recipe: TrainingRecipe, out: Path, frames: int, read: ReadSound
) -> tuple[TrackPool, tuple[Path, ...]]:
    pieces = read_made(folder)
    paths = tuple(piece.path for piece in pieces)
    cache = open_cache(out / "rendered-cache", paths, read, recipe.front_end, recipe.device)
    everything = np.ones(len(pieces), dtype=np.bool_)
    pairs, known = PairWeights(artist=_BAND), instrument_families(pieces)
    return make_pool(cache, group_made(pieces), everything, frames, 0.0, pairs, known), paths


def _read(path: Path) -> NDArray[np.float32]:
    return read_audio(path, SAMPLE_RATE).samples


def _both(log: Path, report: trainer.Report | None) -> trainer.Report:
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
        summary += f" Vectors are smoothed with the nearest of {count:,} of its recordings."
    return {
        "summary": summary,
        "training": f"{_steps(encoder.recipe)}; see recipe.toml.",
        "scores": scores,
        "weaknesses": "Measured only on recordings of the same catalog.",
        "licence": "That of whoever trained it, within the terms of the recordings.",
    }


def _steps(recipe: TrainingRecipe) -> str:
    if recipe.steps == 0:
        return "The network was frozen; what follows it was fitted to these recordings"
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

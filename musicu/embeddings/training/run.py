"""From a catalog to a model of one's own: what `musicu train audio` calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from musicu.audio import read_audio
from musicu.catalog.catalog import Catalog
from musicu.embeddings.cards import find_model
from musicu.embeddings.frontend import SAMPLE_RATE
from musicu.embeddings.training import rendered, train
from musicu.embeddings.training.curves import draw_curves
from musicu.embeddings.training.export import Encoder, copy_model, export_model, load_encoder
from musicu.embeddings.training.fitting import (
    Evidence,
    adaptations,
    fit_encoder,
    gather_evidence,
    score_encoder,
)
from musicu.embeddings.training.heldout import HeldOutScore, hold_out
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.pairs import PairWeights
from musicu.embeddings.training.train_config import Recipe
from musicu.embeddings.training.train_data import (
    Pool,
    TrainingTrack,
    families,
    group,
    group_rendered,
    make_pool,
)
from musicu.embeddings.training.windows_cache import open_or_build
from musicu.errors import ModelError

_CREDITED = ("title", "licence", "commit", "source_path")
_BAND = 0.5  # how strongly rendered pieces of one band draw together


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run gave.

    model: the folder of the model that is to be used, and score: its held-out score. before: that
    of the model that training went on from, None where it began from nothing. learned: the best
    score after learning. kept: "learned", "refitted" (the old network, what follows it brought to
    these recordings) or "unchanged". failures: reason by path of recordings that could not be
    read.
    """

    model: Path
    score: HeldOutScore
    before: HeldOutScore | None
    learned: HeldOutScore
    kept: str
    failures: dict[str, str]


def tracks_of(catalog: Catalog) -> list[TrainingTrack]:
    """A catalog's readable tracks as training material, with what their tags say."""
    table = catalog.tracks()
    columns = set(table.column_names)
    found = []
    for row in table.to_pylist():
        if row.get("content_hash") is None:
            continue
        artists = row.get("artists") or []
        found.append(
            TrainingTrack(
                track_id=row["track_id"],
                path=catalog.file(row["track_id"]),
                artist=row.get("album_artist") or (artists[0] if artists else None),
                album=row.get("album"),
                source=str(row["source"]) if "source" in columns and row["source"] else None,
                credit={name: str(row[name]) for name in _CREDITED if row.get(name)},
            )
        )
    return found


def train_audio(
    tracks: Sequence[TrainingTrack],
    recipe: Recipe,
    out: Path,
    *,
    init: str | Path | None = None,
    report: train.Report | None = None,
    read: Callable[[Path], NDArray[np.float32]] | None = None,
) -> TrainResult:
    """Train an encoder, or teach a finished one these recordings, and write `out/model`.

    A run that was stopped goes on from `out/checkpoint.safetensors` to the same result. With
    `init` (a model's name or folder) the network's shape and window come from that model, and
    the better of it and what was learned is kept, by retrieval among held-out recordings: by
    artist where the recordings name enough of them, by halves of the same recording otherwise.
    Labels are positives only as far as `recipe.pairs` says.

    Writes `log.jsonl`, `curves.svg`, `cache/` and `checkpoint.safetensors` beside the model.
    Raises ModelError where there is too little to learn from.
    """
    out.mkdir(parents=True, exist_ok=True)
    old = load_encoder(find_model(init).folder) if init is not None else None
    if old is not None:
        recipe = _as_heard_by(old, recipe)
    material, failures = gather(tracks, recipe, out, read or _read)
    start = old.network.state_dict() if old is not None else None
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
        told = _both(log, report)
        learner = train.learn(train.new_learner(recipe, start), material, recipe, out, told)
        paths = [track.path for track in tracks]
        evidence = gather_evidence(material, recipe, out, paths, read or _read, told)
    draw_curves(out / "log.jsonl", out / "curves.svg")
    network = learner.average.eval()
    if old is None or init is None:
        new = fit_encoder(network, evidence, recipe)
        learned = score_encoder(new, evidence)
        model = export_model(out / "model", new, _about(recipe, learned, None), _credits(tracks))
        return TrainResult(model, learned, None, learned, "learned", failures)
    best = _best(old, network, evidence, recipe)
    if best.kept == "unchanged":
        model = copy_model(find_model(init).folder, out / "model", recipe.name)
    else:
        about = _about(recipe, best.score, best.before)
        model = export_model(out / "model", best.encoder, about, _credits(tracks))
    return TrainResult(model, best.score, best.before, best.learned, best.kept, failures)


@dataclass(frozen=True, slots=True, eq=False)
class _Best:
    """The best way to go on from a model, and the scores on the way."""

    encoder: Encoder
    kept: str
    score: HeldOutScore
    before: HeldOutScore
    learned: HeldOutScore


def _best(old: Encoder, network: AudioNetwork, evidence: Evidence, recipe: Recipe) -> _Best:
    """The best by held-out recordings of the old model, the old network with its maps brought to
    these recordings, and the new network with either."""
    before = score_encoder(replace(old, recipe=recipe), evidence)
    kept, best, encoder = "unchanged", before, old
    tried = [("refitted", e) for e in adaptations(old, old.network, evidence, recipe)[1:]]
    tried += [("learned", e) for e in adaptations(old, network, evidence, recipe)]
    learned: HeldOutScore | None = None
    for name, candidate in tried:
        score = score_encoder(candidate, evidence)
        if name == "learned" and (learned is None or score.better_than(learned)):
            learned = score
        if score.better_than(best):
            kept, best, encoder = name, score, candidate
    return _Best(encoder, kept, best, before, learned or before)


def _as_heard_by(old: Encoder, recipe: Recipe) -> Recipe:
    """The recipe with what a model's shape and hearing decide."""
    kept = ("network", "frames", "window_count", "vector_dim", "statistics")
    return replace(recipe, **{name: getattr(old.recipe, name) for name in kept})


def gather(
    tracks: Sequence[TrainingTrack],
    recipe: Recipe,
    out: Path,
    read: Callable[[Path], NDArray[np.float32]],
) -> tuple[train.Material, dict[str, str]]:
    """The caches, the split and the pools of a run, and why recordings were left out."""
    if len(tracks) < 4:
        raise ModelError(f"{len(tracks)} recordings are too few to learn from")
    cache = open_or_build(out / "cache", [track.path for track in tracks], read)
    grouping = group(tracks)
    held = hold_out(grouping, recipe.held_out, np.random.default_rng(recipe.seed))
    frames = train.long_frames(recipe)
    real = make_pool(cache, grouping, ~held, frames, recipe.balance, recipe.pairs)
    paths = dict(zip(cache.keys, (str(track.path) for track in tracks), strict=True))
    failures = {paths[key]: reason for key, reason in cache.failures.items()}
    made = _gather_rendered(recipe, out, frames, read) if recipe.rendered_share > 0 else None
    return train.Material(real, made, np.flatnonzero(held & (cache.lengths() > 0))), failures


def _gather_rendered(
    recipe: Recipe, out: Path, frames: int, read: Callable[[Path], NDArray[np.float32]]
) -> Pool:
    pieces = rendered.render_set(out / "rendered", recipe.render)
    cache = open_or_build(out / "rendered-cache", [piece.path for piece in pieces], read)
    everything = np.ones(len(pieces), dtype=np.bool_)
    pairs = PairWeights(artist=_BAND)
    known = families(pieces)
    return make_pool(cache, group_rendered(pieces), everything, frames, 0.0, pairs, known)


def _read(path: Path) -> NDArray[np.float32]:
    return read_audio(path, SAMPLE_RATE).samples


def _both(log: TextIO, report: train.Report | None) -> train.Report:
    """A report that goes to the log and to whoever listens."""

    def tell(event: dict[str, Any]) -> None:
        log.write(json.dumps(event) + "\n")
        log.flush()
        if report is not None:
            report(event)

    return tell


def _about(recipe: Recipe, score: HeldOutScore, before: HeldOutScore | None) -> dict[str, Any]:
    """The card's words for a model of one's own."""
    scores = {"held_out": score.as_dict()}
    if before is not None:
        scores["before"] = before.as_dict()
    return {
        "summary": "An audio encoder trained on one's own catalog with `musicu train audio`.",
        "training": f"{recipe.steps} steps of {recipe.tracks} pairs of windows; see recipe.toml.",
        "scores": scores,
        "weaknesses": "Measured only on held-out recordings of the same catalog.",
        "licence": "That of whoever trained it, within the terms of the recordings.",
    }


def _credits(tracks: Sequence[TrainingTrack]) -> list[dict[str, str]]:
    return [
        {
            "track_id": track.track_id,
            "artist": track.artist or "",
            "album": track.album or "",
            "source": track.source or "",
            "path": track.credit.get("source_path", track.path.name),
            **{name: track.credit.get(name, "") for name in ("title", "licence", "commit")},
        }
        for track in tracks
    ]

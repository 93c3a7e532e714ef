"""Views, teachers and the student of musicu-audio-v2."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
from music import tune

torch = pytest.importorskip("torch", reason="distillation needs torch")
pytest.importorskip("onnxscript", reason="distillation needs onnxscript")

from safetensors.numpy import load_file, save_file  # noqa: E402
from safetensors.torch import save_file as save_tensors  # noqa: E402

from musicu.embeddings.onnx_session import open_graph  # noqa: E402
from musicu.embeddings.songs import N_BANDS, SONG_FRAMES  # noqa: E402
from recipes.audio_v2 import distil, teachers, views  # noqa: E402
from recipes.audio_v2.hints import HINTS, hint_losses  # noqa: E402
from recipes.audio_v2.quantise import quantised  # noqa: E402
from recipes.audio_v2.songs_export import (  # noqa: E402
    SingingScore,
    SongsBlock,
    VoiceScale,
    pack_student,
    songs_graph,
)
from recipes.audio_v2.student import (  # noqa: E402
    TARGETS,
    ResidualBlock,
    StudentConfig,
    StudentNetwork,
)

ROOT = Path(__file__).parent.parent


@pytest.fixture
def teachers_folder() -> Path:
    """Where the teachers' weights lie."""
    folder = Path(os.environ.get("MUSICU_SHARED", ROOT.parent / "shared")) / "teachers"
    if not folder.is_dir():
        pytest.skip(f"no teachers at {folder} (set MUSICU_SHARED)")
    return folder


def test_the_teachers_passes_are_those_of_their_checks(teachers_folder: Path) -> None:
    assert max(teachers.check(teachers_folder).values()) < 1e-3


def test_the_teachers_are_measured_beside_models(
    teachers_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from audio_songs import teacher_vectors

    paths = [tmp_path / f"{seed}.wav" for seed in (1, 1, 2, 3)]
    for path in paths:
        seed = int(path.stem)
        soundfile.write(path, tune(seed, 29.5, 16_000), 16_000)
    found = teacher_vectors(teachers_folder, paths)
    assert {name: rows.shape for name, rows in found.items()} == {
        "mn04": (4, 512), "fcn": (4, 64), "mn04 and fcn": (4, 576),
    }  # fmt: skip
    for rows in found.values():
        np.testing.assert_allclose(rows[0], rows[1])
        assert np.abs(rows[0] - rows[2]).max() > 0.1


def _clip(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9000, 9000, 8 * teachers.RATE).astype(np.int16)


def test_a_view_depends_on_its_seed_alone_and_is_at_the_teachers_level() -> None:
    pool = views.SoundPool([_clip(0)], [_clip(1)], [_clip(2)])
    drawn = [views.draw_view(pool, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    for view in drawn:
        assert len(view) == views.LENGTH
        assert np.sqrt(np.mean(view**2)) == pytest.approx(views.LEVEL, rel=1e-3)
    assert views.student_input(drawn[0]).shape == (SONG_FRAMES, N_BANDS)


def test_a_view_may_come_back_from_a_lossy_file() -> None:
    clip = np.round(tune(1, 8.0, teachers.RATE) * 9000).astype(np.int16)
    pool = views.SoundPool([clip], [clip], [clip])
    for seed in range(4):
        plain, lossy = (
            views.draw_view(pool, np.random.default_rng(seed), views.ViewMix(lossy=share))
            for share in (0.0, 1.0)
        )
        assert len(lossy) == views.LENGTH
        assert np.sqrt(np.mean(lossy**2)) == pytest.approx(views.LEVEL, rel=1e-3)
        assert not np.array_equal(lossy, plain)
        both = np.abs([np.fft.rfft(view, 2**18) for view in (plain, lossy)])
        assert np.corrcoef(both)[0, 1] > 0.9  # the same sound, whatever the codec's delay


class Deaf:
    """A teacher that makes nothing of anything."""

    def hear(self, sounds: np.ndarray) -> dict[str, np.ndarray]:
        return {"hidden": np.zeros((len(sounds), 3), np.float16)}


def test_a_shard_on_disk_holds_the_views_that_its_seed_gives(tmp_path: Path) -> None:
    pool = views.SoundPool([_clip(0)], [_clip(1)], [_clip(2)])
    save_file(views.make_shard(pool, Deaf(), 5, 7, count=4), tmp_path / "shard")  # type: ignore[arg-type]
    logs = load_file(tmp_path / "shard")["logs"]
    for number in range(4):
        view = views.draw_view(pool, np.random.default_rng([5, 7, number]))
        np.testing.assert_allclose(logs[number], views.student_input(view), atol=5e-3)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Eight small shards of random views."""
    for shard in range(8):
        rng = np.random.default_rng(shard)
        made = {"logs": rng.standard_normal((8, SONG_FRAMES, N_BANDS)).astype(np.float16)}
        made |= {n: rng.standard_normal((8, k)).astype(np.float16) for n, k in TARGETS.items()}
        for name, (_, *shape) in HINTS.items():
            made[name] = rng.standard_normal((8, *shape)).astype(np.float16)
        save_file(made, views.shard_path(tmp_path, shard))
    return tmp_path


def test_a_run_that_was_stopped_ends_like_one_that_was_not(shards: Path, tmp_path: Path) -> None:
    config = distil.DistillConfig(steps=4, batch=8, first=8, growth=0.0, warmup=2)
    whole = distil.distil(shards, tmp_path / "whole", config)
    (tmp_path / "parts").mkdir()
    part = distil.Distiller(config, distil.target_scale(shards, True))
    for _, batch in zip(range(2), distil.batches(shards, config, 0), strict=False):
        part.network.train()
        part.learn(batch)
    part.save(tmp_path / "parts" / distil.CHECKPOINT)
    resumed = distil.distil(shards, tmp_path / "parts", config)
    assert resumed.step == whole.step == 4
    for one, other in zip(whole.average.parameters(), resumed.average.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_views_like_songs_are_learned_more_often(shards: Path) -> None:
    for shard in range(8):
        path = views.shard_path(shards, shard)
        made = load_file(path)
        made["logits"][:] = -9.0
        made["logits"][::2, distil.GENRES.start + shard] = 2.0  # every second view is of a genre
        made["hidden"][:, 0] = made["logits"].max(axis=1)
        save_file(made, path)
    shares = {}
    for songs in (False, True):
        config = distil.DistillConfig(batch=16, first=8, growth=0.0, songs=songs)
        batch = next(distil.batches(shards, config, 0))
        shares[songs] = float((batch["hidden"][:, 0] > 0).float().mean())
    assert shares[False] < 0.75
    assert shares[True] > 0.85


def test_hints_are_learned_and_handed_on(shards: Path, tmp_path: Path) -> None:
    config = distil.DistillConfig(batch=16, first=8, growth=0.0, warmup=1, float32=True)
    distiller = distil.Distiller(config, distil.target_scale(shards, True))
    batch = next(distil.batches(shards, config, 0))
    for name in HINTS:  # one deviation above the mean, everywhere
        scale = distiller.scale
        batch[name][:] = scale[f"{name}.mean"] + scale[f"{name}.spread"]
    distiller.network.train()
    told = [distiller.learn(batch) for _ in range(12)]
    for name in HINTS:
        assert told[-1][name] < 0.97 * told[0][name]
    distiller.save(tmp_path / "whole.safetensors")
    pack_student(tmp_path / "whole.safetensors", tmp_path / "packed.safetensors")
    other = distil.Distiller(config, distil.target_scale(shards, True))
    other.begin_with(tmp_path / "packed.safetensors")
    for one, two in zip(distiller.hints.parameters(), other.hints.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-3)


def test_without_hints_neither_their_targets_nor_their_heads_are_used(shards: Path) -> None:
    config = distil.DistillConfig(batch=8, first=8, growth=0.0, hint=0.0)
    distiller = distil.Distiller(config, distil.target_scale(shards))
    batch = next(distil.batches(shards, config, 0))
    assert not set(batch) & set(HINTS)
    before = [value.clone() for value in distiller.hints.parameters()]
    assert not set(distiller.learn(batch)) & set(HINTS)
    for one, other in zip(before, distiller.hints.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_every_map_has_a_head_of_its_shape() -> None:
    config = distil.DistillConfig()
    distiller = distil.Distiller(config, {})
    _, stages = distiller.network(torch.zeros(2, SONG_FRAMES, N_BANDS))
    assert [stage.shape[2] for stage in stages] == list(distiller.network.bands)
    maps = {name: torch.zeros(2, *shape) for name, (_, *shape) in HINTS.items()}
    assert set(hint_losses(distiller.hints, stages, maps)) == set(HINTS)
    for name, hint in HINTS.items():
        assert distiller.hints[name](stages[hint.stage]).shape == maps[name].shape


def test_a_trained_network_may_be_given_residual_blocks(shards: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    plain = StudentNetwork(StudentConfig(blocks=(0, 0, 0))).eval()
    known = {f"average.{k}": v.contiguous() for k, v in plain.state_dict().items()}
    save_tensors(known, tmp_path / "plain.safetensors")
    config = distil.DistillConfig(batch=8, first=8, growth=0.0)
    distiller = distil.Distiller(config, distil.target_scale(shards, True))
    distiller.begin_with(tmp_path / "plain.safetensors")
    logs = torch.randn(2, SONG_FRAMES, N_BANDS)
    with torch.no_grad():
        before, after = (n.eval()(logs)[0]["hidden"] for n in (plain, distiller.network))
        torch.testing.assert_close(before, after)
    distiller.network.train()
    for batch in islice(distil.batches(shards, config, 0), 2):
        distiller.learn(batch)
    assert all(block.norm.weight.abs().max() > 0 for block in blocks_of(distiller.network))


def blocks_of(network: StudentNetwork) -> list[ResidualBlock]:
    return [module for module in network.modules() if isinstance(module, ResidualBlock)]


def test_in_eight_bits_a_network_says_the_same() -> None:
    torch.manual_seed(2)
    network = StudentNetwork(StudentConfig()).eval()
    for block in blocks_of(network):
        torch.nn.init.ones_(block.norm.weight)
    scale = {"logits.mean": torch.zeros(527), "logits.spread": torch.ones(527)}
    block = SongsBlock(np.zeros(TARGETS["hidden"], np.float32), 0.7)
    score = SingingScore(network, scale)
    whole = songs_graph(network, {"hidden": block}, score, VoiceScale(1.0, 0.0))
    rng = np.random.default_rng(3)
    logs = rng.standard_normal((40, SONG_FRAMES, N_BANDS)).astype(np.float32)
    logs *= rng.uniform(0.2, 2.0, (40, 1, 1)).astype(np.float32)
    made = quantised(whole, logs[:32])
    assert len(made) < 0.6 * len(whole)
    one, other = (
        [session.run(None, {"logs": logs[k : k + 1]}) for k in range(32, 40)]
        for session in (open_graph(graph, Path("songs.onnx")) for graph in (whole, made))
    )
    before, after = (np.stack([vector for vector, _ in said]) for said in (one, other))
    before, after = before - before.mean(axis=0), after - after.mean(axis=0)  # what tells apart
    cosines = (before * after).sum(axis=1) / np.sqrt((before**2).sum(1) * (after**2).sum(1))
    assert cosines.min() > 0.95
    np.testing.assert_allclose([v for _, v in other], [v for _, v in one], atol=0.05)


def test_the_rate_falls_to_nothing_over_the_last_part() -> None:
    config = replace(distil.DistillConfig(), steps=1000, warmup=10, fall=0.2)
    shares = [distil.schedule(step, config) for step in (0, 9, 500, 800, 900, 1000)]
    np.testing.assert_allclose(shares, [0.1, 1.0, 1.0, 1.0, 0.5, 0.0])

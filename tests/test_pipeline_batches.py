"""Batches across files: as large as the card says, and nothing but the time depends on them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from band_embedder import LOG, install_bands
from contract_embedder import EmbedderContract
from music import write

from musicu.catalog.catalog import Catalog
from musicu.embeddings.cards import read_card
from musicu.embeddings.embedder import Embedder
from musicu.errors import ModelError
from musicu.pipeline.run import EmbedOptions, EmbedReport, run

GOOD = 11
EXECUTORS = ["local", "workers"]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model whose card says that batches of four pay."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv(LOG, str(tmp_path / "batches"))
    return install_bands(site, batch={"size": 4})


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for i in range(GOOD):
        write(tmp_path / f"music/{i:02d}.wav", i, seconds=3.0 + i / 10, title=f"Tune {i}")
    return tmp_path / "music"


def told(model: Path, **changes: Any) -> Path:
    """The same model with other words in its card."""
    card = json.loads((model / "card.json").read_text())
    (model / "card.json").write_text(json.dumps({**card, **changes}))
    return model


def go(music: Path, out: Path, model: Path, **options: Any) -> EmbedReport:
    return run(music, out, model=model, options=EmbedOptions(**{"jobs": 2, **options}))


def contents(out: Path) -> dict[str, bytes]:
    manifest = json.loads((out / "manifest.json").read_text())
    return {
        f"{table} {i}": (out / name).read_bytes()
        for table, names in manifest["tables"].items()
        for i, name in enumerate(names)
    }


def batches(tmp_path: Path) -> dict[str, list[int]]:
    """The sizes of the batches that each process embedded."""
    sizes: dict[str, list[int]] = {}
    for line in (tmp_path / "batches").read_text().splitlines():
        process, size = line.split()
        sizes.setdefault(process, []).append(int(size))
    return sizes


class TestContract(EmbedderContract):
    @pytest.fixture
    def model(self, model: Path) -> Embedder:
        return Embedder.load(model)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_batches_of_as_many_files_as_the_card_says_reach_the_embedder(
    music: Path, tmp_path: Path, model: Path, executor: str
) -> None:
    assert go(music, tmp_path / "out", model, executor=executor).embedded == GOOD
    sizes = Counter(size for process in batches(tmp_path).values() for size in process)
    assert sizes == {4: 2, 3: 1}


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("jobs", [1, 3])
def test_batches_change_no_byte(
    music: Path, tmp_path: Path, model: Path, executor: str, jobs: int
) -> None:
    go(music, tmp_path / "batched", model, executor=executor, jobs=jobs)
    go(music, tmp_path / "single", told(model, batch={"size": 1}))
    assert contents(tmp_path / "batched") == contents(tmp_path / "single")
    assert {1} < {n for sizes in batches(tmp_path).values() for n in sizes}


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    ("seconds", "words"), [(1.75, "a bug of another package"), (2.25, "no finite vector")]
)
def test_a_file_that_fails_does_not_lose_its_batch(
    music: Path, tmp_path: Path, model: Path, executor: str, seconds: float, words: str
) -> None:
    write(music / "05 bad.wav", 50, seconds=seconds)
    report = go(music, tmp_path / "out", model, executor=executor)
    assert (report.embedded, report.failed) == (GOOD, 1)
    (failure,) = Catalog.open(tmp_path / "out").failures().to_pylist()
    assert (failure["path"], failure["stage"]) == ("05 bad.wav", "embed")
    assert words in failure["reason"]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_file_that_cannot_be_decoded_costs_itself(
    music: Path, tmp_path: Path, model: Path, executor: str
) -> None:
    (music / "05 bad.flac").write_bytes(b"fLaC" + bytes(100))
    report = go(music, tmp_path / "out", model, executor=executor)
    assert (report.embedded, report.failed) == (GOOD, 1)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_file_that_ends_its_worker_does_not_lose_its_batch(
    music: Path, tmp_path: Path, model: Path, device: str
) -> None:
    write(music / "05 bad.wav", 50, seconds=1.25)
    report = go(music, tmp_path / "out", told(model, batch={"size": 4, "device": device}))
    assert (report.embedded, report.failed) == (GOOD, 1)
    (failure,) = report.failures
    assert (failure["path"], failure["stage"]) == ("05 bad.wav", "embed")
    assert "exit code 3" in failure["reason"]


def test_a_file_that_takes_too_long_does_not_lose_its_batch(
    music: Path, tmp_path: Path, model: Path
) -> None:
    write(music / "05 bad.wav", 50, seconds=1.5)
    report = go(music, tmp_path / "out", model, timeout_seconds=1.0)
    assert (report.embedded, report.failed) == (GOOD, 1)
    assert report.failures[0]["path"] == "05 bad.wav"
    assert report.failures[0]["reason"] == "no answer within 1 s"


def test_one_process_embeds_where_the_device_is_not_to_be_shared(
    music: Path, tmp_path: Path, model: Path
) -> None:
    go(music, tmp_path / "out", told(model, batch={"size": 4, "device": "cuda"}), jobs=3)
    assert len(batches(tmp_path)) == 1
    go(music, tmp_path / "single", told(model, batch={"size": 1}))
    assert contents(tmp_path / "out") == contents(tmp_path / "single")


def test_copies_of_a_recording_are_embedded_once(music: Path, tmp_path: Path, model: Path) -> None:
    for i in range(5):
        (music / f"copy {i}.wav").write_bytes((music / "03.wav").read_bytes())
    report = go(music, tmp_path / "out", model)
    assert (report.embedded, report.reused) == (GOOD, 5)
    assert sum(sum(sizes) for sizes in batches(tmp_path).values()) == GOOD


def test_a_second_stage_follows_a_batch(music: Path, tmp_path: Path, model: Path) -> None:
    report = go(music, tmp_path / "out", model, describe=True)
    assert (report.embedded, report.described) == (GOOD, GOOD)


def test_whole_files_are_embedded_alone(music: Path, tmp_path: Path, model: Path) -> None:
    assert go(music, tmp_path / "out", model, thorough=True).embedded == GOOD
    assert {n for sizes in batches(tmp_path).values() for n in sizes} == {1}


@pytest.mark.parametrize("batch", [{"size": 0}, {"size": "4"}, {"count": 4}, {"device": 1}, 4])
def test_a_card_with_a_wrong_batch_is_refused(model: Path, batch: object) -> None:
    with pytest.raises(ModelError, match="is not a model card"):
        read_card(told(model, batch=batch))


class TestWhatAnEmbedderGivesIsLookedAt:
    """What another package's embedder gives goes into no catalog unseen."""

    def given(self, model: Path, monkeypatch: pytest.MonkeyPatch, vectors: Any) -> Embedder:
        embedder = Embedder.load(model)
        monkeypatch.setattr(embedder, "embed_batch", lambda _: vectors)
        return embedder

    def test_a_wrong_shape(self, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        embedder = self.given(model, monkeypatch, np.ones((2, 3)))
        with pytest.raises(ModelError, match=r"of shape \(2, 3\) for 1 recordings.*says 8"):
            embedder.embed_checked([None])  # type: ignore[list-item]

    def test_a_wrong_length(self, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        embedder = self.given(model, monkeypatch, np.ones((1, 8)))
        with pytest.raises(ModelError, match=r"of length 2\.8\d+, not 1"):
            embedder.embed_checked([None])  # type: ignore[list-item]

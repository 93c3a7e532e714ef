"""What every executor keeps: inherit `ExecutorContract` and say its `name`."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from band_embedder import install_bands
from music import write

from musicu.catalog.catalog import Catalog
from musicu.embeddings.cards import read_card
from musicu.embeddings.embedder import Embedder
from musicu.errors import ModelError
from musicu.pipeline.executors.executor import EXECUTORS, Executor
from musicu.pipeline.executors.requests import Answer, WorkerConfig, WorkRequest
from musicu.pipeline.run import EmbedOptions, run
from musicu.records import Audio
from musicu.threads import ONE_EACH

GOOD = 6


def contents(out: Path) -> dict[str, bytes]:
    """A catalog's tables, by their names."""
    files = sorted(out.rglob("*.parquet"))
    return {f.parent.relative_to(out).as_posix() + f" {i}": f.read_bytes() for i, f in
            enumerate(files)}  # fmt: skip


class ExecutorContract:
    """name: that the executor is registered under."""

    name: str

    @pytest.fixture
    def model(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        site = tmp_path / "site"
        site.mkdir()
        monkeypatch.syspath_prepend(str(site))
        return install_bands(site)

    @pytest.fixture
    def music(self, tmp_path: Path) -> Path:
        for i in range(GOOD):
            write(
                tmp_path / f"music/{i}.flac", i, seconds=3.0, title=f"Tune {i}", date="2001-02-03"
            )
        return tmp_path / "music"

    @pytest.fixture
    def config(self, model: Path) -> WorkerConfig:
        card = read_card(model)
        return WorkerConfig(card)

    @pytest.fixture
    def executor(self, config: WorkerConfig) -> Iterator[Executor]:
        made = EXECUTORS.load(self.name)(config, jobs=2, timeout_seconds=60.0)
        made.expect(GOOD)
        yield made
        made.close()
        made.close()

    def ask(self, executor: Executor, *requests: WorkRequest) -> list[Answer]:
        """The answers in the order of the requests."""
        for request in requests:
            executor.submit(request)
        found = dict(executor.next_answer() for _ in requests)
        assert found.keys() == set(requests)
        return [found[request] for request in requests]

    def run(self, music: Path, out: Path, model: Path | str, **options: Any) -> Any:
        options = {"jobs": 2, "executor": self.name, **options}
        return run(music, out, model=model, options=EmbedOptions(**options))

    def test_every_request_gets_its_own_answer(self, executor: Executor, music: Path) -> None:
        files = sorted(music.iterdir())
        answers = self.ask(executor, *(WorkRequest("inspect", file) for file in files))
        assert [a["tags"]["title"] for a in answers] == [f"Tune {i}" for i in range(GOOD)]
        assert len({a["content_hash"] for a in answers}) == GOOD

    def test_tags_alone_are_those_of_an_inspection(self, executor: Executor, music: Path) -> None:
        file = music / "0.flac"
        inspected, tagged = self.ask(
            executor, WorkRequest("inspect", file), WorkRequest("tags", file)
        )
        assert tagged == {"tags": inspected["tags"]}

    def test_equal_requests_are_two(self, executor: Executor, music: Path) -> None:
        file = music / "0.flac"
        first, second = self.ask(
            executor, WorkRequest("inspect", file), WorkRequest("inspect", file)
        )
        assert first == second

    def test_a_vector_is_that_of_the_embedder(
        self, executor: Executor, music: Path, model: Path
    ) -> None:
        file = music / "1.flac"
        decoded, embedded = self.ask(
            executor, WorkRequest("decode", file), WorkRequest("embed", file)
        )
        audio = decoded["audio"]
        assert isinstance(audio, Audio)
        assert audio.samples.dtype == np.float32
        wanted = Embedder.load(model).embed(audio)
        (batch,) = self.ask(executor, WorkRequest("embed_batch", audios=(audio, audio)))
        for row in (embedded["row"], *(answer["row"] for answer in batch["answers"])):
            np.testing.assert_array_equal(row["vector"], wanted)
            assert row["complete"] is True

    def test_descriptors_are_a_row(self, executor: Executor, music: Path) -> None:
        name = "musicu-statistics-v1"
        (answer,) = self.ask(executor, WorkRequest("describe", music / "2.flac", name))
        assert len(answer["row"]["colour"]) > 0

    def test_what_cannot_be_read_fails_with_a_reason(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        bad = tmp_path / "bad.flac"
        bad.write_bytes(b"no music")
        answers = self.ask(
            executor,
            WorkRequest("inspect", tmp_path / "not there.flac"),
            WorkRequest("embed", bad),
            WorkRequest("describe", bad, "musicu-descriptors-v1"),
            WorkRequest("embed", tmp_path / "not there.flac"),
        )
        assert [answer["stage"] for answer in answers] == ["hash", "decode", "describe", "decode"]
        assert all(answer["reason"] for answer in answers)

    def test_a_bug_in_anothers_embedder_is_a_failure_of_the_file(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        file = write(tmp_path / "bug.wav", 0, seconds=1.75)
        (answer,) = self.ask(executor, WorkRequest("embed", file))
        assert answer["reason"] == "ValueError: a bug of another package"

    def test_requests_configs_and_answers_can_be_pickled(
        self, executor: Executor, music: Path, config: WorkerConfig
    ) -> None:
        assert pickle.loads(pickle.dumps(config)) == config
        (decoded,) = self.ask(executor, WorkRequest("decode", music / "0.flac"))
        request = WorkRequest("embed_batch", audios=(decoded["audio"],))
        again = pickle.loads(pickle.dumps((request, decoded)))
        assert again[0].task == "embed_batch"
        np.testing.assert_array_equal(again[1]["audio"].samples, decoded["audio"].samples)

    def test_a_model_that_is_another_by_now_ends_the_run(self, model: Path, music: Path) -> None:
        card = read_card(model)
        told = (model / "card.json").read_text()
        (model / "card.json").write_text(told.replace("5.0", "4.0"))
        config = WorkerConfig(card)
        executor = EXECUTORS.load(self.name)(config, jobs=1, timeout_seconds=60.0)
        try:
            with pytest.raises(ModelError, match="changed during the run"):
                self.ask(executor, WorkRequest("embed", music / "0.flac"))
        finally:
            executor.close()

    def test_there_is_room_for_a_request(self, executor: Executor) -> None:
        assert executor.capacity >= 1

    def test_closing_in_the_middle_of_requests_is_quick(
        self, executor: Executor, music: Path
    ) -> None:
        for file in music.iterdir():
            executor.submit(WorkRequest("embed", file))
        began = time.monotonic()
        executor.close()
        assert time.monotonic() - began < 10.0

    def test_the_catalog_has_the_bytes_of_worker_processes(
        self, music: Path, tmp_path: Path, model: Path
    ) -> None:
        """With one thread for BLAS, whose sums may depend on the number."""
        (music / "bad.flac").write_bytes(b"no music")
        (music / "copy.flac").write_bytes((music / "0.flac").read_bytes())
        self.check_bytes(music, tmp_path, model, "--describe")

    def check_bytes(self, music: Path, tmp_path: Path, model: Path | str, *options: str) -> None:
        """Embed with this executor and with worker processes, and compare the catalogs."""
        site = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, **ONE_EACH, "PYTHONPATH": site}
        for out in (tmp_path / self.name, tmp_path / "reference"):
            executor = self.name if out.name == self.name else "workers"
            command = [sys.executable, "-m", "musicu", "embed", str(music), "-o", str(out)]
            command += ["-m", str(model), "--executor", executor, "-j", "1", *options]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            assert f"{GOOD} embedded" in done.stderr
        assert contents(tmp_path / self.name) == contents(tmp_path / "reference")

    def test_a_run_counts_what_it_did(self, music: Path, tmp_path: Path, model: Path) -> None:
        (music / "bad.flac").write_bytes(b"no music")
        (music / "copy.flac").write_bytes((music / "0.flac").read_bytes())
        report = self.run(music, tmp_path / "out", model)
        assert (report.tracks, report.embedded, report.reused) == (GOOD + 2, GOOD, 1)
        assert (report.failed, report.failures[0]["path"]) == (1, "bad.flac")

    def test_the_catalog_has_the_bytes_of_a_shipped_models(
        self, music: Path, tmp_path: Path
    ) -> None:
        self.check_bytes(music, tmp_path, "musicu-stats-v1")

    @pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process on Windows")
    def test_ctrl_c_keeps_what_is_finished(self, music: Path, tmp_path: Path, model: Path) -> None:
        out = tmp_path / "out"
        command = [sys.executable, "-m", "musicu", "embed", music, "-o", out]
        process = subprocess.Popen(
            [*command, "--executor", self.name, "-m", "musicu-stats-v1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        while not (out / "manifest.json").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert process.returncode in (0, 130)
        assert b"Traceback" not in told
        assert process.returncode == 0 or b"run the same command again" in told
        assert self.run(music, out, "musicu-stats-v1").failed == 0
        assert len(Catalog.open(out).vectors().ids) == GOOD


class IsolatedExecutorContract(ExecutorContract):
    """What an executor keeps whose class says that it is `isolated`."""

    def test_it_says_so(self) -> None:
        assert EXECUTORS.load(self.name).isolated

    def test_a_worker_that_dies_costs_its_request(
        self, executor: Executor, music: Path, tmp_path: Path
    ) -> None:
        dies = write(tmp_path / "dies.wav", 0, seconds=1.25)
        others = [WorkRequest("embed", file) for file in sorted(music.iterdir())]
        died, *answers = self.ask(executor, WorkRequest("embed", dies), *others)
        assert "exit code 3" in died["died"]
        assert all("row" in answer for answer in answers)

    def test_a_request_that_takes_too_long_is_given_up(
        self, config: WorkerConfig, music: Path, tmp_path: Path
    ) -> None:
        executor = EXECUTORS.load(self.name)(config, jobs=1, timeout_seconds=2.0)
        hangs = write(tmp_path / "hangs.wav", 0, seconds=1.5)
        try:
            late, answer = self.ask(
                executor, WorkRequest("embed", hangs), WorkRequest("embed", music / "0.flac")
            )
        finally:
            executor.close()
        assert late == {"died": "no answer within 2 s"}
        assert "row" in answer

    def test_a_file_that_kills_its_worker_is_the_only_failure_of_a_run(
        self, music: Path, tmp_path: Path, model: Path
    ) -> None:
        write(music / "dies.wav", 0, seconds=1.25)
        report = self.run(music, tmp_path / "out", model)
        assert (report.embedded, report.failed) == (GOOD, 1)
        (failure,) = report.failures
        assert (failure["path"], failure["stage"]) == ("dies.wav", "decode")

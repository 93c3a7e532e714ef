"""The executors that come with musicu keep the contract, and unknown ones are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from contract_executor import ExecutorContract, IsolatedExecutorContract
from music import write

from musicu.errors import RegistryError
from musicu.pipeline.executors.executor import EXECUTORS
from musicu.pipeline.run import EmbedOptions, run


class TestLocalProcess(ExecutorContract):
    name = "local"


class TestWorkerPool(IsolatedExecutorContract):
    name = "workers"


def test_every_executor_that_comes_with_musicu_is_tested_here() -> None:
    elsewhere = {"ray"}  # test_pipeline_ray.py
    assert set(EXECUTORS.builtins) == {TestLocalProcess.name, TestWorkerPool.name} | elsewhere


def test_an_unknown_executor_is_an_error_that_lists_the_known(tmp_path: Path) -> None:
    write(tmp_path / "music/a.flac", 0)
    with pytest.raises(RegistryError, match=r"no executor 'moon': known are local, workers"):
        run(tmp_path / "music", tmp_path / "out", model=None, options=EmbedOptions(executor="moon"))

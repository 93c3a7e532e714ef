"""What docs/recommending.md says: its package runs, its formula and its names are musicu's."""

from __future__ import annotations

import csv
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from packages import install

from musicu import Catalog
from musicu.ranking import set_fit

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "recommending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the page's package, as pip would leave it there."""
    points = tomllib.loads(FILES["pyproject.toml"])["project"]["entry-points"]
    install(tmp_path / "site", "label_mates", FILES["label_mates.py"], points)
    return tmp_path / "site"


def write_listens(catalog: Catalog, path: Path) -> str:
    """Ann likes one track; returns its label, which must hold another."""
    rows = catalog.tracks().to_pylist()
    labels = [row["label"] for row in rows]
    liked = next(row for row in rows if labels.count(row["label"]) > 1)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "track_id", "timestamp", "weight"])
        writer.writerow(["ann", liked["track_id"], "2026-01-01T00:00:00Z", 1.0])
    return str(liked["label"])


def test_the_source_and_ranker_of_the_page_work_on_the_command_line(
    site: Path, demo_catalog: Path, tmp_path: Path
) -> None:
    catalog = Catalog.open(demo_catalog)
    label = write_listens(catalog, tmp_path / "listens.csv")
    shutil.copytree(demo_catalog, tmp_path / "catalog")
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    path = os.pathsep.join([str(site), str(ROOT)])
    for line in commands.splitlines():
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(line)], cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    labels = {row["track_id"]: row["label"] for row in catalog.tracks().to_pylist()}
    found = pq.read_table(tmp_path / "found.parquet").to_pylist()
    theirs = [row for row in found if row["source"] == "same-label"]
    assert {labels[row["track_id"]] for row in theirs} == {label}
    assert all(row["reason"].startswith("On a label you know") for row in theirs)
    assert (tmp_path / "page/index.html").is_file()


def test_the_ranker_of_the_page_adds_its_part_to_the_score(
    site: Path, demo_catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from musicu.candidates import CandidateGenerator, ForYou, ItemTable, TasteProfile, UserProfile

    monkeypatch.syspath_prepend(str(site))
    catalog = Catalog.open(demo_catalog)
    label = write_listens(catalog, tmp_path / "listens.csv")
    items = ItemTable.of(catalog)
    seed = (tmp_path / "listens.csv").read_text().split("\n")[1].split(",")[1]
    now = datetime(2026, 5, 1, tzinfo=timezone.utc)
    taste = TasteProfile.from_seeds([seed], catalog.vectors(), now=now)
    generator = CandidateGenerator.of(items, [ForYou()], 20, now=now, ranker="label-bonus")
    labels = {row["track_id"]: row["label"] for row in catalog.tracks().to_pylist()}
    found = generator.explain(UserProfile("ann", taste))
    assert {labels[each.track_id] == label for each in found} == {True, False}
    for each in found:
        assert each.parts["label"] == pytest.approx(0.1 * (labels[each.track_id] == label))
        assert np.isclose(sum(each.parts.values()), each.score, atol=1e-6)


def test_the_weights_of_the_formula_are_those_of_the_ranker() -> None:
    formula = re.findall(r"^score = (.*)$", TEXT, re.MULTILINE)
    numbers = [float(n) for n in re.findall(r"\d+\.?\d*(?= cos| \[| share)", formula[0])]
    assert numbers == [set_fit.MEAN, set_fit.ARTIST_BONUS, set_fit.ARTIST_SHARE]


def test_every_module_and_class_that_the_page_names_exists() -> None:
    entry_points = {"musicu.recipes", "musicu.page_rankers"}
    named = set(re.findall(r"`(musicu(?:\.\w+)+)`", TEXT)) - entry_points
    assert len(named) > 12
    for name in named:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            module, _, thing = name.rpartition(".")
            assert hasattr(importlib.import_module(module), thing), name

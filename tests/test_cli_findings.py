"""What `musicu evaluate` prints: every interval whole, however narrow the terminal is."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from musicu.cli.findings import print_evaluation, print_findings
from musicu.cli.output import print_wide
from musicu.evaluation import evaluate_vectors
from musicu.evaluation.recommendation import Protocol, evaluate_models

INTERVAL = re.compile(r"[+-]?\d\.\d{3} \[[+-]?\d\.\d{3}, [+-]?\d\.\d{3}\]")


def terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    for name, value in (("COLUMNS", str(columns)), ("FORCE_COLOR", "1"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)


def tracks(count: int = 24) -> pa.Table:
    makers = [[f"artist {n % 6}"] for n in range(count)]
    ids = [f"t{n:02d}" for n in range(count)]
    return pa.table(
        {"track_id": ids, "artists": makers, "album": [f"a{n % 8}" for n in range(count)]}
    )


@pytest.mark.parametrize("columns", [72, 100, 200])
def test_no_line_breaks_an_interval_or_is_too_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    terminal(monkeypatch, columns)
    vectors = {"mine": np.random.default_rng(0).normal(size=(24, 4))}
    found = evaluate_vectors(vectors, tracks(), protocols=["same-artist"], bootstrap=20)
    print_evaluation(found)
    text = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    lines = text.splitlines()
    assert max(map(len, lines)) <= columns
    assert all(line.count("[") == line.count("]") == len(INTERVAL.findall(line)) for line in lines)
    assert len(INTERVAL.findall(text)) == 4 * 2 + 4  # numbers of both, differences of one


def test_candidates_name_metrics_with_the_length_of_lists(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = np.random.default_rng(0)
    pairs = {
        (int(u), int(t))
        for u, t in zip(rng.integers(9, size=90), rng.integers(24, size=90), strict=True)
    }
    listens = pa.table(
        {"user_id": [f"u{u}" for u, _ in pairs], "track_id": [f"t{t:02d}" for _, t in pairs]}
    )
    protocol = Protocol(split="new-tracks", ks=(2, 5), bootstrap=20)
    found = evaluate_models(tracks(), listens, {}, protocol, against=("random", "popularity"))
    print_findings(found)
    text = capsys.readouterr().out
    for name in ("recall@5", "nDCG@5", "MRR@5", "hit rate@5", "coverage@5", "Gini@5"):
        assert name in text
    assert "@2" not in text
    assert re.search(r"random +popularity +[+-]\d\.\d{3} \[", text)
    assert not re.search(r"popularity +random", text)  # the same pair the other way round


def test_a_wide_table_goes_on_below_with_its_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(monkeypatch, 30)
    print_wide(["name", "one", "two"], [["a", "x" * 15, "y" * 15], ["b", "z", None]])
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    told = [line for line in lines if line[0] in ("a", "b")]
    assert told == [["a", "x" * 15], ["b", "z"], ["a", "y" * 15]]

"""Reasons say what is so, and nothing else."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from shelves_samples import MemoryCatalog, table, unit, vectors

from musicu.shelves import ShelfContext, build_shelf
from musicu.shelves.musical_keys import parse_key, relation
from musicu.shelves.shelf_reasons import Likeness, explain, sentence_of


def kinds(seed: dict[str, Any], track: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {reason.kind: reason.value for reason in explain(seed, track, None)}


def test_nothing_known_gives_no_reason() -> None:
    assert explain({}, {}, None) == ()
    assert sentence_of((), "Number 1.") == "Number 1."


@pytest.mark.parametrize(
    ("seed", "track", "expected"),
    [
        ({"artists": ["Ann"]}, {"artists": ["ANN feat. Bo"]}, {"artist": {"name": "ANN feat. Bo"}}),
        ({"artists": ["Various Artists"]}, {"artists": ["Various Artists"]}, {}),
        ({"genres": ["Jazz", "Folk"]}, {"genres": ["folk"]}, {"genres": {"names": ["folk"]}}),
        ({"genres": ["Jazz"]}, {"genres": ["Rock"]}, {}),
        ({"album": "Hits"}, {"album": "Hits"}, {}),
        ({"label": "Warp"}, {"label": "warp"}, {"label": {"name": "warp"}}),
        ({"label": ""}, {"label": ""}, {}),
        ({"bpm_tag": 120.0}, {"bpm_tag": 123.0}, {"tempo": {"bpm": 123.0, "seed_bpm": 120.0}}),
        ({"bpm_tag": 120.0}, {"bpm_tag": 123.5}, {}),
        ({"bpm_tag": 0.0}, {"bpm_tag": 0.0}, {}),
        ({"date": "1997"}, {"date": "1991-05"}, {"era": {"year": 1991, "seed_year": 1997}}),
        ({"date": "1999"}, {"date": "2000"}, {}),
        ({"date": "2019-12-30", "original_date": "1971"}, {"date": "2019-03"}, {}),
        ({"released": date(2019, 12, 31)}, {"date": "2020-04-01"}, {}),
    ],
)
def test_reason_is_given_only_where_it_holds(
    seed: dict[str, Any], track: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = kinds(seed, track)
    assert found == expected


def test_near_release_dates_need_the_day() -> None:
    near = kinds({"date": "2026-01-01"}, {"date": "2025-12-20"})
    assert near == {"released": {"date": "2025-12-20", "seed_date": "2026-01-01", "days": 12}}
    year_only = {"date": "2026", "released": date(2026, 1, 1)}
    assert kinds(year_only, {"date": "2026-01-02"}) == {"era": {"year": 2026, "seed_year": 2026}}


def test_shares_never_say_more_than_is_true() -> None:
    text = explain({}, {}, Likeness(0.9, 2, 5000, 0.99979))[0].text
    assert text == "closer in sound than 99.9 % of the catalog"
    assert explain({}, {}, Likeness(0.9, 90, 200, 0.5)) == ()


@pytest.mark.parametrize(
    ("likeness", "text"),
    [
        (Likeness(0.9, 1, 9, 8 / 9), "the closest in sound of the whole catalog"),
        (Likeness(0.9, 1, 9, 6 / 9), "as close in sound as any"),
        (Likeness(0.0, 1, 9, 8 / 9), None),
        (Likeness(-0.4, 2, 900, 0.9), None),
    ],
)
def test_closest_is_said_of_one_track_that_is_close(likeness: Likeness, text: str | None) -> None:
    assert [reason.text for reason in explain({}, {}, likeness)] == ([text] if text else [])


def test_names_in_a_sentence_are_short_and_on_one_line() -> None:
    names = {"genres": ["x" * 90], "label": "a\nb"}
    texts = [reason.text for reason in explain(names, names, None)]
    assert texts == [f"of the same genre ({'x' * 39}…)", "on the same label (a b)"]


def test_likeness_counts_what_is_nearer_and_farther() -> None:
    values = np.array([[1, 0], [1, 0.1], [1, 0.1], [0, 1], [-1, 0]], np.float32)
    found = ShelfContext(MemoryCatalog([{"track_id": t} for t in "sabcd"], values)).likeness(
        "s", "a"
    )
    assert found is not None
    assert (found.rank, found.others, found.closer_than) == (1, 4, 0.5)
    assert found.cosine == pytest.approx(1 / np.sqrt(1.01), abs=1e-6)


def test_item_carries_a_sentence_and_the_numbers_behind_it() -> None:
    rows = [
        {"track_id": "s", "artists": ["Ann"], "genres": ["Jazz"], "bpm_tag": 90.0, "key_tag": "Am"},
        {"track_id": "a", "artists": ["Ann"], "genres": ["Jazz"], "bpm_tag": 91.0, "key_tag": "C"},
        {"track_id": "b"},
    ]
    space = vectors(["s", "a", "b"], np.array([[1, 0], [1, 0.1], [0, 1]], np.float32))
    candidates = pa.table({"track_id": ["a", "b"], "score": [0.9, 0.1]})
    first, second = build_shelf(candidates, table(rows), space, seed="s")
    assert first.reason == (
        "By the same artist, the closest in sound of the whole catalog, of the same genre (Jazz) "
        "and at nearly the same tempo (91 BPM)."
    )
    assert [reason.kind for reason in first.reasons] == [
        "artist",
        "sound",
        "genres",
        "tempo",
        "key",
    ]
    assert first.reasons[4].value == {
        "key": "C major",
        "seed_key": "A minor",
        "relation": "relative",
    }
    assert second.reason == "A more distant match: the 2nd closest in sound of 2."


def test_track_without_a_vector_is_placed_by_its_score() -> None:
    candidates = pa.table({"track_id": ["a"], "score": [12.5]})
    space = vectors(["s"], np.array([[1, 0]], np.float32))
    shelf = build_shelf(candidates, table([{"track_id": "s"}, {"track_id": "a"}]), space, seed="s")
    assert shelf.items[0].reason == "Number 1 by its score, 12.5."


@pytest.mark.parametrize(
    ("rank", "text"),
    [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (33, "33rd")],
)
def test_places_are_spoken_as_people_do(rank: int, text: str) -> None:
    found = explain({}, {}, Likeness(0.5, rank, 90, 0.6))
    assert found[0].text == f"the {text} closest in sound of 90"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Am", "A minor"),
        ("A min", "A minor"),
        ("F#", "F# major"),
        ("Gb minor", "F# minor"),
        ("Bb maj", "Bb major"),
        ("Ebm", "Eb minor"),
        ("AM", "A major"),
        ("8A", "A minor"),
        ("8B", "C major"),
        ("1A", "Ab minor"),
        ("12b", "E major"),
        ("1m", "A minor"),
        ("1d", "C major"),
        ("H moll", "B minor"),
    ],
)
def test_keys_are_read_as_people_write_them(text: str, name: str) -> None:
    key = parse_key(text)
    assert key is not None
    assert key.name == name


@pytest.mark.parametrize("text", [None, "", "o", "13A", "0B", "X minor", "all"])
def test_what_is_no_key_is_none(text: str | None) -> None:
    assert parse_key(text) is None


@pytest.mark.parametrize(
    ("a", "b", "how"),
    [
        ("C", "C", "same"),
        ("C", "G", "fifth"),
        ("Dm", "Gm", "fifth"),
        ("Am", "C", "relative"),
        ("C", "Am", "relative"),
        ("C", "Cm", None),
        ("C", "D", None),
    ],
)
def test_neighbouring_keys(a: str, b: str, how: str | None) -> None:
    first, second = parse_key(a), parse_key(b)
    assert first is not None
    assert second is not None
    assert relation(first, second) == how


def test_of_a_large_catalog_a_sample_is_compared_and_never_says_more_than_is_true(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    values = unit(rng.normal(size=(4000, 6)).astype(np.float32))
    rows = [{"track_id": f"t{n}"} for n in range(len(values))]
    whole = ShelfContext(MemoryCatalog(rows, values))
    monkeypatch.setattr("musicu.shelves.seed_comparison.COMPARED", 1000)
    sampled = ShelfContext(MemoryCatalog(rows, values))
    for track in rng.choice(3999, 300, replace=False) + 1:
        exact, near = (c.likeness("t0", f"t{track}") for c in (whole, sampled))
        assert exact is not None and near is not None  # noqa: PT018
        assert near.rank is None
        assert near.cosine == pytest.approx(exact.cosine, abs=1e-6)
        assert exact.closer_than - 0.08 < near.closer_than <= exact.closer_than

"""Groups of creators and of listeners: what they are, and what an evaluation says of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musicu.errors import QueryError
from musicu.evaluation.recommendation import Protocol, Training, evaluate_models
from musicu.evaluation.recommendation.groups import activity_groups, given_groups
from musicu.items.creator_groups import CreatorGroups, creator_groups, groups_of_cells, track_groups

TRACKS, USERS = 24, 36
LABELS = ["big", "big", "small", "tiny", "big", "mid"]  # of a track, by its number modulo 6


def tracks() -> pa.Table:
    rows = range(TRACKS)
    return pa.table(
        {
            "track_id": [f"t{n:02}" for n in rows],
            "artists": [[f"a{n // 2}"] for n in rows],
            "label": [LABELS[n % 6] for n in rows],
            "genres": [["rock", "pop"] if n % 2 else None for n in rows],
            "released": pa.array([date(2024 - n % 8, 1, 1) for n in rows]),
        }
    )


def listens() -> pa.Table:
    """Six tracks each; five listeners hear the label "tiny", twenty "mid"."""
    user, track = [], []
    rng = np.random.default_rng(0)
    for number in range(USERS):
        most = {"tiny": 5, "mid": 20}
        may = [n for n in range(TRACKS) if number < most.get(LABELS[n % 6], USERS)]
        heard = rng.permutation(may)[: 6 + number % 3]
        user += [f"u{number:02}"] * len(heard)
        track += [f"t{n:02}" for n in heard]
    moment = 1_700_000_000 + rng.permutation(len(user)) * 86_400
    return pa.table({"user_id": user, "track_id": track, "timestamp": moment})


def test_groups_are_of_columns_lists_ages_and_tables(tmp_path: Path) -> None:
    table = tracks()
    heard = np.arange(TRACKS)
    by_label = creator_groups(table, "label", heard)
    assert by_label.names == ("big", "mid", "small", "tiny")
    assert by_label.mask("small").nonzero()[0].tolist() == list(range(2, TRACKS, 6))
    assert by_label.matrix().sum(axis=0).tolist() == [[12.0, 4.0, 4.0, 4.0]]
    genres = creator_groups(table, "genres", heard)
    assert genres.mask("rock").tolist() == genres.mask("pop").tolist()
    assert genres.mask("pop").sum() == TRACKS / 2  # the others have no group
    popularity = creator_groups(table, "popularity", heard)
    assert {name: popularity.mask(name).tolist() for name in popularity.names} == {
        name: mask.tolist() for name, mask in track_groups(heard).items()
    }
    ages = creator_groups(table, "release-age", heard, now=date(2024, 2, 1))
    assert [int(ages.mask(name).sum()) for name in ("new", "recent", "old")] == [3, 12, 9]
    pq.write_table(
        pa.table({"track_id": ["t01", "else"], "scene": ["x", "y"]}), tmp_path / "g.parquet"
    )
    given = creator_groups(table, tmp_path / "g.parquet", heard)
    assert (given.by, given.names, given.row.tolist()) == ("scene", ("x",), [1])


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("shape", "no column 'shape'"),
        (pa.table({"track_id": ["t01"]}), "track_id and one more"),
        (pa.table({"track_id": ["none"], "g": ["x"]}), "no track_id"),
        (pa.table({"track_id": ["t01"], "g": [None]}), "no track has a value"),
    ],
)
def test_groups_that_cannot_be_made_say_what_is_wrong(by: object, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        creator_groups(tracks(), by, np.arange(TRACKS))  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="the groups are 'big', 'mid', 'small', 'tiny'"):
        creator_groups(tracks(), "label", np.arange(TRACKS)).mask("huge")


def test_groups_of_few_listeners_are_folded() -> None:
    groups = groups_of_cells("label", ["a", "b", "c", ["b", "c"]])
    heard = np.zeros((30, 4), bool)
    heard[:20, 0], heard[:9, 1], heard[15:25, 2] = True, True, True

    def listeners(groups: CreatorGroups) -> np.ndarray:
        return ((heard @ groups.matrix().toarray()) > 0).sum(axis=0)

    folded, hidden = groups.folded(listeners, 10)
    assert (folded.names, hidden) == (("a", "other groups"), 2)  # c would tell of b by subtraction
    assert folded.mask("other groups").tolist() == [False, True, True, True]
    assert groups.folded(listeners, 9, most=1)[0].names == ("a", "other groups")
    assert groups.folded(listeners, 9) == (groups, 0)
    assert groups.folded(listeners, 21)[0].names == ()


def evaluated() -> object:
    def small_first(training: Training) -> object:
        liked = np.array([label == "small" for label in training.tracks["label"].to_pylist()])
        scores = liked[training.candidates].astype(np.float32) + 0.5
        return lambda users: np.tile(scores, (len(users), 1))

    users = [f"u{n:02}" for n in range(USERS)]
    country = ["is" if n % 2 else "no" for n in range(USERS - 4)] + ["fo"] * 4
    return evaluate_models(
        tracks(), listens(), {"small first": small_first},
        Protocol("leave-last-out", bootstrap=50, ks=(3,)),
        creators="label", listener_groups=pa.table({"user_id": users, "country": country}),
        against=["popularity"],
    )  # fmt: skip


def test_an_evaluation_shows_exposure_beside_listening_and_the_uplift(tmp_path: Path) -> None:
    found = evaluated()
    by_group = {
        (row["model"], row["tracks"], row["metric"]): row
        for row in found.to_table().to_pylist()
        if row["listeners"] == "all"
    }
    shown = by_group["small first", "label: small", "exposure share"]
    heard = by_group["small first", "label: small", "listening share"]
    over = by_group["small first", "label: small", "exposure over listening"]
    assert shown["value"] > 0.7
    assert 0.15 < heard["value"] < 0.3
    assert over["value"] == pytest.approx(shown["value"] - heard["value"])
    assert over["low"] <= over["value"] <= over["high"]
    popular = by_group["popularity", "label: small", "exposure share"]
    assert shown["difference"] == pytest.approx(shown["value"] - popular["value"])
    assert 0 < shown["diff_low"] < shown["difference"] < shown["diff_high"]
    names = {tracks for _, tracks, _ in by_group}
    assert not {"label: tiny", "label: mid"} & names  # mid would tell of tiny by subtraction
    assert "label: other groups" in names
    assert {"head", "tail", "cold"} <= names
    page = found.to_html(tmp_path / "page.html").read_text()
    assert "Exposure by creator group" in page
    assert "label: small" in page


def test_an_evaluation_shows_listener_groups_of_ten_and_more() -> None:
    found = evaluated()
    groups = set(found.to_table()["listeners"].to_pylist())
    assert {"light", "medium", "heavy", "niche", "mainstream"} <= groups
    assert "country: fo" not in groups
    assert any("listener group" in note for note in found.notes)
    assert any("creator group" in note for note in found.notes)


def test_a_small_listener_group_cannot_be_had_by_subtraction() -> None:
    users = [f"u{n}" for n in range(40)]
    table = pa.table({"user_id": users, "place": ["a"] * 20 + ["b"] * 12 + ["c"] * 8})
    groups, hidden = given_groups(table, users)
    assert {name: int(mask.sum()) for name, mask in groups.items()} == {
        "place: a": 20, "place: other groups": 20,
    }  # fmt: skip
    assert hidden == 2
    few = pa.table({"user_id": users[:12], "place": ["a"] * 8 + ["b"] * 4})
    assert given_groups(few, users) == ({}, 2)
    for wrong in (pa.table({"user_id": ["u1"]}), pa.table({"user_id": ["u1", "u1"], "x": [1, 2]})):
        with pytest.raises(QueryError):
            given_groups(wrong, users)


def test_activity_is_in_thirds() -> None:
    from scipy.sparse import csr_matrix

    history = csr_matrix(np.tri(9, 9, dtype=np.float32))
    groups = activity_groups(history, np.arange(9))
    assert {name: mask.nonzero()[0].tolist() for name, mask in groups.items()} == {
        "light": [0, 1, 2], "medium": [3, 4, 5], "heavy": [6, 7, 8],
    }  # fmt: skip

"""Splits leak nothing, baselines do what they say, and the whole way from a log to numbers."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musicu.errors import QueryError
from musicu.evaluation.labels import LabelGroups, TrackLabels
from musicu.evaluation.recommendation import (
    BASELINES,
    Findings,
    Protocol,
    Scorer,
    Training,
    evaluate_models,
    make_split,
    nearest_heard,
    offered,
    tag_vectors,
    write_training_part,
)
from musicu.evaluation.recommendation.content_scores import number_vectors
from musicu.evaluation.recommendation.evaluator import Ruler, top
from musicu.evaluation.recommendation.listening_log import Listening
from musicu.evaluation.recommendation.splits import Split

USERS, TRACKS = 40, 60
DAY = 86_400
MID = date(2024, 7, 1)
RELEASES = (date(2022, 1, 1), None, MID)


def catalog_table() -> pa.Table:
    """60 tracks of 20 artists, three each; genre and taste go by artist modulo 4."""
    artist = np.arange(TRACKS) // 3
    return pa.table(
        {
            "track_id": [f"t{i:02}" for i in range(TRACKS)],
            "artists": pa.array([[f"artist {a}"] for a in artist]),
            "genres": pa.array([[f"genre {a % 4}"] for a in artist]),
            "released": pa.array([RELEASES[i % 3] for i in range(TRACKS)]),
            "popularity": pa.array(np.linspace(0, 100, TRACKS)),
        }
    )


def log(seed: int = 0) -> pa.Table:
    """Everyone hears 12 tracks of one genre and 2 of any, on a day of 2024 each."""
    rng = np.random.default_rng(seed)
    genre = np.arange(TRACKS) // 3 % 4
    user, track = [], []
    for number in range(USERS):
        own = np.flatnonzero(genre == number % 4)
        heard = np.union1d(rng.permutation(own)[:12], rng.permutation(TRACKS)[:2])
        user += [f"u{number:02}"] * len(heard)
        track += [f"t{i:02}" for i in heard]
    day = rng.integers(366, size=len(user)) * DAY + 1_704_067_200
    return pa.table({"user_id": user, "track_id": track, "timestamp": day})


def split_of(**settings: object) -> Split:
    return make_split(catalog_table(), log(), Protocol(**settings))  # type: ignore[arg-type]


def evaluated(**settings: object) -> Findings:
    tracks = catalog_table()
    content = tag_vectors(tracks)
    models = {"mine": lambda training: nearest_heard(training, content)}
    protocol = Protocol(bootstrap=40, **settings)  # type: ignore[arg-type]
    return evaluate_models(tracks, log(), models, protocol, content=content)


SPLITS = [
    {"split": "time"},
    {"split": "new-artists"},
    {"split": "new-tracks", "among": "all"},
    {"split": "new-releases", "at": MID},
    {"split": "leave-last-out"},
]


@pytest.mark.parametrize("settings", SPLITS, ids=lambda s: s["split"])
def test_answers_are_candidates_that_the_training_part_does_not_hold(
    settings: dict[str, object],
) -> None:
    split = split_of(**settings)
    answers, history = split.answers.toarray(), split.history.toarray() > 0
    assert not (answers & history).any()
    assert not np.delete(answers, split.candidates, axis=1).any()
    assert answers[split.asked].any(axis=1).all()
    assert history[split.asked].any(axis=1).all()
    assert not np.delete(answers, split.asked, axis=0).any()
    known = {(row["user_id"], row["track_id"]) for row in split.training_listens().to_pylist()}
    users, tracks = split.listening.users, split.listening.tracks
    pairs = {(users[u], tracks[t]) for u, t in np.argwhere(history)}
    assert pairs == known


def test_new_artists_are_unheard_whole() -> None:
    split = split_of(split="new-artists")
    artists = np.arange(TRACKS) // 3
    new = np.unique(artists[split.candidates])
    assert len(new) == 4
    assert not np.isin(artists[split.history.nonzero()[1]], new).any()
    assert np.array_equal(split.candidates, np.flatnonzero(np.isin(artists, new)))


def test_a_track_is_new_where_any_of_its_artists_is() -> None:
    artists = LabelGroups([["a"], ["a", "b"], ["b"], ["c"], []])
    ids = pa.chunked_array([["0", "1", "2", "3", "4"]])
    pairs = [(f"u{u}", str(t)) for u in range(8) for t in range(5)]
    listens = pa.table({"user_id": [u for u, _ in pairs], "track_id": [t for _, t in pairs]})
    from musicu.evaluation.recommendation.splits import by_artists

    seen = set()
    for seed in range(20):
        split = by_artists(Listening.of(listens, ids), artists, share=0.25, seed=seed)
        heard = set(split.history.nonzero()[1].tolist())
        new = set(split.candidates.tolist())
        assert heard | new == set(range(5))
        assert not heard & new
        seen.add(tuple(sorted(new)))
    assert seen == {(0, 1), (1, 2), (3,), (4,)}


def test_by_time_learns_from_nothing_that_was_heard_later() -> None:
    cut = date(2024, 9, 1)
    split = split_of(split="time", at=cut)
    moment = datetime(2024, 9, 1, tzinfo=timezone.utc)
    assert max(split.training_listens()["timestamp"].to_pylist()) < moment
    rows = [row for row in log().to_pylist() if row["timestamp"] >= moment.timestamp()]
    later = {(row["user_id"], row["track_id"]) for row in rows}
    users, tracks = split.listening.users, split.listening.tracks
    assert {(users[u], tracks[t]) for u, t in np.transpose(split.answers.nonzero())} <= later


def test_by_time_holds_about_the_share_out() -> None:
    split = split_of(split="time", share=0.3)
    assert split.training.mean() == pytest.approx(0.7, abs=0.02)


def test_new_releases_are_placed_by_older_tracks() -> None:
    listens = log().drop_columns("timestamp")
    split = make_split(catalog_table(), listens, Protocol(split="new-releases", at=MID))
    assert split.candidates.tolist() == list(range(2, TRACKS, 3))
    assert not np.isin(split.history.nonzero()[1], split.candidates).any()
    assert split.training.sum() + split.answers.nnz == listens.num_rows
    assert split.notes == ()


def test_listens_after_the_release_day_are_not_learned_from() -> None:
    split = split_of(split="new-releases", at=MID)
    moment = datetime(2024, 7, 1, tzinfo=timezone.utc)
    assert max(split.training_listens()["timestamp"].to_pylist()) < moment
    assert "later listens of older tracks are not learned from" in split.notes[0]


def test_no_model_sees_a_popularity_of_unknown_date() -> None:
    split = split_of(split="new-artists")
    tracks = catalog_table()
    training = Training.of(split, tracks, TrackLabels.of(tracks), 0)
    assert training.tracks["popularity"].null_count == TRACKS
    assert training.tracks.drop_columns("popularity").equals(tracks.drop_columns("popularity"))


def test_a_playlist_counts_as_a_listener() -> None:
    playlists = log().select(["user_id", "track_id"]).rename_columns(["playlist_id", "track_id"])
    protocol = Protocol(split="new-releases", at=MID)
    placed = make_split(catalog_table(), playlists, protocol)
    heard = make_split(catalog_table(), log().drop_columns("timestamp"), protocol)
    assert (placed.answers != heard.answers).nnz == 0
    assert (placed.history != heard.history).nnz == 0


def test_the_future_changes_no_score() -> None:
    """Fitted on logs that differ in the other part only, every baseline says the same."""
    from musicu.evaluation.recommendation.baselines import baselines

    tracks = catalog_table()
    protocol = Protocol(split="time", at=date(2024, 9, 1))
    listens = log()
    late = np.array(listens["timestamp"].to_pylist()) >= 1_725_148_800
    changed = listens.set_column(
        1,
        "track_id",
        pa.array(np.where(late, "t00", np.array(listens["track_id"].to_pylist(), object))),
    )
    content = tag_vectors(tracks)
    for name, model in baselines(content).items():
        scores = []
        for table in (listens, changed):
            split = make_split(tracks, table, protocol)
            training = Training.of(split, tracks, TrackLabels.of(tracks), 0)
            scores.append(model(training)(np.arange(USERS)))
        assert np.array_equal(*scores), name


def test_attention_tells_the_listeners_of_one_artist_apart() -> None:
    """An artist makes x and y for two audiences; what is new sounds like x."""
    from musicu.evaluation.recommendation.baselines import artist_attention, artist_mean

    tracks = pa.table({"track_id": ["x", "y", "new", "other"], "artists": [["a"]] * 3 + [["b"]]})
    heard = {"x": range(100), "y": range(100, 200), "other": [0, 100], "new": [0, 100]}
    rows = [(f"u{user:03}", track) for track, users in heard.items() for user in users]
    listens = pa.table(dict(zip(("user_id", "track_id"), zip(*rows, strict=True), strict=True)))
    labels = TrackLabels.of(tracks)
    listening = Listening.of(listens, tracks["track_id"])
    new = np.array([False, False, True, False])[listening.track]
    split = Split(
        name="new",
        about="",
        listening=listening,
        training=~new,
        history=listening.pairs(~new),
        answers=listening.pairs(new),
        asked=np.array([0, 100]),
        candidates=np.array([2]),
        notes=(),
    )
    training = Training.of(split, tracks, labels, 0)
    content = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], np.float32)
    mine, theirs = artist_attention(training, content)(split.asked)[:, 0]
    assert mine > theirs + 0.1
    mine, theirs = artist_mean(training)(split.asked)[:, 0]
    assert mine == pytest.approx(theirs, abs=0.05)


def test_equal_scores_give_everyone_the_same_list() -> None:
    split = split_of(split="new-artists")
    order = np.random.default_rng(0).permutation(len(split.candidates))
    scores = np.zeros((len(split.asked), len(split.candidates)), np.float32)
    lists = top(scores, split, split.asked, 5, order)
    assert (lists == split.candidates[order[:5]]).all()


def test_lists_hold_the_best_of_what_is_not_known() -> None:
    split = split_of(split="new-tracks", among="all")
    scores = np.random.default_rng(0).random((len(split.asked), TRACKS)).astype(np.float32)
    scores[:, 7] = -np.inf
    lists = top(scores, split, split.asked, TRACKS, np.arange(TRACKS))
    history = split.history.toarray()[split.asked] > 0
    for row, found in enumerate(lists):
        free = [t for t in np.argsort(-scores[row]) if not history[row, t] and t != 7]
        assert found[found >= 0].tolist() == free


def test_scores_that_are_no_numbers_are_refused() -> None:
    split = split_of(split="new-artists")
    ruler = Ruler(split, TrackLabels.of(catalog_table()).artists, (5,), 0, 0)
    shape = (len(split.asked), len(split.candidates))
    with pytest.raises(QueryError, match="scores that are NaN"):
        ruler.measure(lambda users: np.full(shape, np.nan, np.float32))
    with pytest.raises(QueryError, match=r"of shape \(3,\)"):
        ruler.measure(lambda users: np.zeros(3, np.float32))


def test_content_and_artists_find_what_they_should() -> None:
    new_artists = evaluated(split="new-artists", ks=(10,))
    assert new_artists.value("recall", 10, "mine") == pytest.approx(1, abs=0.02)
    assert new_artists.value("recall", 10, "mine", tracks="cold") == pytest.approx(1, abs=0.02)
    assert new_artists.value("recall", 10, "mine", tracks="head") is None
    new_tracks = evaluated(split="new-tracks", ks=(5,))
    artist = new_tracks.value("recall", 5, "artist")
    chance = new_tracks.value("recall", 5, "random")
    assert artist is not None
    assert chance is not None
    assert artist > 1.5 * chance
    assert set(new_tracks.figures) == {"mine", *BASELINES}


def test_a_model_is_paired_with_itself_without_any_difference() -> None:
    rows = evaluated(split="new-artists", ks=(10,)).to_table().to_pylist()
    twin = [r for r in rows if r["model"] == "mine" and r["baseline"] == "content-knn"]
    assert twin
    for row in twin:
        assert row["difference"] == 0
        assert row["diff_low"] in (0, None)
    ahead = [r for r in rows if r["model"] == "mine" and r["baseline"] == "random"]
    recall = next(r for r in ahead if r["metric"] == "recall" and r["listeners"] == "all")
    assert recall["diff_low"] > 0
    assert recall["low"] <= recall["value"] <= recall["high"]


def test_lists_of_the_best_tracks_are_measured_like_the_model_that_made_them() -> None:
    tracks, listens = catalog_table(), log()
    content = tag_vectors(tracks)
    protocol = Protocol(split="new-artists", ks=(5,), bootstrap=0)
    split = make_split(tracks, listens, protocol)
    training = Training.of(split, tracks, TrackLabels.of(tracks), 0)
    scorer = nearest_heard(training, content)
    ruler = Ruler(split, TrackLabels.of(tracks).artists, (5,), 0, 0)
    lists, _ = ruler.lists(scorer)
    table = pa.table(
        {
            "user_id": np.repeat(split.listening.users[split.asked], 5),
            "track_id": split.listening.tracks[lists.ravel()],
            "score": np.tile(np.arange(5, 0, -1.0), len(lists)),
        }
    )
    doubled = pa.concat_tables(
        [table, table.set_column(2, "score", pa.array(np.zeros(len(table))))]
    )
    found = evaluate_models(
        tracks, listens, {"knn": lambda _: scorer, "file": offered("file", doubled)}, protocol
    )
    for ours, theirs in zip(found.figures["knn"], found.figures["file"], strict=True):
        assert ours.value == theirs.value, ours.metric


def test_what_is_not_offered_is_a_miss() -> None:
    tracks, listens = catalog_table(), log()
    protocol = Protocol(split="new-artists", ks=(5,), bootstrap=0)
    split = make_split(tracks, listens, protocol)
    user, track = (int(n[0]) for n in split.answers.nonzero())
    one = pa.table(
        {
            "user_id": [split.listening.users[user]],
            "track_id": [split.listening.tracks[track]],
            "score": [0.5],
        }
    )
    found = evaluate_models(tracks, listens, {"one": offered("one", one)}, protocol, against=())
    assert found.value("hit rate", 5, "one") == pytest.approx(1 / len(split.asked))
    assert found.value("coverage", 5, "one") == pytest.approx(1 / len(split.candidates))


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"user_id": ["u00"], "track_id": ["t00"]}, "no column 'score'"),
        ({"user_id": ["u00"], "track_id": ["t00"], "score": [float("nan")]}, "not a finite number"),
        ({"user_id": ["who"], "track_id": ["t00"], "score": [1.0]}, "no row of the candidates"),
    ],
)
def test_wrong_lists_are_refused(table: dict[str, list[object]], match: str) -> None:
    with pytest.raises(QueryError, match=match):
        evaluate_models(
            catalog_table(), log(), {"x": offered("x", pa.table(table))}, Protocol(bootstrap=0)
        )


def broken(training: Training) -> Scorer:
    raise AssertionError("never fitted")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"split": "sideways"}, "no split 'sideways'"),
        ({"split": "new-releases"}, "needs the day"),
        ({"split": "new-releases", "at": date(2030, 1, 1)}, "no track .* released from 2030"),
        ({"split": "time", "at": date(2030, 1, 1)}, "no listen is dated from 2030"),
        ({"split": "new-tracks", "share": 1.5}, "share held out is 1.5"),
        ({"split": "new-tracks", "among": "some"}, "among 'new' or 'all'"),
        ({"ks": (0,)}, "give one or more numbers from 1 on"),
        ({"listeners": 0}, "0 listeners are asked"),
    ],
)
def test_wrong_protocols_are_refused(settings: dict[str, object], match: str) -> None:
    protocol = Protocol(**settings)  # type: ignore[arg-type]
    with pytest.raises(QueryError, match=match):
        evaluate_models(catalog_table(), log(), {"x": broken}, protocol)


def test_wrong_logs_are_refused_or_counted() -> None:
    tracks = catalog_table()
    with pytest.raises(QueryError, match="no column 'user_id'"):
        make_split(tracks, log().drop_columns("user_id"), Protocol())
    with pytest.raises(QueryError, match="no timestamps"):
        make_split(tracks, log().drop_columns("timestamp"), Protocol())
    strange = log().set_column(1, "track_id", pa.array(["?"] * log().num_rows))
    with pytest.raises(QueryError, match="none of the"):
        make_split(tracks, strange, Protocol())
    more = pa.table({"user_id": ["u00"], "track_id": ["?"], "timestamp": [1_704_067_200]})
    split = make_split(tracks, pa.concat_tables([log(), more]), Protocol())
    assert any("1 listen of tracks that are not" in note for note in split.listening.notes)
    with pytest.raises(QueryError, match="name of a baseline"):
        evaluate_models(tracks, log(), {"als": broken}, Protocol())
    with pytest.raises(QueryError, match="no baseline 'best'"):
        evaluate_models(tracks, log(), {}, Protocol(), against=("best",))


def test_skips_are_neither_history_nor_answers() -> None:
    skipped = log().append_column("weight", pa.array([-1.0] + [1.0] * (log().num_rows - 1)))
    split = make_split(catalog_table(), skipped, Protocol())
    assert len(split.listening) == log().num_rows - 1
    assert any(note.startswith("1 skip") for note in split.listening.notes)


def test_fewer_listeners_are_a_draw_of_all() -> None:
    whole, some = split_of(split="new-artists"), split_of(split="new-artists", listeners=7)
    assert len(some.asked) == 7
    assert set(some.asked) < set(whole.asked)
    assert np.array_equal(some.answers[some.asked].toarray(), whole.answers[some.asked].toarray())


def test_the_training_part_on_disk_is_what_the_split_says(tmp_path: Path) -> None:
    split = split_of(split="new-artists")
    paths = write_training_part(split, tmp_path / "part")
    listens, asked, candidates = (pq.read_table(path) for path in paths)
    assert listens.equals(split.training_listens())
    assert asked["user_id"].to_pylist() == list(split.listening.users[split.asked])
    assert candidates["track_id"].to_pylist() == list(split.listening.tracks[split.candidates])


def test_json_holds_every_row_and_is_the_same_again() -> None:
    first, second = (evaluated(split="new-artists", ks=(5,)) for _ in range(2))
    document = json.loads(first.to_json())
    assert document == json.loads(second.to_json())
    assert document["format"] == 1
    assert len(document["rows"]) == first.to_table().num_rows
    assert document["about"]["candidates"] == 12


def test_the_page_stands_alone_and_names_stay_text(tmp_path: Path) -> None:
    hostile = '"><script>alert(1)</script>'
    tracks = catalog_table()
    content = tag_vectors(tracks)
    models = {hostile: lambda training: nearest_heard(training, content)}
    found = evaluate_models(tracks, log(), models, Protocol(bootstrap=20), content=content)
    text = found.to_html(tmp_path / "page.html").read_text("utf-8")
    assert "<script" not in text
    assert "src=" not in text
    assert "href=" not in text
    for figure in found.figures["als"]:
        assert figure.metric in text
    assert text.count("<circle") == 2 * len(found.figures)  # for wide screens and for narrow ones


def test_each_plot_fits_its_screen_with_every_name_in_it(tmp_path: Path) -> None:
    found = evaluated(split="new-artists", ks=(5,))
    text = found.to_html(tmp_path / "page.html").read_text("utf-8")
    plots = re.findall(
        r'<svg class="plot (\w+)" viewBox="-62 -24 (\d+) \d+"(.*?)</svg>', text, re.S
    )
    assert [screen for screen, _, _ in plots] == ["wide", "narrow"]
    assert int(plots[1][1]) <= 390
    for _, width, plot in plots:
        names = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="(start|end)">(.+?)<', plot)
        assert {name for _, _, name in names} == set(found.figures)
        for x, anchor, name in names:
            reach = 6.6 * len(name) * (1 if anchor == "start" else -1)
            assert -62 <= float(x) + reach <= int(width) - 62


def test_a_page_of_a_single_model_without_baselines_or_draws(tmp_path: Path) -> None:
    tracks = catalog_table()
    models = {"only": lambda training: nearest_heard(training, tag_vectors(tracks))}
    protocol = Protocol(split="new-artists", bootstrap=0, ks=(3,))
    found = evaluate_models(tracks, log(), models, protocol, against=())
    assert "Differences from baselines" not in found.to_html(tmp_path / "page.html").read_text(
        "utf-8"
    )
    assert found.to_table().column("low").null_count == found.to_table().num_rows


def test_tags_weigh_by_how_often_and_how_rare() -> None:
    tracks = pa.table(
        {
            "track_id": ["a", "b", "c", "d"],
            "artists": pa.array([["dub"]] * 4),  # who, not what
            "tags": pa.array([["Dub", "dub ", "live"], ["live"], None, ["noise", "live", "dub"]]),
        }
    )
    found = tag_vectors(tracks).toarray()  # columns: dub, live, noise
    plain = np.array([(1 + np.log(2)) * np.log(2), np.log(4 / 3), 0])
    assert found[0] == pytest.approx(plain / np.linalg.norm(plain))
    assert found[1].tolist() == [0, 1, 0]
    assert not found[2].any()
    with pytest.raises(QueryError, match="no track has a genre or tags"):
        tag_vectors(tracks.drop_columns("tags"))


def test_numbers_are_content_where_there_are_no_tags() -> None:
    rng = np.random.default_rng(0)
    tracks = pa.table(
        {
            "track_id": [f"t{n}" for n in range(30)],
            "energy": np.append(np.repeat([0.1, 0.9], 14), [np.nan, np.inf]),
            "tempo": 100 + rng.normal(size=30) + np.append(np.repeat([0, 40], 14), [0, 0]),
            "popularity": rng.random(30),
            "released": [date(2020, 1, 1)] * 30,
        }
    )
    vectors = number_vectors(tracks)
    assert vectors.shape == (30, 2)
    assert (vectors[:14] @ vectors[:14].T).min() > 0.9
    assert (vectors[:14] @ vectors[14:28].T).max() < -0.9
    with pytest.raises(QueryError, match="no track has a column of numbers"):
        number_vectors(tracks.select(["track_id", "popularity", "released"]))

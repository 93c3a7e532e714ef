"""A forgotten listener leaves no byte, and everything else is as if there had been none."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from musicu.catalog import files
from musicu.catalog.catalog import Catalog
from musicu.cli.app import app
from musicu.errors import CatalogError, QueryError, SourceError
from musicu.listening.feedback import FeedbackLog, feedback_log, read
from musicu.listening.listener_marks import ListenerMarks, read_marks
from musicu.listening.pseudonyms import KEY_FILE, listener_key, pseudonym_of
from musicu.players.player_links import every_player, links_of
from musicu.privacy import forget, forgetting
from musicu.privacy.listener_tables import remove_rows
from musicu.privacy.trained_models import trained_with

NOON = datetime(2026, 5, 21, 12, tzinfo=timezone.utc)
KEY = bytes(range(32))
GONE = "the-forgotten-one"
OTHERS = ["ann-of-norwich", "bob-the-baker", "cleo-from-cork"]


def made(folder: Path, tracks: int = 12) -> Path:
    """A catalog with vectors and a key."""
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "track_id": [f"t{n}" for n in range(tracks)],
            "title": [f"title {n}" for n in range(tracks)],
            "artists": [f"artist {n % 4}" for n in range(tracks)],
            "vector": list(rng.normal(size=(tracks, 8)).astype("f4")),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "tracks.parquet")
    out = folder / "catalog"
    words = ["scan", folder / "tracks.parquet", "-o", out, "--vectors", "vector"]
    assert run(*words, "--model-name", "mine").exit_code == 0
    (out / KEY_FILE).write_text(KEY.hex())
    return out


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("template"))


def copied(template: Path, to: Path) -> Path:
    import shutil

    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(template, to)
    return to


def event(number: int, user: str) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "user_id": user,
        "track_id": f"t{number % 12}",
        "kind": "played",
        "milliseconds": 1000 * number,
        "at": NOON + timedelta(seconds=number),
    }


def shown(number: int, user: str) -> dict[str, Any]:
    return {
        "exposure_id": f"x{number}",
        "page_id": f"p{number // 3}",
        "surface": "page",
        "shelf": "for-you",
        "shelf_position": 0,
        "item_position": number % 3,
        "track_id": f"t{number % 12}",
        "user_id": user,
        "policy": "given",
        "shown_at": NOON,
    }


def holding(folder: Path, *ids: str) -> list[str]:
    """Files with one of the ids in their bytes, or in a text of a table."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        told = path.read_bytes()
        if path.suffix == ".parquet":
            told += str(pq.read_table(path).to_pydict()).encode()
        if any(each.encode() in told for each in ids):
            found.append(path.relative_to(folder).as_posix())
    return found


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


#: What happens: a batch of events of listeners (0 the one to be forgotten), or a tidying.
_STEPS = st.lists(
    st.lists(st.integers(0, 3), min_size=1, max_size=6) | st.sampled_from(["settle", "compact"]),
    max_size=8,
)


def live(catalog: Path, steps: list[Any], without: bool) -> None:
    """Write what happened, with or without the listener who will be forgotten."""
    number = 0
    people = [GONE, *OTHERS]
    with FeedbackLog(catalog) as log:
        for step in steps:
            if isinstance(step, str):
                getattr(log.outcomes, step)()
                continue
            batch = []
            for who in step:
                number += 1
                if not (without and who == 0):
                    batch.append((number, people[who]))
            log.exposures.append([shown(*each) for each in batch])
            log.outcomes.append([event(*each) for each in batch])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS)
def test_tables_are_those_of_a_world_without_the_listener(
    template: Path, tmp_path: Path, steps: list[Any]
) -> None:
    with_, without = copied(template, tmp_path / "with"), copied(template, tmp_path / "without")
    live(with_, steps, without=False)
    live(without, steps, without=True)
    before = sum(read(with_, name).num_rows for name in ("exposures", "outcomes"))
    done = forget(Catalog.open(with_), [GONE])
    for name in ("exposures", "outcomes"):
        assert read(with_, name).equals(read(without, name))
    after = sum(read(with_, name).num_rows for name in ("exposures", "outcomes"))
    assert done.feedback_rows == before - after
    assert holding(with_, GONE, pseudonym_of(GONE, KEY)) == []
    assert done.leftovers == []


def test_names_are_nowhere_on_the_disk_and_two_keys_do_not_join(
    template: Path, tmp_path: Path
) -> None:
    one, other = copied(template, tmp_path / "one"), copied(template, tmp_path / "other")
    (other / KEY_FILE).unlink()  # it gets a new one
    for catalog in (one, other):
        live(catalog, [[0, 1, 2, 3]], without=False)
        assert holding(catalog, GONE, *OTHERS) == []
    ids = [set(read(each, "outcomes")["user_id"].to_pylist()) for each in (one, other)]
    assert len(ids[0]) == len(ids[1]) == 4
    assert not ids[0] & ids[1]
    assert (other / KEY_FILE).stat().st_mode & 0o077 == 0


def listens(people: list[str]) -> pa.Table:
    rng = np.random.default_rng(5)
    rows = [
        (user, f"t{track}", NOON + timedelta(minutes=float(minute)), 1.0)
        for user in people
        for minute, track in enumerate(rng.integers(0, 12, 30))
    ]
    names = ("user_id", "track_id", "timestamp", "weight")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return pa.table(columns)


def test_tables_inside_and_given_lose_the_listener_and_keep_the_others(
    template: Path, tmp_path: Path
) -> None:
    catalog = copied(template, tmp_path / "catalog")
    everyone, others = listens([GONE, *OTHERS]), listens([GONE, *OTHERS]).slice(30)
    pq.write_table(everyone, catalog / "listens.parquet")
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    ours = everyone.replace_schema_metadata({"musicu.model": "mine"})
    pq.write_table(ours, outside / "deep" / "found.parquet")
    text = "\ufeffunit;arm\r\n" + "".join(
        f'{user};"a\r\nb"\r\n' for user in (OTHERS[0], GONE, pseudonym_of(GONE, KEY), OTHERS[1])
    )
    (outside / "arms.csv").write_bytes(text.encode())
    done = run("forget", catalog, GONE, "--also", outside, "--json")
    assert done.exit_code == 0, done.output
    removed = json.loads(done.stdout)["tables"]
    assert {Path(path).name: rows for path, rows in removed.items()} == {
        "listens.parquet": 30,
        "found.parquet": 30,
        "arms.csv": 2,
    }
    assert pq.read_table(catalog / "listens.parquet").equals(others)
    found = pq.read_table(outside / "deep" / "found.parquet")
    assert found.equals(others)
    assert found.schema.metadata[b"musicu.model"] == b"mine"
    assert (outside / "arms.csv").read_bytes().decode() == "\ufeffunit;arm\r\n" + "".join(
        f'{user};"a\r\nb"\r\n' for user in OTHERS[:2]
    )
    assert holding(tmp_path, GONE, pseudonym_of(GONE, KEY)) == []
    again = run("forget", catalog, GONE, "--also", outside, "--json")
    assert json.loads(again.stdout)["tables"] == {}


def test_what_was_read_from_a_players_server_goes(template: Path, tmp_path: Path) -> None:
    catalog = copied(template, tmp_path / "catalog")
    for user in (GONE, OTHERS[0]):
        links = links_of(catalog, "https://music.example", pseudonym_of(user, KEY))
        rows = listens([links.user_id]).append_column("context", pa.nulls(30, pa.string()))
        links.listens = rows.cast(links.listens.schema)
        links.save()
    done = forget(Catalog.open(catalog), [GONE])
    assert done.rows == 30
    assert holding(catalog, GONE, pseudonym_of(GONE, KEY)) == []
    (left,) = every_player(catalog)
    assert left.user_id == pseudonym_of(OTHERS[0], KEY)
    assert left.listens.num_rows == 30


def test_a_gzipped_table_in_another_encoding_keeps_its_other_lines(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "plays.csv.gz"
    rows = ["user,title", "7,Où", "007,Ça", "7.0,Né"]
    path.write_bytes(gzip.compress("\n".join(rows).encode("cp1252")))
    with pytest.warns(UserWarning, match="1252"):
        assert remove_rows(path, ["7"], ["user"]) == 2
    assert gzip.decompress(path.read_bytes()).decode("cp1252") == "user,title\n007,Ça\n"


def test_a_file_that_cannot_be_written_again_is_named(template: Path, tmp_path: Path) -> None:
    catalog = copied(template, tmp_path / "catalog")
    (catalog / "page.html").write_text(f"<p>{GONE}</p>")
    pq.write_table(pa.table({"note": [f"asked by {GONE}"]}), catalog / "notes.parquet")
    words = ["forget", str(catalog), GONE]
    done = CliRunner().invoke(app, words, standalone_mode=False)
    assert done.return_value == 1
    assert "page.html still holds the id" in done.output
    assert "notes.parquet still holds the id" in done.output
    with pytest.raises(SourceError, match="cannot be written again"):
        forget(Catalog.open(catalog), [GONE], [catalog / "page.html"])
    with pytest.raises(QueryError, match="name it with --column"):
        forget(Catalog.open(catalog), [GONE], [catalog / "notes.parquet"])
    with pytest.raises(QueryError, match="nobody is named"):
        forget(Catalog.open(catalog), [""])


def test_a_column_with_an_unusual_name_can_be_given(template: Path, tmp_path: Path) -> None:
    catalog = copied(template, tmp_path / "catalog")
    pq.write_table(pa.table({"who": [GONE, OTHERS[0]]}), tmp_path / "who.parquet")
    assert forget(Catalog.open(catalog), [GONE], [tmp_path / "who.parquet"], columns=["who"]).rows
    assert pq.read_table(tmp_path / "who.parquet")["who"].to_pylist() == OTHERS[:1]


def train(catalog: Path, kind: str, table: Path) -> None:
    rest = ["--steps", "1", "--dim", "6", "--name", "mine-tracks"] if kind == "tracks" else []
    done = run("train", kind, catalog, "--listens", table, *rest)
    assert done.exit_code == 0, (done.output, done.exception)


def test_models_say_whom_they_were_trained_with_without_holding_them(
    template: Path, tmp_path: Path
) -> None:
    catalog, table = copied(template, tmp_path / "catalog"), tmp_path / "listens.parquet"
    pq.write_table(listens([GONE, *OTHERS]), table)
    for kind in ("next", "tracks"):
        train(catalog, kind, table)
    opened = Catalog.open(catalog)
    names = [(m.name, m.certain) for m in trained_with(opened, [GONE], KEY)]
    assert names == [("mine-tracks", True), ("next", True)]
    assert list(trained_with(opened, ["somebody-else"], KEY)) == []
    assert [m.certain for m in trained_with(opened, ["somebody-else"], None)] == [False, False]
    assert holding(catalog, GONE, *OTHERS, *(pseudonym_of(u, KEY) for u in OTHERS)) == []
    marks = [set(read_marks(catalog / "models" / n).marks.tolist()) for n, _ in names]  # type: ignore[union-attr]
    assert len(marks[0]) == len(marks[1]) == 4
    assert not marks[0] & marks[1]  # they do not join

    done = run("forget", catalog, GONE)  # without its table nothing can be trained again
    assert "model next" in done.output
    assert "marked" in done.output
    assert list(trained_with(opened, [GONE], KEY)) == []
    listed = run("models", catalog)
    assert "model next was trained with 1 listener forgotten since" in listed.output


def test_a_model_that_is_trained_again_is_that_of_a_world_without_the_listener(
    template: Path, tmp_path: Path
) -> None:
    with_, without = copied(template, tmp_path / "with"), copied(template, tmp_path / "without")
    tables = tmp_path / "with.parquet", tmp_path / "without.parquet"
    pq.write_table(listens([GONE, *OTHERS]), tables[0])
    pq.write_table(listens([GONE, *OTHERS]).slice(30), tables[1])
    for catalog, table in zip((with_, without), tables, strict=True):
        for kind in ("next", "tracks"):
            train(catalog, kind, table)
    kept = run("forget", with_, GONE, "--refit")
    assert "still holds the listener: give it with --also" in kept.output
    assert "forgotten since" in run("models", with_).output
    done = run("forget", with_, GONE, "--refit", "--also", tables[0])
    assert done.output.count("trained again without the listener") == 2, done.output
    for name in ("next/model.safetensors", "mine-tracks/network.safetensors"):
        one, other = (load_file(each / "models" / name) for each in (with_, without))
        assert {k: v.tolist() for k, v in one.items()} == {k: v.tolist() for k, v in other.items()}
    assert list(trained_with(Catalog.open(with_), [GONE], KEY)) == []
    assert "forgotten" not in run("models", with_).output


def test_the_models_of_a_copy_are_trained_again_in_the_copy(template: Path, tmp_path: Path) -> None:
    first, table = copied(template, tmp_path / "first"), tmp_path / "listens.parquet"
    pq.write_table(listens([GONE, *OTHERS]), table)
    train(first, "next", table)
    copy = copied(first, tmp_path / "copy")
    before = (first / "models/next/model.json").read_bytes()
    done = run("forget", copy, GONE, "--refit", "--also", table)
    assert "trained again without the listener" in done.output, done.output
    assert (first / "models/next/model.json").read_bytes() == before
    assert list(trained_with(Catalog.open(copy), [GONE], KEY)) == []
    assert [m.name for m in trained_with(Catalog.open(first), [GONE], KEY)] == ["next"]


def test_a_model_without_marks_may_have_learned_from_anybody(
    template: Path, tmp_path: Path
) -> None:
    catalog, table = copied(template, tmp_path / "catalog"), tmp_path / "listens.parquet"
    pq.write_table(listens(OTHERS), table)
    train(catalog, "tracks", table)
    (catalog / "models" / "mine-tracks" / "listeners.parquet").unlink()
    found = list(trained_with(Catalog.open(catalog), [GONE], KEY))
    assert [(m.name, m.certain, m.command) for m in found] == [("mine-tracks", False, ())]
    (catalog / "models" / "of-another-kind").mkdir()
    (catalog / "models" / "of-another-kind" / "weights.json").write_text("[1]")
    found = list(trained_with(Catalog.open(catalog), [GONE], KEY))
    assert [m.name for m in found] == ["mine-tracks", "of-another-kind"]


def test_marks_come_back_as_they_were(tmp_path: Path) -> None:
    marks = ListenerMarks.of(OTHERS, KEY, ["train", "next"])
    marks.without(OTHERS[:1], KEY).write(tmp_path)
    again = read_marks(tmp_path)
    assert again is not None
    assert (again.forgotten, again.command, len(again.marks)) == (1, ("train", "next"), 2)
    assert again.without([pseudonym_of(OTHERS[1], KEY)], KEY).forgotten == 2
    assert read_marks(tmp_path / "nowhere") is None


def test_what_was_killed_in_the_middle_is_finished_by_doing_it_again(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every file that is written, and with the half of a file that a kill leaves."""
    table = tmp_path / "listens.parquet"

    class Killed(BaseException):
        pass

    full = copied(template, tmp_path / "full")
    pq.write_table(listens([GONE, *OTHERS]), full / "inside.parquet")
    (full / "models" / "next").mkdir(parents=True)
    ListenerMarks.of([GONE, *OTHERS], KEY).write(full / "models" / "next")
    live(full, [[0, 1, 0], "settle", [0, 2], "settle", [1, 0]], without=False)

    def begin() -> Path:
        pq.write_table(listens([GONE, *OTHERS]), table)
        return copied(full, tmp_path / "catalog")

    catalog = begin()
    ids = (GONE, pseudonym_of(GONE, KEY))
    kills = 0
    while True:
        left = [kills]

        def replace(self: Path, target: Path, left: list[int] = left) -> Path:
            if left[0] == 0:
                half = self.with_name("000000000099-000000000099.parquet.tmp")
                if self.parent.parent.name == "feedback":
                    half.write_bytes(self.read_bytes() + ids[1].encode())
                raise Killed
            left[0] -= 1
            return Path(__import__("os").replace(self, target) or target)

        with monkeypatch.context() as patch:
            patch.setattr(files.Path, "replace", replace)
            try:
                forget(Catalog.open(catalog), [GONE], [table])
                break
            except Killed:
                kills += 1
        done = forget(Catalog.open(catalog), [GONE], [table])
        assert done.leftovers == []
        assert holding(catalog, *ids) == []
        assert holding(tmp_path / "catalog", *ids) == []
        assert GONE not in pq.read_table(table)["user_id"].to_pylist()
        assert not list(trained_with(Catalog.open(catalog), [GONE], KEY))
        catalog = begin()
    assert kills >= 5


def test_a_half_written_line_of_a_journal_goes_too(template: Path, tmp_path: Path) -> None:
    catalog = copied(template, tmp_path / "catalog")
    with FeedbackLog(catalog):
        pass
    torn = catalog / "feedback" / "outcomes" / feedback_log.journal_name(1)
    torn.write_bytes(b'12345678 [["e1"],["' + pseudonym_of(GONE, KEY).encode())
    assert forget(Catalog.open(catalog), [GONE]).leftovers == []
    assert holding(catalog, pseudonym_of(GONE, KEY)) == []


def test_while_somebody_writes_nothing_is_forgotten_by_half(template: Path, tmp_path: Path) -> None:
    catalog = copied(template, tmp_path / "catalog")
    with FeedbackLog(catalog):
        with pytest.raises(CatalogError, match="another process is writing"):
            forget(Catalog.open(catalog), [GONE])
        told = run("forget", catalog, GONE)
    assert "DELETE /listeners/NAME" in str(told.exception)


def test_nobody_is_forgotten_by_a_name_that_only_looks_alike(
    template: Path, tmp_path: Path
) -> None:
    catalog = copied(template, tmp_path / "catalog")
    live(catalog, [[0, 1, 2]], without=False)
    before = read(catalog, "outcomes")
    done = run("forget", catalog, GONE.upper())
    assert done.exit_code == 0
    assert "no file and no model knows" in done.output
    assert read(catalog, "outcomes").equals(before)
    listener_key(catalog / KEY_FILE)
    assert forgetting.KEY_FILE == KEY_FILE


def test_feedback_expires_by_command(template: Path, tmp_path: Path) -> None:
    catalog = copied(template, tmp_path / "catalog")
    now = datetime.now(timezone.utc)
    with FeedbackLog(catalog) as log:
        for number, days in enumerate((0.1, 29, 31, 400)):
            log.outcomes.append([event(number, GONE) | {"at": now - timedelta(days=days)}])
    done = run("feedback", "expire", catalog, "--days", 30)
    assert "removed: 2 rows" in done.output
    assert read(catalog, "outcomes")["event_id"].to_pylist() == ["e0", "e1"]
    assert run("feedback", "expire", catalog, "--days", 0).exit_code == 2

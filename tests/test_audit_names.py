"""Files of one recording whose tags contradict each other are named, with which is likely right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from musicu.audit import Audit
from musicu.audit.clean import clean_table
from musicu.audit.name_checks import contradict, name_findings
from musicu.catalog.schema import METADATA
from musicu.pipeline.describe import FillReport

Row = dict[str, Any]


def row(path: str, recording: str | None = None, **tags: Any) -> Row:
    nothing = dict.fromkeys(METADATA.names)
    more = {"track_id": path, "path": path, "root": "/m", "path_bytes": None}
    return {**nothing, **more, "content_hash": path, "recording_id": recording, **tags}


def called(title: str | None, artist: str | None = "Ann", **tags: Any) -> Row:
    return row("a.flac", title=title, artists=[artist] if artist else None, **tags)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (called("Beach", "Diarmuid"), called("Cabin Fever", "HoliznaCC0")),
        (called("Beach", "Diarmuid"), called("Beach", "HoliznaCC0")),
        (called("Beach"), called("Cabin Fever")),
        (called("Cave"), called("Cave 2")),
        (called("Dark 1"), called("Dark 2")),
        (called("Beach", None), called("Cabin Fever", None)),
    ],
)
def test_other_artists_and_other_titles_contradict(one: Row, other: Row) -> None:
    assert contradict(one, other)
    assert contradict(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (called("Beach"), called(None)),
        (called("Beach"), called("Track 07")),
        (called("Beach"), called("Beach", None)),
        (called("Beach"), called("Beach", "Unknown Artist")),
        (called("Beach"), called("BEACH (2011 Remaster)")),
        (called("Beach"), called("Beach (Live at Home)")),
        (called("Beach"), called("01 Beach")),
        (called("Beach"), called("Ann - Beach")),
        (called("Creepy Piano"), called("Creppy Piano")),
        (called("Beach"), called("Beach feat. Bo")),
        (called("Beach", "Ann & Bo"), called("Beach", "Bo")),
        (called("Help!", "The Beatles"), called("Help", "Beatles, The")),
        (called("Help!", "The Beatles"), called("Help!", "Beatles")),
        (called("Tere", "Beyoncé"), called("Tere", "Beyonce")),
        (called("Prelude", "Ishizaka", composers=["Bach"]), called("Prelude", "Bach")),
        (called("Beach", "Bo", album_artist="Ann"), called("Beach", "Ann")),
        (called("Музыка", "Анна"), called("Music", "Ann")),
        (called("Ìóçûêà"), called("Music")),
    ],
)
def test_spellings_versions_and_missing_tags_contradict_nothing(one: Row, other: Row) -> None:
    assert not contradict(one, other)
    assert not contradict(other, one)


def planted(folder: str) -> list[Row]:
    """Two albums in their folders, and a copy of a track of one under the name of the other."""
    albums = {
        "diarmuid/sound": ("Diarmuid", ["Beach", "Cliff", "Cave"]),
        "holizna/winter": ("HoliznaCC0", ["Cabin Fever", "First Snow"]),
    }
    rows = [
        row(f"{place}/{title}.opus", title=title, artists=[artist], album=place)
        for place, (artist, titles) in albums.items()
        for title in titles
    ]
    rows[0]["recording_id"] = "one"
    copy = row(f"{folder}/copy.flac", "one", title="Cabin Fever", artists=["HoliznaCC0"])
    return [*rows, {**copy, "codec": "flac", "genres": ["Lo-Fi"]}]


@pytest.mark.parametrize("folder", ["new", "holizna/winter", "diarmuid/sound"])
def test_a_copy_under_a_wrong_name_is_told_with_the_name_that_is_likely_right(folder: str) -> None:
    rows = planted(folder)
    (finding,) = name_findings(rows)
    assert finding.track_ids == ("diarmuid/sound/Beach.opus", f"{folder}/copy.flac")
    assert finding.text.startswith(
        "one recording is tagged 'Beach' by Diarmuid and 'Cabin Fever' by HoliznaCC0; "
        "likely 'Beach' by Diarmuid: another recording is called 'Cabin Fever' by HoliznaCC0"
    )
    assert finding.values["likely"] == "'Beach' by Diarmuid"


def test_the_folder_and_the_number_of_files_speak_for_a_name() -> None:
    rows = [one for one in planted("new") if one["path"] != "holizna/winter/Cabin Fever.opus"]
    (finding,) = name_findings(rows)
    why = ": 2 other files in its folder are of that artist or album"
    assert finding.text.endswith(f"likely 'Beach' by Diarmuid{why}")
    files = [row(f"{n}/x", "one", title=t) for n, t in enumerate(["Two", "One", "One"])]
    (finding,) = name_findings(files)
    assert finding.text.endswith("likely 'One': 2 of 3 files say so")


def test_where_nothing_tells_which_name_is_right_both_are_named() -> None:
    (finding,) = name_findings([row("a/x", "one", title="Two"), row("b/x", "one", title="One")])
    assert finding.text == (
        "one recording is tagged 'Two' and 'One'; nothing else in the catalog tells which is right"
    )
    assert finding.values["likely"] is None


def test_copies_of_one_name_and_recordings_of_several_are_no_finding() -> None:
    rows = planted("new")
    rows[-1].update(title="Beach (Remastered)", artists=["DIARMUID"])
    assert list(name_findings(rows)) == []


def test_the_clean_table_keeps_the_likely_name_and_takes_nothing_from_the_other() -> None:
    rows = planted("new")
    findings = tuple(name_findings(rows))
    by_id = {one["track_id"]: one for one in rows}
    kept = clean_table(Audit(Path("c"), findings, (), FillReport(), by_id)).to_pylist()
    assert len(kept) == len(rows) - 1
    (beach,) = (one for one in kept if one["title"] == "Beach")
    assert (beach["track_id"], beach["genres"]) == ("diarmuid/sound/Beach.opus", None)
    without = clean_table(Audit(Path("c"), (), (), FillReport(), by_id)).to_pylist()
    assert "Beach" not in {one["title"] for one in without}

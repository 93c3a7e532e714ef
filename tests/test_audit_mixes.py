"""A song, its instrumental and its other versions are recordings of their own; copies are one."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf
import soxr
from music import RATE, piece
from numpy.typing import NDArray
from prints import print_of, prints_of

from musicu.audio.encoding import CODECS, encode_and_decode
from musicu.audio.encoding import RATE as CODEC_RATE
from musicu.audit import audit
from musicu.audit.changes import SpectralChange, find_change
from musicu.audit.clean import clean_table
from musicu.audit.earlier_fingerprints import EARLIER_TABLE
from musicu.audit.grouping import group_recordings
from musicu.audit.recording_groups import one_version, read_fingerprints, said_kinds
from musicu.audit.recording_matches import Match, find_matches
from musicu.catalog.catalog import Catalog
from musicu.catalog.schema import FAILURES
from musicu.catalog.store import Change, Store
from musicu.features.fingerprint_codes import EARLIER, STEP_DB, BandLevels
from musicu.features.fingerprinting import FINGERPRINTS
from musicu.pipeline.describe import FillOptions
from musicu.pipeline.run import embed

Samples = NDArray[np.float32]
SECONDS = 24.0
FAINT_DB = -9.0
TODAY = date(2026, 11, 21)


@functools.cache
def band(seed: int = 1) -> Samples:
    """Several instruments at once: no gaps, all bands busy."""
    return sum((piece(10 * seed + i, SECONDS) for i in range(4)), np.zeros(1, np.float32)) / 4


def lead(seed: int, db: float, backing: Samples) -> Samples:
    """A lead of long tones with vibrato at a level against the backing."""
    rng = np.random.default_rng(seed)
    t = np.arange(len(backing)) / RATE
    pitch = np.repeat(220 * 2 ** (rng.integers(0, 20, len(t) // RATE + 1) / 12), RATE)[: len(t)]
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.01 * np.sin(2 * np.pi * 5.5 * t))) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 12))
    level = np.sqrt(np.mean(backing**2) / np.mean(tone**2)) * 10 ** (db / 20)
    return (level * tone).astype(np.float32)


def copy(samples: Samples, codec: str, gain: float = 0.5, cut: int = 30_000) -> Samples:
    """The sound of a lossy file of it, at another level, with its beginning cut."""
    wide = soxr.resample(samples[cut:] * np.float32(gain), RATE, CODEC_RATE)
    return np.asarray(
        soxr.resample(encode_and_decode(wide, CODECS[codec]), CODEC_RATE, RATE), np.float32
    )


def groups(*recordings: Samples) -> list[set[int]]:
    prints = prints_of(*recordings)
    owner = group_recordings(prints, find_matches(prints), lambda a, b: True)
    found: dict[str, set[int]] = {}
    for name, head in owner.items():
        found.setdefault(head, set()).add(int(name[1:]))
    return sorted(found.values(), key=min)


@pytest.mark.parametrize("db", [-7.5, -5.0, -2.5, 0.0, 2.5])
def test_a_lead_over_a_backing_makes_another_recording_at_any_level(db: float) -> None:
    backing = band()
    one, other = (backing + lead(seed, db, backing) for seed in (1, 2))
    assert groups(backing, one, other) == [{0}, {1}, {2}]


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_copies_of_each_mix_are_found_and_nothing_else(codec: str) -> None:
    backing = band()
    mixes = [backing, *(backing + lead(seed, -4.0, backing) for seed in (1, 2))]
    copies = [copy(mix, codec) for mix in mixes]
    assert groups(*mixes, *copies) == [{0, 3}, {1, 4}, {2, 5}]


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x * np.float32(0.2),
        lambda x: np.clip(x * np.float32(1.6), -0.6, 0.6),
        lambda x: x[5000:],
        lambda x: x + np.float32(0.003) * np.random.default_rng(0).standard_normal(len(x)),
        lambda x: np.convolve(x, [1.0, -0.5])[: len(x)].astype(np.float32),
    ],
    ids=["level", "clipping", "trim", "noise", "equaliser"],
)
def test_what_is_done_to_a_copy_changes_nothing(change: Callable[[Samples], Samples]) -> None:
    samples = band()
    a, b = (print_of(x.astype(np.float32)).spectra for x in (samples, change(samples)))
    assert a is not None
    assert b is not None
    found = [change for o in (0, 1, 2) if (change := find_change(a, b, o)) is not None]
    assert min(change.share for change in found) < 0.04


def test_one_verse_that_was_sung_anew_is_another_recording() -> None:
    backing = band()
    sung = backing + lead(1, -2.0, backing)
    other = sung.copy()
    verse = slice(RATE * 10, RATE * 16)
    other[verse] = (backing + lead(2, -2.0, backing))[verse]
    assert groups(sung, other) == [{0}, {1}]


def match(first: str, second: str, share: float) -> Match:
    return Match(first, second, True, 0.0, SECONDS, 0.05, SpectralChange(share, share))


def test_two_recordings_are_not_one_through_a_third() -> None:
    prints = prints_of(*(piece(seed, 10.0) for seed in range(3)))
    chain = [match("h0", "h1", 0.01), match("h1", "h2", 0.02)]
    apart = [*chain, match("h0", "h2", 0.1)]
    for matches in (chain, apart):  # the third pair is compared where it never was
        owner = group_recordings(prints, matches, lambda a, b: True)
        assert owner == {"h0": "h0", "h1": "h0", "h2": "h2"}
    whole = [*chain, match("h0", "h2", 0.01)]
    assert set(group_recordings(prints, whole, lambda a, b: True).values()) == {"h0"}
    for order in itertools.permutations(apart):
        assert group_recordings(prints, order, lambda a, b: True) == owner


def test_two_damaged_copies_of_one_original_are_one_where_they_differ_a_little_more() -> None:
    prints = prints_of(*(piece(seed, 10.0) for seed in range(3)))
    near = [match("h0", "h1", 0.01), match("h0", "h2", 0.02), match("h1", "h2", 0.07)]
    assert set(group_recordings(prints, near, lambda a, b: True).values()) == {"h0"}
    both_far = [match("h0", "h1", 0.01), match("h0", "h2", 0.06), match("h1", "h2", 0.07)]
    owner = group_recordings(prints, both_far, lambda a, b: True)
    assert owner == {"h0": "h0", "h1": "h0", "h2": "h2"}


def test_a_third_pair_is_compared_at_the_offset_that_the_others_tell() -> None:
    samples = band()
    parts = [samples, samples[RATE:], samples[2 * RATE :]]
    prints = prints_of(*parts)
    told = [m for m in find_matches(prints) if {m.first, m.second} != {"h0", "h2"}]
    assert len(told) == 2
    assert set(group_recordings(prints, told, lambda a, b: True).values()) == {"h0"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Song", "Song (Instrumental)"),
        ("Song", "Song Karaoke Version"),
        ("Song (A Cappella)", "Song"),
        ("Song - Acapella", "Song - Instrumental"),
        ("Song", "Song [Live at Wembley]"),
        ("Song", "Song (Radio Edit)"),
        ("Song", "Song - Demo"),
        ("Song", "Song (Album Version)"),
        ("Song", "Song - 2011 Remaster"),
        ("Song", "Song (Instrumentalversion)"),
    ],
)
def test_titles_that_name_versions_keep_recordings_apart(first: str, second: str) -> None:
    assert not one_version({"a": [{"title": first}], "b": [{"title": second}]}, "a", "b")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Song", "Lied"),
        ("Live and Let Die", "Live And Let Die"),
        ("Song (Live)", "Song - Live at Wembley"),
        ("Song", None),
        ("Alive", "Editorial"),
        ("Song (feat. Bob)", "Song"),
    ],
)
def test_other_titles_keep_nothing_apart(first: str, second: str | None) -> None:
    assert one_version({"a": [{"title": first}], "b": [{"title": second}]}, "a", "b")


def test_words_within_words_name_no_version() -> None:
    assert said_kinds("Delivered, Demolition, Shortcut, Mixture") == frozenset()


def test_without_spectra_the_same_sound_is_probable_and_never_certain() -> None:
    samples = band()
    prints = prints_of(samples, samples * np.float32(0.5), spectra=False)
    (found,) = find_matches(prints)
    assert (found.change, found.certain, found.probable) == (None, False, True)
    owner = group_recordings(prints, [found], lambda a, b: True)
    assert owner == {"h0": "h0", "h1": "h1"}


def test_spectra_come_back_within_half_a_step() -> None:
    rng = np.random.default_rng(0)
    energies = (10 ** rng.uniform(-1.5, 0, (50, 33))).astype(np.float32)
    energies[:, 32] = 0
    back = BandLevels.of(energies).energies()
    assert back.shape == (50, 32)
    off = 10 * np.log10(back / back.max() / (energies[:, :32] / energies.max()))
    assert np.abs(off).max() <= STEP_DB / 2 + 0.5
    assert not BandLevels.of(np.zeros((3, 33), np.float32)).energies().any()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song, its instrumental, a copy of the song, and the song with a faint second voice."""
    folder = tmp_path_factory.mktemp("mixes")
    backing = band()
    song = backing + lead(1, -4.0, backing)
    faint = song.copy()
    faint[: 6 * RATE] += lead(3, FAINT_DB, backing)[: 6 * RATE]
    (folder / "music").mkdir()
    for name, samples in {"beat": backing, "song": song, "faint": faint}.items():
        sf.write(folder / f"music/{name}.flac", samples * np.float32(0.5), RATE)
    sf.write(folder / "music/song.ogg", song[20_000:] * np.float32(0.3), RATE)
    embed(folder / "music", folder / "catalog", model="musicu-stats-v1", jobs=1)
    return folder / "catalog"


def test_the_audit_drops_only_what_is_certain_and_says_how_sure_it_is(library: Path) -> None:
    found = audit(library, options=FillOptions(jobs=1), today=TODAY)
    paths = {i: row["path"] for i, row in found.rows.items()}
    (copies,) = found.of("duplicates")
    assert {paths[i] for i in copies.track_ids} == {"song.flac", "song.ogg"}
    assert 0.0 <= copies.values["changed_share"] < 0.065
    assert "they sound the same in" in copies.text
    for finding in found.of("alike"):
        assert "beat.flac" not in {paths[i] for i in finding.track_ids}
    kept = {Path(path).name for path in clean_table(found)["path"].to_pylist()}
    assert {"beat.flac", "faint.flac"} < kept
    assert len(kept) == 3
    json.loads(found.to_json())


def test_fingerprints_of_an_earlier_version_are_read_and_replaced_by_the_next_audit(
    library: Path,
) -> None:
    audit(library, options=FillOptions(jobs=1), today=TODAY)
    store = Store.open(library)
    now = store.read(FINGERPRINTS.table)
    assert now is not None
    gone = pq.read_table(library / store.manifest.tables["tracks"][0])["content_hash"]
    earlier = now.drop_columns(["levels", "peaks"])
    store.commit(
        [Change(EARLIER_TABLE, earlier), Change(FINGERPRINTS.table, now.slice(0, 0), replace=True)]
    )
    prints = read_fingerprints(Catalog.open(library))
    assert set(prints.hashes) == set(gone.to_pylist())
    assert all(m.change is None for m in find_matches(prints))
    found = audit(library, options=FillOptions(jobs=1), today=TODAY)
    assert found.fingerprinted.done == 4
    assert len(found.of("duplicates")) == 1
    left = Store.open(library).read(EARLIER_TABLE)
    assert left is None or left.num_rows == 0


def test_a_failure_of_the_earlier_set_does_not_outlive_the_new_one(library: Path) -> None:
    store = Store.open(library)
    track = Catalog.open(library).tracks().to_pylist()[0]
    told = {"track_id": track["track_id"], "path": track["path"], "model": EARLIER}
    row = told | {"stage": "describe", "reason": "too long", "content_hash": track["content_hash"]}
    row |= {"size_bytes": 1, "modified_ns": 1}
    table = pa.Table.from_pylist([row], schema=FAILURES)
    store.commit([Change("failures", table, replace=True)])
    found = audit(library, options=FillOptions(jobs=1), today=TODAY)
    assert not found.of("undescribed")
    assert Catalog.open(library).failures().num_rows == 0

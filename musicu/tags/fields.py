"""Tags and audio properties of a file, as METADATA columns.

The readers in `formats/` are our own, because tinytag 2.3 loses all tags to one damaged field,
mixes ARTIST with ARTISTS, miscounts genre numbers from 139 on, guesses the length of an MP3 from
its first frames, and reads neither APEv2, RF64 nor unsynchronised ID3.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from musicu.errors import AudioError
from musicu.tags.dates import parse_date
from musicu.tags.decoder import fill_from_decoder
from musicu.tags.entities import unescape
from musicu.tags.formats.ape import read_ape
from musicu.tags.formats.asf import read_asf
from musicu.tags.formats.chunks import read_chunks
from musicu.tags.formats.container import detect_container
from musicu.tags.formats.extent import AudioExtent, find_extent
from musicu.tags.formats.flac import read_flac
from musicu.tags.formats.id3 import read_id3v1, read_id3v2
from musicu.tags.formats.mp4 import read_mp4
from musicu.tags.formats.mpeg import read_adts, read_mpeg
from musicu.tags.formats.ogg import read_ogg
from musicu.tags.formats.raw_tags import RawTags, ignore_damage, plain, read_at

_R128_TO_REPLAYGAIN_DB = 5.0  # RFC 7845 refers to -23 LUFS, ReplayGain 2 to -18 LUFS
_MARKS = {
    b"wvpk": "wavpack", b"MAC ": "monkeys", b"MPCK": "musepack", b"MP+": "musepack",
    b"TTA1": "tta", b"\x0bw": "ac3", b".snd": "pcm",
}  # fmt: skip
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff ]+")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def read_tags(file: Path) -> dict[str, Any]:
    """The METADATA columns in a file's tags and headers; missing ones are left out.

    No picture is read, and a decoder is asked only where the headers give no length. Text is in
    NFC without control characters and surrounding space. `duration_seconds` and `bitrate_kbps` are
    as the headers state them, or the packets of a stream without.

    Raises AudioError where the file cannot be read.
    """
    try:
        with file.open("rb") as opened:
            raw = read_raw(opened)
    except OSError as error:
        raise AudioError(f"cannot be read: {error.strerror or error}") from error
    if raw.duration_seconds is None:
        fill_from_decoder(file, raw)
    return {**_metadata(raw.fields), **_properties(raw)}


def read_raw(file: BinaryIO) -> RawTags:
    """The fields and properties of a file; from damaged tags, as much as can be read."""
    raw = RawTags()
    extent = find_extent(file)
    with ignore_damage():
        _read_container(file, extent, raw)
    for tag in _tags_around(file, extent):
        raw.fill_from(tag)
    return raw


def _tags_around(file: BinaryIO, extent: AudioExtent) -> Iterator[RawTags]:
    """The tags before and after the audio, the richer ones first."""
    for offset, size in extent.id3v2:
        tag = RawTags()
        read_id3v2(file, offset, size, tag)
        yield tag
    for offset, size in extent.ape:
        tag = RawTags()
        read_ape(file, offset, size, tag)
        yield tag
    if extent.id3v1 is not None:
        tag = RawTags()
        read_id3v1(file, extent.id3v1, tag)
        yield tag


def _read_container(file: BinaryIO, extent: AudioExtent, raw: RawTags) -> None:
    kind = detect_container(file, extent)
    if kind == "mpeg":
        read_mpeg(file, extent, raw)
    elif kind == "flac":
        read_flac(file, extent, raw)
    elif kind == "ogg":
        read_ogg(file, raw)
    elif kind in ("wav", "aiff"):
        read_chunks(file, kind == "aiff", raw)
    elif kind == "mp4":
        read_mp4(file, raw)
    elif kind == "asf":
        read_asf(file, raw)
    elif kind == "adts":
        read_adts(file, extent, raw)
    else:
        head = read_at(file, extent.start, 4)
        raw.codec = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)


def _properties(raw: RawTags) -> dict[str, Any]:
    """The audio properties that are plausible."""
    found = {
        "codec": raw.codec,
        "bitrate_kbps": raw.bitrate_kbps,
        "sample_rate": raw.sample_rate,
        "channels": raw.channels,
        "bit_depth": raw.bit_depth,
        "duration_seconds": raw.duration_seconds,
    }
    whole = ("sample_rate", "channels", "bit_depth")
    return {
        name: value
        for name, value in found.items()
        if value and not (name in whole and int(value) >= 1 << 31)
    }


def _metadata(fields: dict[str, list[str]]) -> dict[str, Any]:
    """Columns from fields; of several field names for a column, the first with a value."""
    found: dict[str, Any] = {}
    for column, names, read in _COLUMNS:
        for name in names:
            texts = [text for text in map(clean, fields.get(plain(name), [])) if text]
            value = read(texts) if texts else None
            if value is not None:
                found[column] = value
                break
    date = parse_date(found["date"]) if "date" in found else None
    if date is not None:
        day = re.fullmatch(r"(\d\d)(\d\d)", (fields.get("daymonth") or [""])[0])
        if day and date.month is None:  # ID3v2.3: year and day-month in frames of their own
            date = parse_date(f"{date.year}-{day[2]}-{day[1]}") or date
        found["date"], found["released"] = date.text, date.first_day
    return found


def clean(text: str) -> str:
    """Text in NFC without HTML entities; control characters and lone surrogates become spaces."""
    return unicodedata.normalize("NFC", _UNSEEN.sub(" ", unescape(text))).strip()


def _first(texts: list[str]) -> str | None:
    return texts[0]


def _joined(texts: list[str]) -> str | None:
    return "; ".join(dict.fromkeys(texts))


def _language(texts: list[str]) -> str | None:
    known = [text for text in texts if text.lower() not in ("und", "xxx", "unknown")]
    return "; ".join(known) or None


def _several(texts: list[str]) -> list[str] | None:
    """All values, also of texts with several separated by "; "; "," "&" and "/" do not separate."""
    parts = [part.strip() for text in texts for part in re.split(r";\s+|;$", text)]
    return list(dict.fromkeys(part for part in parts if part)) or None


def _genres(texts: list[str]) -> list[str] | None:
    parts = [part.strip() for text in texts for part in text.split(";")]
    return list(dict.fromkeys(part for part in parts if part)) or None


def _count(texts: list[str]) -> int | None:
    """The number of a track or disc: "3", "03" or "3/12"; 0 stands for none."""
    match = re.match(r"(\d{1,9})\b", texts[0])
    return (int(match[1]) or None) if match else None


def _number(texts: list[str]) -> float | None:
    """The number at the start of a text; a comma counts as a decimal point."""
    match = re.match(r"[-+]?\d{1,9}(?:[.,]\d{1,9})?", texts[0])
    return float(match[0].replace(",", ".")) if match else None


def _positive(texts: list[str]) -> float | None:
    value = _number(texts)
    return value if value and value > 0 else None


def _gain(texts: list[str]) -> float | None:
    """A ReplayGain in dB: "-6.2 dB"."""
    value = _number(texts)
    return value if value is not None and abs(value) < 100 else None


def _r128_gain(texts: list[str]) -> float | None:
    """An R128 gain, Q7.8 in dB (RFC 7845, 5.2.1), as a ReplayGain."""
    if not re.fullmatch(r"[-+]?\d{1,5}", texts[0]):
        return None
    return int(texts[0]) / 256 + _R128_TO_REPLAYGAIN_DB


def _flag(texts: list[str]) -> bool | None:
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(
        texts[0].lower()
    )


def _explicit(texts: list[str]) -> bool | None:
    """iTunes' advisory: 1 (once 4) explicit, 2 cleaned, 0 neither."""
    return {"1": True, "4": True, "2": False, "0": False}.get(texts[0])


def _date(texts: list[str]) -> str | None:
    found = next(filter(None, map(parse_date, texts)), None)
    return found.text if found else None


def _isrc(texts: list[str]) -> str | None:
    """ISO 3901 without its hyphens: two letters, three of the registrant, seven digits."""
    codes = [re.sub(r"[\s-]", "", text).upper() for text in texts]
    return next((c for c in codes if re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", c)), None)


def _uuid(texts: list[str]) -> str | None:
    match = _UUID.search(texts[0])
    return match[0].lower() if match else None


def _uuids(texts: list[str]) -> list[str] | None:
    found = [match.lower() for text in texts for match in _UUID.findall(text)]
    return list(dict.fromkeys(found)) or None


#: Column, its field names in tags (best first), and the parser of its value.
_COLUMNS: list[tuple[str, tuple[str, ...], Callable[[list[str]], Any]]] = [
    ("title", ("title",), _first),
    ("artists", ("artists", "artist", "author", "performer"), _several),
    ("album_artist", ("albumartist", "ensemble"), _joined),
    ("album", ("album",), _first),
    ("track_number", ("tracknumber", "track"), _count),
    ("disc_number", ("discnumber", "disc"), _count),
    ("date", ("date", "releasedate", "year"), _date),
    ("original_date", ("originaldate", "originalyear", "originalreleasedate"), _date),
    ("genres", ("genre",), _genres),
    ("label", ("label", "publisher", "organization", "recordlabel"), _joined),
    ("composers", ("composer",), _several),
    ("language", ("language",), _language),
    ("bpm_tag", ("bpm", "tbpm", "tempo"), _positive),
    ("key_tag", ("initialkey", "key"), _first),
    ("isrc", ("isrc",), _isrc),
    ("musicbrainz_recording_id", ("musicbrainz_trackid", "musicbrainz_recordingid"), _uuid),
    ("musicbrainz_album_id", ("musicbrainz_albumid",), _uuid),
    ("musicbrainz_artist_ids", ("musicbrainz_artistid",), _uuids),
    ("replaygain_track_gain_db", ("replaygain_track_gain",), _gain),
    ("replaygain_track_gain_db", ("r128_track_gain",), _r128_gain),
    ("replaygain_track_peak", ("replaygain_track_peak",), _positive),
    ("replaygain_album_gain_db", ("replaygain_album_gain",), _gain),
    ("replaygain_album_gain_db", ("r128_album_gain",), _r128_gain),
    ("compilation", ("compilation", "itunescompilation"), _flag),
    ("explicit", ("itunesadvisory",), _explicit),
]

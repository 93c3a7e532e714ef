"""Why a track is on the shelf: what its score is made of, in words and in numbers.

A score is a sum. The cosine of two vectors is most of it; whatever else two tracks share adds the
points of `POINTS`. Every reason is a part of that sum and says how much it is worth, so a track
without the thing that its reason names would score that much less. What adds nothing is not
said, and what could not be told is not added.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from musicu.catalog.identity import Row, artist_keys, fold
from musicu.catalog.words import one_line
from musicu.shelves.character import MIN_CONFIDENCE, Character, known
from musicu.shelves.musical_keys import Key, parse_key, relation
from musicu.tags.dates import parse_date

#: Days between two releases, and beats per minute between two tempi, that still count as near.
NEAR_DAYS = 60
NEAR_BPM = 3.0
#: A likeness below this share of the catalog is no reason.
CLOSE_SHARE = 0.5
#: What each thing in common is worth at most, beside a cosine that goes to 1.
POINTS = {
    "artist": 0.04,
    "album": 0.02,
    "genres": 0.08,
    "tempo": 0.03,
    "key": 0.03,
    "character": 0.02,  # a word
    "label": 0.01,
    "released": 0.02,
    "era": 0.01,
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for a track.

    kind: "sound", "artist", "album", "genres", "label", "released", "era", "tempo", "key",
        "character", "source" (of a candidate), or what a recipe adds ("interest", "new", "seldom",
        "slot", "transition").
    value: the facts behind it, as plain values that go into JSON.
    text: the same for people, as part of a sentence.
    points: its part of the score.
    """

    kind: str
    value: dict[str, Any]
    text: str
    points: float = 0.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near a track's vector is to the seed's, among all tracks that have a vector.

    cosine: -1 to 1. rank: 1 is the nearest; None where only a sample of a large catalog was
    compared. others: tracks in comparison, the seed left out. closer_than: the share of the others,
    0 to 1, that are less near; of a sample a share that the true one is hardly ever below.
    of_sound: whether the vectors say how tracks sound, and nothing else.
    """

    cosine: float
    rank: int | None
    others: int
    closer_than: float
    of_sound: bool = True

    @property
    def close(self) -> str:
        """What a near track is close in."""
        return " in sound" if self.of_sound else ""


def explain(
    seed: Row, track: Row, likeness: Likeness | None, character: Character | None = None
) -> tuple[Reason, ...]:
    """Every reason that holds between the seed and a track, as people would name them first."""
    found = [
        _artist(seed, track),
        _album(seed, track),
        _sound(likeness),
        _genres(seed, track),
        _character(seed, track, character),
        _tempo(seed, track),
        _key(seed, track),
        _label(seed, track),
        _released(seed, track),
    ]
    return tuple(reason for reason in found if reason is not None)


def affinity(likeness: Likeness | None, reasons: Sequence[Reason]) -> float:
    """The score: the cosine, told or not, and the points of everything else."""
    cosine = 0.0 if likeness is None else likeness.cosine
    return cosine + sum(reason.points for reason in reasons if reason.kind != "sound")


def sentence_of(reasons: Sequence[Reason], fallback: str) -> str:
    """The strongest reasons as one sentence; `fallback` where there are none."""
    texts = [reason.text for reason in reasons if reason.text][:4]
    if not texts:
        return fallback
    words = texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
    return f"{words[0].upper()}{words[1:]}."


def parts_of(parts: Mapping[str, float]) -> tuple[Reason, ...]:
    """The parts of a ranker's score that speak for a track, the greatest first, as reasons.

    They have no text of their own: the candidate's sentence says what they are about.
    """
    found = [Reason(name, {}, "", points) for name, points in parts.items() if points > 0]
    return tuple(sorted(found, key=lambda reason: -reason.points))


def _sound(likeness: Likeness | None) -> Reason | None:
    if likeness is None or likeness.cosine <= 0:
        return None
    if likeness.rank != 1 and likeness.closer_than <= CLOSE_SHARE:
        return None
    value = {
        "cosine": round(likeness.cosine, 4),
        "rank": likeness.rank,
        "of": likeness.others,
        "closer_than": math.floor(likeness.closer_than * 1e4) / 1e4,
    }
    if likeness.rank == 1:
        alone = round(likeness.closer_than * likeness.others) == likeness.others - 1
        close = likeness.close
        text = f"the closest{close} of the whole catalog" if alone else f"as close{close} as any"
    elif likeness.others < 100:
        text = _placed(likeness)
    else:
        text = _share(likeness)
    return Reason("sound", value, text, likeness.cosine)


def distance_in_words(likeness: Likeness) -> str:
    """A sentence for a track that has nothing to speak for it but its place."""
    return f"A more distant match: {_placed(likeness)}."


def _placed(likeness: Likeness) -> str:
    """ "the 2nd closest in sound of 48", or a share of the catalog where no rank is known."""
    if likeness.rank is None:
        return _share(likeness)
    return f"the {ordinal(likeness.rank)} closest{likeness.close} of {likeness.others:,}"


def ordinal(rank: int) -> str:
    """1st, 2nd, 11th, 1,002nd."""
    tens, ones = divmod(rank, 10)
    ending = "th" if tens % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(ones, "th")
    return f"{rank:,}{ending}"


def _share(likeness: Likeness) -> str:
    percent = _floor_percent(likeness.closer_than)
    return f"closer{likeness.close} than {percent} % of the catalog"


def _floor_percent(share: float) -> str:
    """A share as a percentage that never says more than is true: 99.97 % becomes 99.9."""
    return f"{math.floor(share * 1000) / 10:g}" if share >= 0.99 else str(math.floor(share * 100))


def _artist(seed: Row, track: Row) -> Reason | None:
    shared = artist_keys(seed) & artist_keys(track)
    if not shared:
        return None
    names = [*(track.get("artists") or ()), track.get("album_artist") or ""]
    name = next((n for n in names if artist_keys({"artists": [n]}) & shared), "")
    return Reason("artist", {"name": name}, "by the same artist", POINTS["artist"])


def _album(seed: Row, track: Row) -> Reason | None:
    if not artist_keys(seed) & artist_keys(track) or not fold(track.get("album")):
        return None
    if fold(seed.get("album")) != fold(track.get("album")):
        return None
    return Reason("album", {"name": track["album"]}, "from the same album", POINTS["album"])


def _genres(seed: Row, track: Row) -> Reason | None:
    theirs = {fold(name) for name in seed.get("genres") or ()} - {""}
    shared: dict[str, str] = {}
    for name in track.get("genres") or ():
        if fold(name) in theirs:
            shared.setdefault(fold(name), name)
    if not shared:
        return None
    names = list(shared.values())
    noun = "genre" if len(names) == 1 else "genres"
    union = theirs | {fold(name) for name in track["genres"]} - {""}
    points = POINTS["genres"] * len(names) / len(union)
    return Reason("genres", {"names": names}, f"of the same {noun} ({_told(names[:3])})", points)


def _label(seed: Row, track: Row) -> Reason | None:
    if not fold(track.get("label")) or fold(seed.get("label")) != fold(track.get("label")):
        return None
    text = f"on the same label ({_told([track['label']])})"
    return Reason("label", {"name": track["label"]}, text, POINTS["label"])


def _told(names: Sequence[str]) -> str:
    """Names from tags as they stand in a sentence."""
    return ", ".join(one_line(name, 40) for name in names)


def _character(seed: Row, track: Row, character: Character | None) -> Reason | None:
    """Words that hold of both, of one end of a descriptor."""
    if character is None:
        return None
    shared = character.shared(seed, track)
    if not shared:
        return None
    words = list(shared.values())
    told = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    value = {"words": words, **{column: round(float(track[column]), 4) for column in shared}}
    return Reason("character", value, f"just as {told}", POINTS["character"] * len(words))


def tempo_of(track: Row) -> float | None:
    """Beats a minute: as tagged, else as estimated with confidence."""
    return track.get("bpm_tag") or known(track, "tempo_bpm")


def key_of(track: Row) -> Key | None:
    """The key: as tagged, else as estimated with confidence."""
    tagged = parse_key(track.get("key_tag"))
    if tagged is not None or (track.get("key_confidence") or 0.0) < MIN_CONFIDENCE:
        return tagged
    return parse_key(track.get("key"))


def _tempo(seed: Row, track: Row) -> Reason | None:
    mine, theirs = tempo_of(track), tempo_of(seed)
    if not mine or not theirs or not abs(mine - theirs) <= NEAR_BPM:
        return None
    value = {"bpm": round(mine, 2), "seed_bpm": round(theirs, 2)}
    points = POINTS["tempo"] * (1 - abs(mine - theirs) / (2 * NEAR_BPM))
    return Reason("tempo", value, f"at nearly the same tempo ({mine:.0f} BPM)", points)


def _key(seed: Row, track: Row) -> Reason | None:
    mine, theirs = key_of(track), key_of(seed)
    if mine is None or theirs is None or (how := relation(theirs, mine)) is None:
        return None
    value = {"key": mine.name, "seed_key": theirs.name, "relation": how}
    text = "in the same key" if how == "same" else "in a neighbouring key"
    points = POINTS["key"] / (1 if how == "same" else 2)
    return Reason("key", value, f"{text} ({mine.name})", points)


def _released(seed: Row, track: Row) -> Reason | None:
    """Days where both days are known and near; else a year or a decade in common."""
    a, b = day_of(seed), day_of(track)
    if a and b and abs((a - b).days) <= NEAR_DAYS:
        days = abs((a - b).days)
        text = "released on the same day" if days == 0 else f"released within {_days(days)}"
        value = {"date": b.isoformat(), "seed_date": a.isoformat(), "days": days}
        points = POINTS["released"] * (1 - days / (2 * NEAR_DAYS))
        return Reason("released", value, text, points)
    year, seed_year = _year(track), _year(seed)
    if year is None or seed_year is None or year // 10 != seed_year // 10:
        return None
    text = f"also from {year}" if year == seed_year else f"also from the {year // 10 * 10}s"
    return Reason("era", {"year": year, "seed_year": seed_year}, text, POINTS["era"])


def _days(count: int) -> str:
    return "a day of it" if count == 1 else f"{count} days of it"


def day_of(track: Row) -> date | None:
    """The day of release where it is known to the day."""
    if track.get("date") is None:
        released: date | None = track.get("released")
        return released
    known = parse_date(track["date"])
    return known.first_day if known and known.day is not None else None


def _year(track: Row) -> int | None:
    """The year of the recording: of its first release where that is known."""
    text = track.get("original_date") or track.get("date") or str(track.get("released") or "")
    known = parse_date(text)
    return known.year if known else None

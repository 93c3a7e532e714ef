"""Pages as bytes: the JSON that is answered, and the exposures that say what was shown.

A shelf is encoded once, with marks where each page served has something of its own: its id, the
place of the shelf, the propensity of that place, the moment, the listener. JSON escapes control
characters, so a mark is nothing that a tag could hold.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from musicu.listening.history import micros
from musicu.serving.generation import public
from musicu.serving.listener_states import present
from musicu.serving.page_shelves import PageShelf

_PAGE, _PLACE, _PROPENSITY, _MOMENT, _USER = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"


@dataclass(frozen=True, slots=True)
class EncodedShelf:
    """A shelf with marks. answer: as a page holds it; exposures: a row of EXPOSURES an item."""

    shelf: PageShelf
    answer: bytes
    exposures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PageStamp:
    """What a page that is served has of its own.

    user: the listener's pseudonym. shown_at: microseconds since 1970.
    """

    page_id: str
    user: str
    shown_at: int

    @classmethod
    def now(cls, user: str) -> PageStamp:
        """The stamp of a page that is shown now."""
        return cls(secrets.token_hex(8), user, micros(present()))


def encode(shelf: PageShelf, policy: str, fingerprint: str, surface: str = "page") -> EncodedShelf:
    """A shelf, ready to be put on pages. policy: that which orders the shelves."""
    items, exposures = [], []
    for place, item in enumerate(shelf.shelf):
        exposure = b'"' + _PAGE + f'.{shelf.name}.{place}"'.encode()
        about = {
            "position": place,
            **public(dict(item.row)),
            "score": round(float(item.score), 6),
            "reason": item.reason,
        }
        items.append(b'{"exposure_id":' + exposure + b"," + _json(about)[1:])
        row = [  # in the order of EXPOSURES
            exposure,
            b'"' + _PAGE + b'"',
            _json(surface),
            _json(shelf.name),
            _PLACE,
            b"%d" % place,
            _json(item.track_id),
            b'"' + _USER + b'"',
            _json(policy),
            _json(fingerprint),
            _PROPENSITY,
            b"null",
            b"null",
            _MOMENT,
        ]
        exposures.append(b"[" + b",".join(row) + b"]")
    head = {
        "shelf": shelf.name,
        "title": shelf.shelf.title,
        "about": shelf.shelf.about,
        "seed": None if shelf.shelf.seed is None else shelf.shelf.seed.track_id,
    }
    start = _json(head)[:-1] + b',"position":' + _PLACE + b',"propensity":' + _PROPENSITY
    answer = start + b',"items":[' + b",".join(items) + b"]}"
    return EncodedShelf(shelf, answer, tuple(exposures))


def list_exposures(
    items: Sequence[dict[str, Any]], surface: str, policy: str, stamp: PageStamp
) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The items of a list with their `exposure_id`, and its rows of EXPOSURES, as JSON.

    For a list whose order is left to no chance: every propensity is 1.
    """
    named = [
        {"exposure_id": f"{stamp.page_id}.{surface}.{place}", **item}
        for place, item in enumerate(items)
    ]
    rows = [  # in the order of EXPOSURES
        [item["exposure_id"], stamp.page_id, surface, surface, 0, place, item["track_id"],
         stamp.user, policy, None, 1.0, None, None, stamp.shown_at]
        for place, item in enumerate(named)
    ]  # fmt: skip
    return named, [_json(row) for row in rows]


def page_bytes(
    shelves: Sequence[EncodedShelf],
    propensities: Sequence[float],
    stamp: PageStamp,
    about: dict[str, Any],
) -> bytes:
    """The answer: what `about` says, then the shelves in their order."""
    parts = [
        _filled(each.answer, stamp, place, propensity)
        for place, (each, propensity) in enumerate(zip(shelves, propensities, strict=True))
    ]
    head = _json(about)
    return head[:-1] + b',"shelves":[' + b",".join(parts) + b"]}"


def page_exposures(
    shelves: Sequence[EncodedShelf], propensities: Sequence[float], stamp: PageStamp
) -> list[bytes]:
    """The rows of EXPOSURES of a page, as JSON."""
    return [
        _filled(row, stamp, place, propensity)
        for place, (each, propensity) in enumerate(zip(shelves, propensities, strict=True))
        for row in each.exposures
    ]


def _filled(text: bytes, stamp: PageStamp, place: int, propensity: float) -> bytes:
    return (
        text.replace(_PAGE, stamp.page_id.encode())
        .replace(_PLACE, b"%d" % place)
        .replace(_PROPENSITY, repr(propensity).encode())
        .replace(_MOMENT, b"%d" % stamp.shown_at)
        .replace(_USER, stamp.user.encode())
    )


_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _json(value: Any) -> bytes:
    return _JSON.encode(value).encode("ascii")

"""YouTube Music: the watch history of Google Takeout, as JSON or HTML.

`watch-history.json` is a list of `{"header": "YouTube Music", "title": "Watched <title>",
"titleUrl", "subtitles": [{"name": "<artist> - Topic"}], "time": ISO 8601}`; `watch-history.html`
shows the same in cells (`header-cell`, `content-cell`). Google documents neither. What was watched
on YouTube itself is left out. The words beside a title are in the account's language: they are
what begins or ends nearly all titles of the file; with few titles only English is known. HTML has
dates in that language too: where they are not English or in numbers, listens are undated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

from musicu.listening.importers.raw import RecordError, Records, Row, members, text_in, title_in

_HEADER = "YouTube Music"
_HOST = "music.youtube.com"
_WATCHED = "Watched "
_TOPIC = " - Topic"
_ENOUGH = 8  # different titles that show what is written beside all of them


def history_within(document: Any) -> Records | None:
    """The records of a watch history in JSON; None where it is something else."""
    if not isinstance(document, list) or not any(_is_watched(record) for record in document):
        return None
    titles = [t for t in (_text(r, "title") for r in document if _is_music(r)) if t]
    beside = _written_beside(titles)
    return Records(document, lambda record: _row(record, beside))


def page_records(text: str) -> Records | None:
    """The records of a watch history in HTML; None where it is something else."""
    if "content-cell" not in text or "youtube.com" not in text:
        return None
    page = _Page()
    page.feed(text)
    page.close()
    return Records(page.records, lambda record: _row(record, ("", ""))) if page.records else None


def _row(record: Any, beside: tuple[str, str]) -> Row:
    record = members(record)
    if not _is_music(record):
        raise RecordError("of YouTube, not YouTube Music")
    title, url = title_in(record, "title"), text_in(record, "titleUrl")
    start, end = beside
    title = title.removeprefix(start).removesuffix(end).strip()
    if not title or url is None or title.startswith(("http://", "https://")):
        raise RecordError("a track that is no longer there, without a title")
    subtitles = record.get("subtitles")
    first = subtitles[:1] if isinstance(subtitles, list) else None
    artist = (text_in({"name": first}, "name") or "").removesuffix(_TOPIC)
    return {
        "title": title,
        "artist": None if artist == "Release" else artist,  # a channel of many
        "timestamp": record.get("time"),
    }


def _is_watched(record: Any) -> bool:
    return isinstance(record, dict) and {"header", "title", "titleUrl"} <= record.keys()


def _is_music(record: Any) -> bool:
    return isinstance(record, dict) and (
        record.get("header") == _HEADER or _HOST in str(_text(record, "titleUrl"))
    )


def _text(record: Any, name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) else None


def _written_beside(titles: Sequence[str]) -> tuple[str, str]:
    """What stands before and behind the titles proper."""
    if any(title.startswith(_WATCHED) for title in titles) or len(set(titles)) < _ENOUGH:
        return _WATCHED, ""
    first = _most_common([title.split(" ", 1)[0] + " " for title in titles])
    last = _most_common([" " + title.rsplit(" ", 1)[-1] for title in titles])
    if not first and not last:
        return "", ""
    start, end = first, last
    while start and (longer := _most_common([_head(t, start) for t in titles])) not in ("", start):
        start = longer
    while end and (longer := _most_common([_tail(t, end) for t in titles])) not in ("", end):
        end = longer
    return start, end


def _head(title: str, start: str) -> str:
    """The start of a title, a word longer than is known."""
    return start + title[len(start) :].split(" ", 1)[0] + " " if title.startswith(start) else ""


def _tail(title: str, end: str) -> str:
    rest = title[: -len(end)]
    return " " + rest.rsplit(" ", 1)[-1] + end if title.endswith(end) else ""


def _most_common(parts: Sequence[str]) -> str:
    """What nearly all share; "" where there is no such thing."""
    part, count = Counter(parts).most_common(1)[0]
    return part if part.strip() and count >= 0.95 * len(parts) else ""


class _Page(HTMLParser):
    """The cells of a watch history: what each is of, its links, and the text behind them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.records: list[Row] = []
        self._cell = ""
        self._header = ""
        self._href: str | None = None
        self._links: list[tuple[str, str]] = []
        self._texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        classes = (told.get("class") or "").split()
        if tag == "div" and {"header-cell", "content-cell"} & set(classes):
            self._end_cell()
            self._cell = "header" if "header-cell" in classes else "content"
            self._cell = "" if "mdl-typography--caption" in classes else self._cell
        elif tag == "a":
            self._href = told.get("href") or ""
            self._links.append((self._href, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = None
        elif tag == "div":
            self._end_cell()

    def handle_data(self, data: str) -> None:
        text = data.replace("\u00a0", " ")
        if self._href is not None and self._links:
            href, said = self._links[-1]
            self._links[-1] = href, said + text
        elif text.strip():
            self._texts.append(text.strip())

    def close(self) -> None:
        super().close()
        self._end_cell()

    def _end_cell(self) -> None:
        """Keep what a cell holds: the last text of a content cell is its moment."""
        if self._cell == "header":
            self._header = " ".join(self._texts)
        elif self._cell == "content" and self._links:
            self.records.append(self._record())
        self._cell, self._href, self._links, self._texts = "", None, [], []

    def _record(self) -> Row:
        (url, title), *others = self._links
        return {
            "header": self._header,
            "title": title,
            "titleUrl": url,
            "subtitles": [{"name": name} for _, name in others[:1]],
            "time": self._texts[-1] if self._texts else None,
        }

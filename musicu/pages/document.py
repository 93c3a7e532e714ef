"""Pages that work offline, from the disk, and run nothing that a tag says.

A page holds its style and its script itself. The template engine escapes all text, addresses are
made by `locations.file_url` alone, and a content security policy names the digests of the one
style and the one script, so that nothing else could run even if it got in.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicu.catalog.files import write_atomically
from musicu.errors import PageError

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
#: The name of the page in a folder of pages.
INDEX = "index.html"
_MARK = re.compile(r'<meta name="generator" content="musicu ([a-z-]+)">')
_HEAD_BYTES = 4096  # the mark stands within them


@dataclass(frozen=True, slots=True)
class PageKind:
    """What a kind of page is made of; each is followed by the template, style and script that
    bear its name.

    noun: the kind in messages. styles, scripts: what comes before its own. images, media: where
    they may come from, connections: where its script may ask, in the words of a content security
    policy.
    """

    noun: str
    styles: tuple[str, ...] = ("base",)
    scripts: tuple[str, ...] = ()
    images: str = "'none'"
    media: str = "'none'"
    connections: str = "'none'"


_BESIDE = "'self' file:"
KINDS = {
    "shelf": PageKind(
        "a shelf", ("base", "player"), ("base", "player"), "data:", f"{_BESIDE} data:"
    ),
    "gallery": PageKind(
        "a page of shelves", ("base", "player"), ("base", "player"), f"{_BESIDE} data:", _BESIDE
    ),
    "live-gallery": PageKind(
        "a page of a service",
        ("base", "player", "gallery"),
        ("base", "player", "gallery"),
        "'self'",
        "'self'",
        "'self'",
    ),
    "map": PageKind("a map", ("base", "player"), ("base", "player"), media=_BESIDE),
    "judge": PageKind("a blind test", scripts=("base",), media=_BESIDE),
    "audit": PageKind("an audit", media=_BESIDE),
    "recording": PageKind(
        "a described recording", scripts=("base",), images="data:", media=f"{_BESIDE} data:"
    ),
    "vector-report": PageKind("an evaluation of vectors", ("base", "charts")),
    "recommendation-report": PageKind("an evaluation of candidates", ("base", "charts")),
    "experiment": PageKind("a report of an experiment", ("base", "charts")),
    "live": PageKind("a live page", ("base", "charts"), ("base",), connections="'self'"),
}


def render(kind: str, hue: int | None = None, **values: Any) -> str:
    """The text of a page of one of `KINDS`.

    values: for the template, which escapes them. hue: the page's colour, 0 to 359.
    """
    from markupsafe import Markup

    made_of = KINDS[kind]
    style = "\n".join(map(_asset, _files((*made_of.styles, kind), "css")))
    style += "" if hue is None else f":root {{ --hue: {hue} }}\n"
    script = "\n".join(map(_asset, _files((*made_of.scripts, kind), "js")))
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; "
        f"script-src {_quoted_digest(script)}; img-src {made_of.images}; "
        f"media-src {made_of.media}; connect-src {made_of.connections}; base-uri 'none'; "
        "form-action 'none'"
    )
    template = _environment().get_template(f"{kind}.html.jinja")
    ours = {"policy": policy, "style": style, "script": script}  # no tag in them
    return template.render(**values, kind=kind, **{k: Markup(v) for k, v in ours.items()})


def write_page(path: Path, kind: str, text: str) -> None:
    """Write a page; another page of its kind is replaced.

    Raises PageError where the file is anything else, CatalogError where the disk refuses.
    """
    refuse_other_page(path, kind)
    write_atomically(path, lambda to: to.write_text(text, encoding="utf-8", newline="\n"))


def page_file(path: Path) -> Path:
    """The file of a page that is to be written to a file or into a folder."""
    return path if path.suffix.lower() in (".html", ".htm") else path / INDEX


def refuse_other_page(path: Path, kind: str) -> None:
    """Raise PageError where a file would be lost: it is not empty and no page of this kind."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).decode("utf-8", "replace")
    except OSError:  # nothing there, or nothing that can be read: writing it says what is wrong
        return
    mark = _MARK.search(head)
    found = mark[1] if mark else None
    if head and found != kind:
        holds = KINDS[found].noun if found in KINDS else "something else"
        raise PageError(
            f"{path} holds {holds}, and would be lost under {KINDS[kind].noun}: "
            "choose another file or folder, or remove it first"
        )


def json_block(document: Any) -> str:
    """A value as JSON for `<script type="application/json">`, in which no tag can begin or end."""
    from markupsafe import Markup

    text = json.dumps(document, ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = "{:,}".format
    environment.filters["sentence"] = _sentence
    return environment


def _sentence(text: str) -> str:
    """A text that begins with a capital letter."""
    return f"{text[:1].upper()}{text[1:]}"


def _files(names: tuple[str, ...], ending: str) -> list[str]:
    return [f"{name}.{ending}" for name in names if (TEMPLATES / f"{name}.{ending}").exists()]


@cache
def _asset(name: str) -> str:
    """A style or script of ours."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _quoted_digest(text: str) -> str:
    return f"'{_digest(text)}'" if text else "'none'"


def _digest(text: str) -> str:
    """A content security policy's name for an inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

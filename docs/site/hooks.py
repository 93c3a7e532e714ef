"""Pages of the site that are made from the code: commands, names, model cards, plots, files.

MkDocs calls `on_files` and `on_page_markdown`.
"""

from __future__ import annotations

import importlib
import json
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import api_page  # noqa: E402 - beside this file
import command_pages  # noqa: E402
import plots  # noqa: E402

MODELS = ROOT / "musicu/embeddings/models"
#: Files of the repository that are pages of the site too.
FILES = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "DEPRECATION.md": "deprecation.md",
    "benchmarks/README.md": "measurements.md",
    "recipes/README.md": "recipes.md",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file in `docs` holds."""
    made = {page: (ROOT / source).read_text("utf-8") for source, page in FILES.items()}
    made |= {"commands.md": command_pages.page(), "api.md": api_page.page(), "models.md": models()}
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Draw plots and tables of columns; lead links to files of the repository to their pages."""
    markdown = re.sub(r"^\{\{ plot (\S+) \}\}$", _plot, markdown, flags=re.MULTILINE)
    markdown = re.sub(r"^\{\{ schema (\S+) \}\}$", _schema, markdown, flags=re.MULTILINE)
    depth = "../" * page.file.src_uri.count("/")

    def link(found: re.Match[str]) -> str:
        target, _, anchor = found[2].partition("#")
        if re.match(r"[a-z]+:|#", found[2]) or not target:
            return found[0]
        name = re.sub(r"^(\.\./)+", "", target)
        source = {"README.md": "index.md"} | FILES
        if name in source and files.get_file_from_path(name) is None:
            target = depth + source[name]
        elif name.startswith("docs/"):
            target = depth + name.removeprefix("docs/")
        words = _title(files, page, target) if found[1].endswith(".md") else found[1]
        return f"[{words}]({target}{'#' if anchor else ''}{anchor})"

    return re.sub(r"\[([^\[\]]*)\]\(([^()\s]+)\)", link, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Search without fetching anything: also where pages are opened as files."""
    own = "../" * page.file.src_uri.count("/") + "site/search_worker.js"
    return output.replace("https://unpkg.com/iframe-worker/shim", own)


def _title(files: Files, page: Page, target: str) -> str:
    """What a page calls itself, for a link whose words are the name of its file."""
    path = posixpath.normpath(str(PurePosixPath(page.file.src_uri).parent / target))
    file = files.get_file_from_path(path)
    found = re.search(r"^# (.+)$", file.content_string, re.MULTILINE) if file else None
    return found[1].strip() if found else target


def _plot(found: re.Match[str]) -> str:
    name = found[1].removeprefix("card:")
    if name != found[1]:
        card = json.loads((MODELS / name / "card.json").read_text("utf-8"))
        return plots.draw(plots.of_card(card))
    return plots.draw(json.loads((ROOT / f"benchmarks/results/{name}.json").read_text("utf-8")))


def _schema(found: re.Match[str]) -> str:
    module, _, name = found[1].partition(":")
    schema = getattr(importlib.import_module(module), name)
    rows = [f"| `{field.name}` | {field.type} | {_may_be_null(field)} |" for field in schema]
    return "\n".join(["| column | type | null |", "|---|---|---|", *rows])


def _may_be_null(field: Any) -> str:
    return "may be" if field.nullable else "never"


def models() -> str:
    """The cards of the shipped models."""
    lines = ["# Models", "", "What `musicu models NAME` prints.", ""]
    for path in sorted(MODELS.glob("*/card.json"), reverse=True):
        card = json.loads(path.read_text("utf-8"))
        lines += [f"## {card['name']}", ""]
        lines += [f"{card['dim']} numbers, sound at {card['sample_rate']:,} Hz.", ""]
        lines += _told(card["about"], 3)
    return "\n".join(lines)


def _told(about: dict[str, Any], level: int) -> Iterator[str]:
    flat = {key: value for key, value in about.items() if not isinstance(value, dict)}
    for key, value in flat.items():
        yield from (f"**{key[:1].upper() + key[1:]}**: {value}", "")
    for key, value in about.items():
        if isinstance(value, dict):
            yield from (f"{'#' * min(level, 6)} {key[:1].upper() + key[1:]}", "")
            yield from _told(value, level + 1)

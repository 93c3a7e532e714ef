"""The page of a blind test: a seed and two tracks at a time, names hidden, answers to save."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from musicu import html
from musicu.catalog.catalog import Catalog
from musicu.catalog.files import write_atomically
from musicu.catalog.locations import absolute, file_url
from musicu.errors import CatalogError
from musicu.judge.answers import FORMAT_VERSION, seal
from musicu.judge.trials import Trial

AudioPlacing = Literal["relative", "absolute", "copied"]

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class _Placing:
    """Where the sound lies, as seen from the page."""

    catalog: Catalog
    page: Path
    audio: AudioPlacing

    def address(self, track_id: str) -> str:
        file = absolute(self.catalog.file(track_id))
        if self.audio == "absolute":
            return file_url(file)
        return file_url(self._copy(file) if self.audio == "copied" else file, self.page.parent)

    def _copy(self, file: Path) -> Path:
        """A copy beside the page, under a name that tells nothing."""
        digest = hashlib.sha256(str(file).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        target = self.page.parent / f"{self.page.stem}-sound" / f"{digest}{file.suffix.lower()}"
        if not file.is_file():
            raise CatalogError(f"{file} is no longer there: run `musicu embed` on its source")
        if not target.exists():
            write_atomically(target, lambda to: shutil.copyfile(file, to))
        return target


def write_test(
    catalog: Catalog,
    first: str,
    second: str,
    trials: Sequence[Trial],
    path: str | Path,
    *,
    audio: AudioPlacing = "relative",
) -> None:
    """Write the page; which side is which model is sealed in it, and names are not shown.

    audio: "relative" names the files as seen from the page, "absolute" by their full path,
    "copied" puts copies beside the page, to be sent with it. Raises CatalogError where the disk
    refuses or a file is gone.
    """
    page = absolute(Path(path))
    placing = _Placing(catalog, page, audio)
    sealed = seal(first, second, trials)
    document = {
        "format": FORMAT_VERSION,
        "test": hashlib.sha256("".join(map(repr, trials)).encode()).hexdigest()[:12],
        "sealed": sealed,
        "trials": [_shown(trial, placing) for trial in trials],
    }
    values = {"count": len(trials), "data": _markup(document)}
    text = html.render(TEMPLATES, "judge", values, media="file: 'self'")
    write_atomically(page, lambda to: to.write_text(text, encoding="utf-8", newline="\n"))


def _shown(trial: Trial, placing: _Placing) -> dict[str, str]:
    """Addresses alone: a name would tell more than the sound."""
    sides = (trial.first, trial.second) if trial.first_left else (trial.second, trial.first)
    left, right = map(placing.address, sides)
    return {"seed": placing.address(trial.seed), "left": left, "right": right}


def _markup(document: Any) -> Any:
    from markupsafe import Markup

    return Markup(html.data(document))  # no tag can begin in it

"""Model folders: a card that says what the model is, and the files that make its numbers."""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musicu.errors import ModelError
from musicu.records import Windows

SHIPPED = Path(__file__).parent / "models"
FORMAT_VERSION = 1
DEFAULT_MODEL = "musicu-audio-v1"
_WIDTH = 100  # of a card's lines
_BESIDE = {
    "credits.csv": "every recording that it was made from, with artist, licence and source",
    "recipe.toml": "how to make it again, and what was tried",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model folder's `card.json` says.

    sample_rate, windows: 0 and none of 0 s for a model that reads tables and hears nothing.
    files: names of the files in the folder that decide the vectors.
    about: free text for people: `summary`, `training`, `scores`, `weaknesses`, `licence`, ….
    """

    name: str
    kind: str
    dim: int
    sample_rate: int
    windows: Windows
    files: tuple[str, ...]
    about: dict[str, Any]
    folder: Path
    fingerprint: str

    def document(self) -> dict[str, Any]:
        """The card as plain values that go into JSON."""
        core = {name: getattr(self, name) for name in ("name", "kind", "dim", "sample_rate")}
        windows = {"seconds": self.windows.seconds, "count": self.windows.count}
        return {**core, "windows": windows, "fingerprint": self.fingerprint, "about": self.about}


def card_text(card: ModelCard) -> str:
    """A card for people."""
    lines = [
        card.name,
        f"  {card.dim} numbers, {_hearing(card)}, fingerprint {card.fingerprint}",
    ]
    for title, value in card.about.items():
        lines += ["", title.replace("_", " ").capitalize(), *_outline(value, "  ")]
    files = [name for name in _BESIDE if (card.folder / name).is_file()]
    if files:
        told = [f"  {card.folder / name}: {_BESIDE[name]}" for name in files]
        lines += ["", "Beside the card", *told]
    return "\n".join(lines)


def _outline(value: Any, indent: str) -> list[str]:
    """What a card says of something as lines for people, what belongs under it further in."""
    if isinstance(value, dict):
        lines = []
        for name, part in value.items():
            if isinstance(part, dict | list):
                lines += [*_wrapped(str(name), indent), *_outline(part, indent + "  ")]
            else:
                lines += _wrapped(f"{name}: {part}", indent, hang="  ")
        return lines
    if isinstance(value, list):
        return [line for part in value for line in _outline(part, indent)]
    return _wrapped(str(value), indent)


def _wrapped(text: str, indent: str, hang: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent + hang)


def _hearing(card: ModelCard) -> str:
    """What a model listens to, in words."""
    if not card.windows.count:
        return "hears nothing itself"
    windows = f"{card.windows.count} x {card.windows.seconds:g} s"
    return f"listens to {windows} at {card.sample_rate} Hz"


def read_card(folder: Path) -> ModelCard:
    """The card of a model folder; raises ModelError where it is missing or not understood."""
    path = folder / "card.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} is not a model folder: it has no card.json") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT_VERSION:
        found = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise ModelError(
            f"{path} has format {found}; this version of musicu reads format {FORMAT_VERSION}"
        )
    if not _NAME.fullmatch(str(card.get("name"))):
        raise ModelError(
            f"{path} names the model {card.get('name')!r}: only letters, digits, '.', '_' and '-' "
            "may be in a name"
        )
    try:
        core = {k: card[k] for k in ("name", "kind", "dim", "sample_rate", "windows", "files")}
        return ModelCard(
            name=str(card["name"]),
            kind=str(card["kind"]),
            dim=int(card["dim"]),
            sample_rate=int(card["sample_rate"]),
            windows=Windows(float(card["windows"]["seconds"]), int(card["windows"]["count"])),
            files=tuple(card["files"]),
            about=dict(card["about"]),
            folder=folder,
            fingerprint=_fingerprint(core, folder, card["files"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a model card: {error!r}") from error


def _fingerprint(core: dict[str, Any], folder: Path, files: list[str]) -> str:
    """A digest of what decides the vectors: the card's core and the model's files."""
    digest = hashlib.sha256(json.dumps(core, sort_keys=True).encode())
    for name in files:
        try:
            digest.update((folder / name).read_bytes())
        except OSError as error:
            raise ModelError(f"{folder / name}, which the model needs: {error.strerror}") from error
    return digest.hexdigest()[:16]


def shipped_models() -> list[ModelCard]:
    """The cards of the models in this package, by name."""
    return [read_card(path.parent) for path in sorted(SHIPPED.glob("*/card.json"))]


def find_model(name_or_path: str | Path) -> ModelCard:
    """The card of a shipped model by its name, or of a model folder by its path."""
    if isinstance(name_or_path, str) and (SHIPPED / name_or_path / "card.json").is_file():
        return read_card(SHIPPED / name_or_path)
    if Path(name_or_path).is_dir():
        return read_card(Path(name_or_path))
    names = ", ".join(card.name for card in shipped_models())
    raise ModelError(
        f"there is no model {str(name_or_path)!r}: shipped are {names}; or give a folder"
    )

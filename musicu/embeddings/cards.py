"""Model folders: a card that says what the model is, and the files that make its numbers."""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from musicu.catalog.file_names import is_file_name
from musicu.embeddings.hf_cards import PREFIX, hub_folder, made_document
from musicu.errors import ModelError
from musicu.records import Windows, check_kind
from musicu.registry import Registry

SHIPPED = Path(__file__).parent / "models"
FORMAT_VERSION = 1
DEFAULT_MODEL = "musicu-audio-v2"
_WIDTH = 100  # of a card's lines
_BLOCK = 1 << 20  # bytes that are read at once
_BESIDE = {
    "credits.csv": "every recording that it was made from, with artist, licence and source",
    "recipe.toml": "how to make it again, and what was tried",
}


def shipped_folder(name: str) -> Path:
    """The folder of a model that comes with musicu."""
    return SHIPPED / name


#: Models by name: functions that take the name and return the model's folder.
MODELS: Registry[Callable[[str], str | Path]] = Registry(
    "model",
    "musicu.models",
    {p.parent.name: f"{__name__}:shipped_folder" for p in sorted(SHIPPED.glob("*/card.json"))},
)


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """How many recordings at a time an embedder takes in less time than one after the other.

    size: 1 where a batch does not pay. device: on what it pays: "cpu", or a device that worker
    processes had better not share, such as "cuda".
    """

    size: int = 1
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model folder's `card.json` says.

    kind: the name under which the model's class is registered as an embedder.
    sample_rate, windows: 0 and none of 0 s for a model that reads tables and no audio.
    files: names of the files in the folder that decide the vectors.
    about: free text for people: `summary`, `training`, `scores`, `weaknesses`, `licence`, ….
    batch: decides nothing about the vectors, and so is not part of the fingerprint.
    settings: what the kind asks for beside the files, such as a layer; part of the fingerprint.
    self_test: the vector of `waveforms.self_test_audio` under the model as it should be.
    base: a shipped model, whose files stand for those that the folder does not have itself.
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
    batch: BatchSpec = BatchSpec()
    settings: Mapping[str, Any] = field(default_factory=dict)
    self_test: tuple[float, ...] | None = None
    base: str = ""

    def path(self, name: str) -> Path:
        """Where a file of the model lies, in its own folder or in that of its base."""
        return _file(self.folder, self.base, name)

    def document(self) -> dict[str, Any]:
        """The card as plain values that go into JSON."""
        core = {name: getattr(self, name) for name in ("name", "kind", "dim", "sample_rate")}
        windows = {"seconds": self.windows.seconds, "count": self.windows.count}
        batch = {"size": self.batch.size, "device": self.batch.device}
        about = {"fingerprint": self.fingerprint, "about": self.about}
        if self.settings:
            about["settings"] = dict(self.settings)
        return {**core, "windows": windows, "batch": batch, **about}


def card_text(card: ModelCard) -> str:
    """A card for people."""
    lines = [
        card.name,
        f"  {card.dim} numbers, {_input(card)}, fingerprint {card.fingerprint}",
    ]
    for title, value in card.about.items():
        lines += ["", title.replace("_", " ").capitalize(), *_outline(value, "  ")]
    files = [name for name in _BESIDE if card.path(name).is_file()]
    if files:
        told = [f"  {card.path(name)}: {_BESIDE[name]}" for name in files]
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


def _input(card: ModelCard) -> str:
    """What a model reads, in words."""
    if not card.sample_rate:
        return "reads no audio itself"
    windows = f"{card.windows.count} windows of {card.windows.seconds:g} s"
    return f"reads {windows} at {card.sample_rate} Hz"


def read_card(folder: Path) -> ModelCard:
    """The card of a model folder; raises ModelError where it is missing or not understood."""
    path = folder / "card.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        card = made_document(folder)
        if card is None:
            raise ModelError(f"{folder} is not a model folder: it has no card.json") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT_VERSION:
        found = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise ModelError(
            f"{path} has format {found}; this version of musicu reads format {FORMAT_VERSION}"
        )
    if not is_file_name(card.get("name")):
        raise ModelError(
            f"{path} names the model {card.get('name')!r}: only letters, digits, '.', '_' and '-' "
            "may be in a name"
        )
    base = card.get("base", "")
    if base not in ("", *MODELS.names()):
        raise ModelError(f"{path} is based on {base!r}, which is no model that musicu has")
    try:
        core = {k: card[k] for k in ("name", "kind", "dim", "sample_rate", "windows", "files")}
        if card.get("settings"):
            core["settings"] = dict(card["settings"])
        self_test = card.get("self_test")
        return ModelCard(
            name=str(card["name"]),
            kind=str(card["kind"]),
            dim=int(card["dim"]),
            sample_rate=int(card["sample_rate"]),
            windows=Windows(float(card["windows"]["seconds"]), int(card["windows"]["count"])),
            files=tuple(card["files"]),
            about=dict(card["about"]),
            folder=folder,
            fingerprint=_fingerprint(core, [_file(folder, base, name) for name in card["files"]]),
            batch=_batch(**card.get("batch", {})),
            settings=dict(card.get("settings") or {}),
            self_test=None if self_test is None else tuple(map(float, self_test)),
            base=base,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a model card: {error!r}") from error


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write a model's card, the last of its files, so that a folder with a card is whole."""
    text = json.dumps({"format": FORMAT_VERSION, **card}, indent=2, ensure_ascii=False)
    partial = folder / "card.json.partial"
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(folder / "card.json")


def _batch(size: int = 1, device: str = "cpu") -> BatchSpec:
    """What a card says of batches; ValueError where it says no number of recordings."""
    if not isinstance(size, int) or size < 1 or not isinstance(device, str):
        raise ValueError(f"batch of size {size!r} on {device!r}")
    return BatchSpec(size, device)


def _file(folder: Path, base: str, name: str) -> Path:
    own = folder / name
    return own if own.exists() or not base else shipped_folder(base) / name


def _fingerprint(core: dict[str, Any], files: list[Path]) -> str:
    """A digest of what decides the vectors: the card's core and the model's files."""
    digest = hashlib.sha256(json.dumps(core, sort_keys=True).encode())
    for path in files:
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise ModelError(f"{path}, which the model needs: {error.strerror}") from error
    return digest.hexdigest()[:16]


def _card_beside(path: Path) -> ModelCard:
    """The card in the folder of an ONNX file; ModelError where it is not of this file."""
    card = read_card(path.parent)
    if path.name not in card.files:
        raise ModelError(f"{path.parent / 'card.json'} names no file {path.name!r}")
    return card


def find_model(name_or_path: str | Path) -> ModelCard:
    """The card of a model by its name, or of a model folder by its path.

    Names are those of the models that come with musicu and that other packages add, or
    "hf:owner/name" of a model of Hugging Face that is on this computer, "hf:/path", or the path of
    an ONNX file that a card lies beside. Raises ModelError where there is none, and RegistryError
    where a package's model is not to be had.
    """
    check_kind("the model", name_or_path, (str, Path), "its name, or the path of its folder")
    if isinstance(name_or_path, str) and name_or_path in MODELS.names():
        card = read_card(Path(MODELS.make(name_or_path, name_or_path)))
        if card.name != name_or_path:
            raise ModelError(f"{card.folder} is registered as {name_or_path!r}, not {card.name!r}")
        return card
    if str(name_or_path).startswith(PREFIX):
        return read_card(hub_folder(str(name_or_path)))
    if Path(name_or_path).is_dir():
        return read_card(Path(name_or_path))
    if Path(name_or_path).suffix == ".onnx":
        return _card_beside(Path(name_or_path))
    raise ModelError(
        f"there is no model {str(name_or_path)!r}: known are {', '.join(MODELS.names())}; or give "
        "a folder"
    )

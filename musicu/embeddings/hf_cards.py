"""Models of Hugging Face as model folders: where they lie, and the card of one without ours.

"hf:/path" is a folder with `config.json` and weights, "hf:owner/name" one in the local cache of
Hugging Face; nothing is fetched unless `hub_fetch` is called. A `card.json` of ours in the folder
says sample rate, windows, layer, pooling and dtype; without one they follow from the configuration.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from musicu.errors import MissingExtraError, ModelError

PREFIX = "hf:"
KIND = "hf"
CONFIG, EXTRACTOR, README = "config.json", "preprocessor_config.json", "README.md"

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_FETCHED = ("*.json", "*.txt", "*.safetensors", README)
_LICENCE = re.compile(r"^license:\s*['\"]?([^'\"\n]+)", re.MULTILINE)
_LICENCE_NAME = re.compile(r"^license_name:\s*['\"]?([^'\"\n]+)", re.MULTILINE)
_NON_COMMERCIAL = re.compile(r"\bnc\b|non-?commercial|research", re.IGNORECASE)


def hub_folder(name: str) -> Path:
    """The folder of "hf:/path" or "hf:owner/name"; ModelError where it is not on this computer."""
    place = name.removeprefix(PREFIX)
    if Path(place).expanduser().is_dir():
        return Path(place).expanduser()
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", place):
        raise ModelError(f"{place} is neither a folder nor a name such as owner/model")
    return _snapshot(place, offline=True)


def hub_fetch(name: str) -> Path:
    """Bring a model "hf:owner/name" into the local cache of Hugging Face; returns its folder."""
    return _snapshot(name.removeprefix(PREFIX), offline=False)


def _snapshot(repository: str, *, offline: bool) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError:
        raise MissingExtraError(f"the model {PREFIX}{repository}", "hf") from None
    patterns = [*_FETCHED]
    try:
        folder = Path(
            snapshot_download(repository, local_files_only=offline, allow_patterns=patterns)
        )
        if not offline and not any(folder.glob("*.safetensors")):
            snapshot_download(repository, allow_patterns=["pytorch_model*.bin"])
    except LocalEntryNotFoundError:
        raise ModelError(
            f"{PREFIX}{repository} is not on this computer: `musicu models {PREFIX}{repository} "
            f"--fetch` brings it, or give its folder as {PREFIX}/path"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{PREFIX}{repository} cannot be had: {error}") from error
    return folder


def made_document(folder: Path) -> dict[str, Any] | None:
    """What a card of a folder without one would say; None where it holds no such model."""
    config = _json(folder / CONFIG)
    if config is None or "model_type" not in config:
        return None
    weights = sorted(path.name for pattern in _WEIGHTS for path in folder.glob(pattern))
    if not weights:
        raise ModelError(f"{folder} has {CONFIG} but no weights (*.safetensors)")
    extractor = _json(folder / EXTRACTOR) or {}
    clap = config["model_type"] == "clap"
    audio = config.get("audio_config") or config
    if not clap and "hidden_size" not in audio:
        raise ModelError(
            f"{folder / CONFIG} does not say the length of a vector (hidden_size), so no card can "
            "be made of it: write a card.json (see docs/encoders.md)"
        )
    layers = int(audio.get("num_hidden_layers") or 2)
    rate = int(extractor.get("sampling_rate") or (48_000 if clap else 16_000))
    others = [name for name in (CONFIG, EXTRACTOR) if (folder / name).is_file()]
    licence = licence_of(folder)
    return {
        "format": 1,
        "name": model_name(folder),
        "kind": KIND,
        "dim": int(config.get("projection_dim", 512) if clap else audio["hidden_size"]),
        "sample_rate": rate,
        "windows": {"seconds": 10.0, "count": 3} if clap else {"seconds": 5.0, "count": 6},
        "files": [*others, *weights],
        "settings": {
            "layer": "projection" if clap else layers // 2,
            "pooling": "mean",
            "dtype": "float32",
        },
        "batch": {"size": 8, "device": "cuda"},
        "about": {
            "summary": f"{config['model_type']} of Hugging Face; settings by its configuration",
            "licence": licence + (" (non-commercial)" if is_non_commercial(licence) else ""),
        },
    }


def has_own_code(folder: Path) -> bool:
    """Whether a model's configuration names classes of Python files of its own."""
    return any((_json(folder / name) or {}).get("auto_map") for name in (CONFIG, EXTRACTOR))


def model_name(folder: Path) -> str:
    """A name for a folder: "owner--model" of one in the cache, else the folder's own."""
    parts = [part for part in folder.parts if part.startswith("models--")]
    name = parts[-1].removeprefix("models--") if parts else folder.resolve().name
    return re.sub(r"[^A-Za-z0-9._-]", "-", name) or "model"


def licence_of(folder: Path) -> str:
    """The licence that a folder's model card states, "not stated" where it states none."""
    try:
        text = (folder / README).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "not stated"
    head = text.split("\n---", 1)[0] if text.startswith("---") else ""
    found = _LICENCE.search(head)
    named = _LICENCE_NAME.search(head)
    if found is None:
        return "not stated"
    licence = found[1].strip()
    return named[1].strip() if licence == "other" and named else licence


def is_non_commercial(licence: str) -> bool:
    """Whether a licence's name says that it is for non-commercial use or research only."""
    return bool(_NON_COMMERCIAL.search(licence.replace("_", "-")))


def setting(
    settings: Mapping[str, Any], name: str, default: Any, kinds: type | tuple[type, ...]
) -> Any:
    """One of a card's settings; ModelError where it is of another kind."""
    found = settings.get(name, default)
    if not isinstance(found, kinds) or isinstance(found, bool):
        raise ModelError(f"the card's setting {name!r} is {found!r}")
    return found


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None

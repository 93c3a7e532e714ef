"""The optional import of scikit-learn (the extra `eval`), for probes and clustering."""

from __future__ import annotations

import importlib
from types import ModuleType

from musicu.errors import MissingExtraError


def sklearn(module: str) -> ModuleType:
    """A module of scikit-learn; raises MissingExtraError where it is not installed."""
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sklearn":
            raise
        raise MissingExtraError("evaluation by probes and clustering", "eval") from None

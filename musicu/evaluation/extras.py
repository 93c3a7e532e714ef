"""scikit-learn, which probes, clustering and the map of the report need: the extra `eval`."""

from __future__ import annotations

import importlib
from types import ModuleType

from musicu.errors import MissingExtraError


def sklearn(module: str) -> ModuleType:
    """That module of scikit-learn; raises MissingExtraError where it is not installed."""
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sklearn":
            raise
        raise MissingExtraError("evaluation by probes, clustering and a map", "eval") from None

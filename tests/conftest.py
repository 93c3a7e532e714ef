"""What several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared_music() -> Path:
    """The folder of freely licensed recordings that some tests measure on."""
    shared = Path(os.environ.get("MUSICU_SHARED", ROOT.parent / "shared"))
    if not (shared / "music" / "tracks.csv").is_file():
        pytest.skip(f"no development music at {shared / 'music'} (set MUSICU_SHARED)")
    return shared / "music"

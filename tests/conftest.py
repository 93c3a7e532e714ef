"""What several test files share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is the computer's business, not a fault of what is tested.
settings.register_profile("musicu", deadline=None)
settings.load_profile("musicu")

ROOT = Path(__file__).parent.parent

# A suite started in the background ignores Ctrl-C, and so would the commands it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _ctrl_c_as_before() -> Iterator[None]:
    """A command that ends in this process ignores Ctrl-C from then on; the next test does not."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.fixture(scope="session")
def shared_music() -> Path:
    """The folder of freely licensed recordings that some tests measure on."""
    shared = Path(os.environ.get("MUSICU_SHARED", ROOT.parent / "shared"))
    if not (shared / "music" / "tracks.csv").is_file():
        pytest.skip(f"no development music at {shared / 'music'} (set MUSICU_SHARED)")
    return shared / "music"


@pytest.fixture(scope="session")
def demo_music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of made music: three artists with two short tracks each, and a copy of one."""
    from musicu.datasets import make_demo_music

    folder = tmp_path_factory.mktemp("demo") / "Music"
    make_demo_music(folder, artists=3, tracks_per_artist=2, seconds=6.0)
    return folder


@pytest.fixture(scope="session")
def demo_catalog(demo_music: Path) -> Path:
    """A catalog of the made music, embedded with the statistics; to be read only."""
    from musicu.pipeline.run import EmbedOptions, run

    out = demo_music.parent / "catalog"
    run(demo_music, out, model="musicu-stats-v1", options=EmbedOptions(jobs=1))
    return out

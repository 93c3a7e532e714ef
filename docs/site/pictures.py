"""Take the site's pictures, light and dark, of pages that musicu wrote.

    python docs/site/pictures.py shelf.html page/index.html

Pages of the demo: a shelf, and a page for a listener. Needs Chromium.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.append(str(ROOT / "tests"))

from browser import Browser, find_chromium  # noqa: E402 - the tests' own

NAMES = ("shelf", "shelves")


def main() -> None:
    """Write `docs/NAME.png` and `docs/NAME-dark.png` of each page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=Path, nargs=len(NAMES), metavar="PAGE")
    program = find_chromium()
    if program is None:
        sys.exit("no Chromium here: install it, or name it in MUSICU_CHROMIUM")
    for name, page in zip(NAMES, parser.parse_args().pages, strict=True):
        for dark in (False, True):
            picture = ROOT / "docs" / f"{name}{'-dark' if dark else ''}.png"
            with tempfile.TemporaryDirectory() as folder, Browser(program, Path(folder)) as browser:
                browser.open(page.resolve().as_uri())
                browser.screenshot(picture, 1280, 900, dark=dark)


if __name__ == "__main__":
    main()

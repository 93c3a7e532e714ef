"""How often the audit is right about a genre, where labels were swapped on purpose.

    python benchmarks/genre_labels.py CATALOG LABELS.csv --path path --label genre [--swapped 0.1]

CATALOG holds vectors; LABELS.csv says the label of each path. A share of the labels that at least
20 tracks bear is swapped for another, drawn by ten seeds; right is a finding on a swapped track.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from pathlib import Path

import numpy as np

from musicu.audit.genre_checks import FEWEST, genre_findings
from musicu.catalog.catalog import Catalog


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("catalog", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--path", default="path")
    parser.add_argument("--label", default="genre")
    parser.add_argument("--swapped", type=float, default=0.1)
    options = parser.parse_args()
    with options.labels.open(encoding="utf-8") as file:
        labels = {row[options.path]: row[options.label] for row in csv.DictReader(file)}
    catalog = Catalog.open(options.catalog)
    rows = catalog.tracks().select(["track_id", "path", "artists", "album_artist"]).to_pylist()
    count = Counter(labels.get(row["path"]) for row in rows)
    common = sorted(label for label, n in count.items() if label and n > FEWEST)
    rows = [row for row in rows if labels.get(row["path"]) in common]
    found, right, swapped = 0, 0, 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        wrong = set()
        for row in rows:
            row["genres"] = [labels[row["path"]]]
            if rng.random() < options.swapped:
                row["genres"] = [str(rng.choice([c for c in common if c != row["genres"][0]]))]
                wrong.add(row["track_id"])
        ids = [f.track_ids[0] for f in genre_findings(rows, catalog.vectors())]
        found, right, swapped = found + len(ids), right + len(wrong & {*ids}), swapped + len(wrong)
    print(f"{len(rows)} tracks with {len(common)} labels; of {swapped} swapped {right} found")
    print(f"precision {right / max(1, found):.3f} of {found} findings")


if __name__ == "__main__":
    main()

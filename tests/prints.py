"""Fingerprints of samples, as a catalog would hold them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.audit.fingerprint_comparison import Fingerprints
from musicu.features.fingerprint_codes import Fingerprint, FingerprintMeter


def print_of(samples: NDArray[np.float32]) -> Fingerprint:
    """The fingerprint of mono sound at 22,050 Hz, float32 [n]."""
    meter = FingerprintMeter()
    meter.update(samples)
    return meter.finish()


def prints_of(*recordings: NDArray[np.float32], spectra: bool = True) -> Fingerprints:
    """Fingerprints under the hashes h0, h1, …; without spectra, as earlier versions kept them."""
    made = [print_of(samples) for samples in recordings]
    hashes = [f"h{i}" for i in range(len(made))]
    edges = np.concatenate([[0], np.cumsum([len(one.codes) for one in made])])
    codes, marks = (np.concatenate([getattr(m, n) for m in made]) for n in ("codes", "marks"))
    kept = {h: m.spectra for h, m in zip(hashes, made, strict=True) if m.spectra and spectra}
    return Fingerprints(
        hashes, codes, marks, edges, lambda some: {h: kept[h] for h in some if h in kept}
    )

"""Threads of the libraries below NumPy, which know nothing of ours.

Where our own threads or processes share the work out, those libraries' threads would only wait
for each other: a small product then takes milliseconds where it takes a twentieth of one.
"""

from __future__ import annotations

#: What an environment must say, before NumPy is imported, for one thread a call.
ONE_EACH = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)

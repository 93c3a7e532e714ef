"""The analysis of experiments against gbstats, GrowthBook's library, as an oracle.

Where they differ on purpose: a proportion's variance is p(1 - p) there and has n - 1 here; CUPED's
slope is over both arms together there and within the arms here; and the lift after CUPED keeps the
uncorrected control as its base there. Group-sequential boundaries are not in gbstats.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from musicu.experiments import AnytimeValid, Metric, analyse

statistics: Any = pytest.importorskip(
    "gbstats.models.statistics", reason="gbstats is not installed: an oracle of the tests"
)
theirs: Any = pytest.importorskip("gbstats.frequentist.tests")
utils: Any = pytest.importorskip("gbstats.utils")

RNG = np.random.default_rng(17)
ARM = RNG.integers(2, size=900)
BEFORE = RNG.gamma(2, 3, 900)
STREAMS = RNG.poisson(4 + BEFORE) + 1.0
SKIPS = RNG.binomial(STREAMS.astype(int), 0.3 + 0.04 * ARM).astype(float)
MINUTES = 2 * BEFORE + 0.6 * ARM + RNG.normal(0, 2, 900)
TABLE = pa.table(
    {"arm": ARM, "streams": STREAMS, "skips": SKIPS, "minutes": MINUTES, "before": BEFORE}
)


def mean(values: np.ndarray) -> Any:
    return statistics.SampleMeanStatistic(
        n=len(values), sum=values.sum(), sum_squares=(values**2).sum()
    )


def ratio(arm: int) -> Any:
    top, bottom = SKIPS[arm == ARM], STREAMS[arm == ARM]
    return statistics.RatioStatistic(
        n=len(top),
        m_statistic=mean(top),
        d_statistic=mean(bottom),
        m_d_sum_of_products=(top * bottom).sum(),
    )


def compared(a: Any, b: Any, kind: str, test: str = "TwoSidedTTest") -> Any:
    config = "SequentialConfig" if test.startswith("Sequential") else "FrequentistConfig"
    made = getattr(theirs, config)(difference_type=kind)
    return getattr(theirs, test)(a, b, made).compute_result()


@pytest.mark.parametrize("metric", ["minutes", "skips/streams"])
def test_difference_and_lift_are_theirs(metric: str) -> None:
    a, b = ((mean(MINUTES[n == ARM]) if metric == "minutes" else ratio(n)) for n in (0, 1))
    ours = analyse(TABLE, metrics=[metric], control=0).metrics[metric]
    absolute, relative = compared(a, b, "absolute"), compared(a, b, "relative")
    assert ours.difference == pytest.approx(absolute.expected, rel=1e-9)
    assert (ours.low, ours.high) == pytest.approx(absolute.ci, rel=1e-7)
    assert ours.p_value == pytest.approx(absolute.p_value, rel=1e-6)
    assert ours.lift == pytest.approx(relative.expected, rel=1e-9)
    # the degrees of freedom of a lift: ours are those of the difference, theirs too
    assert (ours.lift_low, ours.lift_high) == pytest.approx(relative.ci, rel=1e-6)


def test_cuped_is_theirs_but_for_the_slope() -> None:
    made = [
        statistics.RegressionAdjustedStatistic(
            n=int((n == ARM).sum()),
            post_statistic=mean(MINUTES[n == ARM]),
            pre_statistic=mean(BEFORE[n == ARM]),
            post_pre_sum_of_products=(MINUTES * BEFORE)[n == ARM].sum(),
            theta=0,
        )
        for n in (0, 1)
    ]
    slope = statistics.compute_theta(*made)
    for one in made:
        one.theta = slope
    found = compared(*made, "absolute")
    metric = Metric("minutes", covariate="before")
    ours = analyse(TABLE, metrics=[metric], control=0).metrics["minutes"]
    wide = found.ci[1] - found.ci[0]
    assert ours.difference == pytest.approx(found.expected, abs=0.01 * wide)
    assert ours.high - ours.low == pytest.approx(wide, rel=0.005)
    assert ours.p_value == pytest.approx(found.p_value, rel=0.05)


def test_the_sample_ratio_is_theirs() -> None:
    counts = [int((n == ARM).sum()) for n in (0, 1)]
    report = analyse(TABLE, metrics=["minutes"], control=0, shares={0: 0.45, 1: 0.55})
    assert report.sample_ratio_p == pytest.approx(utils.check_srm(counts, [0.45, 0.55]), rel=1e-9)


def test_an_anytime_valid_interval_is_theirs_where_it_is_tuned_to_now() -> None:
    """Both are of Waudby-Smith et al.; theirs is tuned to a number of units, ours to a share."""
    a, b = (mean(MINUTES[n == ARM]) for n in (0, 1))
    made = theirs.SequentialConfig(
        difference_type="absolute", sequential_tuning_parameter=float(len(ARM))
    )
    found = theirs.SequentialTwoSidedTTest(a, b, made).compute_result()
    ours = analyse(TABLE, metrics=["minutes"], control=0, design=AnytimeValid(1.0))
    told = ours.metrics["minutes"]
    assert told.high - told.low == pytest.approx(found.ci[1] - found.ci[0], rel=0.02)
    assert told.difference == pytest.approx(found.expected, rel=1e-9)

"""Intervals and verdicts, by hand."""

import numpy as np
import pytest

from recurrence.statistics import Measurement
from recurrence.verdicts import (
    CANNOT_TELL,
    NOT_REPRODUCED,
    REPRODUCED,
    Interval,
    Spread,
    above,
    absent,
    agreement,
)


def networks(*values: float, error: float = 0.0) -> Measurement:
    return Measurement(np.array(values), error)


def test_an_interval_of_five_networks_is_students() -> None:
    ours = networks(0.1, 0.2, 0.3, 0.4, 0.5)
    half = 2.776445 * 0.1581139 / 5**0.5  # t(0.975, 4), and the standard deviation
    found = Interval.of(ours, Spread(9.0, 4))
    assert (found.low, found.high) == pytest.approx((0.3 - half, 0.3 + half))
    best = Interval.of(ours, Spread(9.0, 4), tests=3)  # t(1 - 0.025 / 3, 4)
    assert best.low == pytest.approx(0.3 - 3.961 * 0.1581139 / 5**0.5, abs=1e-4)


def test_an_interval_of_few_networks_includes_the_published_spread() -> None:
    found = Interval.of(networks(0.3), Spread(0.1, 4))
    assert found.high - 0.3 == pytest.approx(2.776445 * 0.1)
    found = Interval.of(networks(0.2, 0.4), Spread(0.1, 4))
    pooled = ((4 * 0.1**2 + 0.02) / 5) ** 0.5
    assert found.high - 0.3 == pytest.approx(2.570582 * pooled / 2**0.5)
    wider = Interval.of(networks(0.3, error=0.05), Spread(0.1, 4))
    assert wider.high - 0.3 == pytest.approx(np.hypot(2.776445 * 0.1, 1.959964 * 0.05))


def test_an_interval_of_a_difference_includes_both_spreads() -> None:
    found = Interval.of(networks(0.1, 0.2, 0.3, 0.4, 0.5), Spread(0.1581139, 4), others=5)
    assert found.high - 0.3 == pytest.approx(2.306004 * 0.1581139 * (2 / 5) ** 0.5)


def test_verdicts_by_hand() -> None:
    spread, five = Spread(0.1, 4), (-0.01, -0.005, 0.0, 0.005, 0.01)

    def around(mean: float, error: float = 0.0) -> Measurement:
        return networks(*(mean + part for part in five), error=error)

    effect = above(0.05, "")
    for mean, verdict in ((0.07, REPRODUCED), (0.055, CANNOT_TELL), (0.03, NOT_REPRODUCED)):
        assert effect.verdict(around(mean), spread) == verdict
    assert effect.verdict(around(0.055), spread, published=0.3) == NOT_REPRODUCED
    assert effect.verdict(around(0.055), spread, published=0.03) == CANNOT_TELL  # not too large
    assert effect.verdict(around(0.07, error=0.02), spread) == CANNOT_TELL
    assert effect.verdict(networks(float("inf"), 0.3), spread) == CANNOT_TELL
    nothing = absent(0.05, "")
    for mean, verdict in ((0.03, REPRODUCED), (-0.03, REPRODUCED), (0.045, NOT_REPRODUCED)):
        assert nothing.verdict(around(mean), spread) == verdict
    assert nothing.verdict(around(0.045, error=0.03), spread) == CANNOT_TELL
    # 2.5 standard deviations of 0.0079: a margin of 0.0198; the difference is +- 0.0115.
    number = agreement(around(0.8), 0.01)
    assert number.upper - number.lower == pytest.approx(5 * 0.00790569)
    for mean, verdict in ((0.807, REPRODUCED), (0.81, CANNOT_TELL), (0.812, NOT_REPRODUCED)):
        assert number.verdict(around(mean), Spread(0.00790569, 4)) == verdict
    assert agreement(around(0.8), 0.05).upper == pytest.approx(0.85)
    assert agreement(networks(0.0, 0.2, 0.4), 0.05).lower == pytest.approx(0.0)
    near = agreement(around(0.53), 0.05, chance=0.5)
    assert (near.lower, near.upper) == pytest.approx((0.5, 0.56)) and not near.absence
    assert agreement(around(0.03), 0.05).absence and not agreement(around(0.8), 0.05).absence

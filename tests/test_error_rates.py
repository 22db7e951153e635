"""A few draws of tests/simulate_scorecard.py: rates far from those in docs/statistics.md are noticed."""

import numpy as np
import pytest
from scipy.stats import binom

from simulate_scorecard import rates, tables

DRAWS = 8
# With an error rate of 5 %, more wrong draws than this happen once in 60,000 rows.
WRONG = int(binom.isf(2e-5, DRAWS, 0.05))


@pytest.mark.parametrize("situation", ["nothing", "limit", "shifted"])
@pytest.mark.parametrize(("count", "size"), [(1, "quick"), (2, "paper"), (5, "quick")])
def test_few_rows_come_out_as_reproduced_by_luck(situation: str, count: int, size: str) -> None:
    rows, _ = rates(situation, count, size, DRAWS)
    assert rows
    assert max(rows.values()) <= WRONG / DRAWS, {k: v for k, v in rows.items() if v > 0.3}
    assert np.mean([*rows.values()]) <= 0.05


def test_networks_like_the_published_ones_reproduce_the_paper() -> None:
    rows, kinds = rates("published", 5, "paper", DRAWS)
    power = {
        name: np.mean([rate for row, rate in rows.items() if kinds[row] == name])
        for name in set(kinds.values())
    }
    for name, least in {
        "a: growth": 0.9,
        "d": 0.7,
        "numbers: decoding": 0.7,
        "e: accuracy lost": 0.9,
    }.items():
        assert power[name] >= least, power
    assert np.mean([*rows.values()]) >= 0.8


def test_a_chance_table_without_errors_would_fail() -> None:
    """The check above can fail: the published tables in the place of those without an effect."""
    rows, kinds = rates("published", 5, "paper", 2)
    assert max(rate for row, rate in rows.items() if kinds[row] == "c") > WRONG / DRAWS


def test_drawn_networks_vary_as_the_published_ones() -> None:
    drawn = tables("published", 300, "paper", np.random.default_rng(0))
    assert drawn.accuracy.groupby("interaction")["accuracy"].std().to_numpy() == pytest.approx(
        [0.0056, 0.0056], abs=0.0015
    )

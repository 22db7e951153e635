"""What the compounded copies lose, against a loop over networks."""

import numpy as np
import pandas as pd
import pytest

from recurrence.renderings import COLUMNS, importance_lost


def made(instances: int = 3) -> pd.DataFrame:
    """Made-up importances of two repeats."""
    random = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [
            ["multiplicative", "additive"],
            range(1, instances + 1),
            [0, 1],
            ["opposite", "compounded"],
            ["input", "conv1"],
            [2, 3],
            ["scale", "orientation", "location_vertical"],
        ],
        names=["interaction", "instance", "repeat", "rendering", "layer", "timestep", "variable"],
    )
    frame = index.to_frame(index=False)
    return frame.assign(functional_importance=random.random(len(frame)))


def test_importance_lost() -> None:
    frame = made()
    table = importance_lost(frame)
    assert list(table) == list(COLUMNS)
    assert len(table) == 2 * 2 * 2 * 2 and set(table["variable"]) == {"scale", "orientation"}
    for row in table.to_dict("records"):
        cell = frame
        for key in ("interaction", "layer", "timestep", "variable"):
            cell = cell[cell[key] == row[key]]
        lost, opposite = [], []
        for instance in (1, 2, 3):
            here = cell[cell["instance"] == instance]
            means = [
                here.loc[here["rendering"] == name, "functional_importance"].mean()
                for name in ("opposite", "compounded")
            ]
            lost.append(means[0] - means[1])
            opposite.append(means[0])
        half = 1.96 * np.std(lost) / np.sqrt(3)
        assert row["lost"] == pytest.approx(np.mean(lost))
        assert (row["low"], row["high"]) == pytest.approx(
            (np.mean(lost) - half, np.mean(lost) + half)
        )
        assert row["share_lost"] == pytest.approx(np.mean(lost) / np.mean(opposite))
        assert row["instances"] == 3


def test_little_importance_has_no_share() -> None:
    frame = made().assign(functional_importance=0.01)
    assert importance_lost(frame)["share_lost"].isna().all()


def test_one_rendering_loses_nothing() -> None:
    frame = made()
    assert importance_lost(frame[frame["rendering"] == "opposite"]).empty
    assert importance_lost(frame.iloc[:0]).empty

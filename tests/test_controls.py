"""Rows of the scorecard about feedforward controls, against Student's two-sample t."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recurrence.scorecard import summary
from recurrence.verdicts import NO_VERDICT
from scored import as_ours, score


def with_controls(count: int = 5) -> tuple[pd.DataFrame, dict[str, list[float]]]:
    """The scorecard with controls of given accuracies, and all accuracies by interaction."""
    ours = as_ours()
    random = np.random.default_rng(2)
    accuracies = {
        "feedforward": list(random.normal(0.45, 0.02, count)),
        "feedforward_parameters": list(random.normal(0.7, 0.01, count)),
    }
    rows = [
        {
            "interaction": name,
            "instance": k + 1,
            "image": "cluttered",
            "n": 10**9,
            "accuracy": value,
        }
        for name, values in accuracies.items()
        for k, value in enumerate(values)
    ]
    table = pd.concat([ours.accuracy.assign(n=10**9), pd.DataFrame(rows)])
    for name, group in ours.accuracy.groupby("interaction"):
        accuracies[str(name)] = list(group["accuracy"])
    decoded = ours.decoding.query("interaction == 'additive' and timestep == 1")
    decoded = decoded[(decoded["source"] == "activation") & (decoded["instance"] <= count)]
    decoding = pd.concat([ours.decoding, decoded.assign(interaction="feedforward")])
    return score(dataclasses.replace(ours, accuracy=table, decoding=decoding)), accuracies


def test_differences_from_the_controls() -> None:
    scorecard, accuracies = with_controls()
    rows = scorecard[scorecard["claim"] == "controls"]
    accuracy = rows[rows["quantity"].str.startswith("test accuracy")]
    assert len(accuracy) == 2 * 2
    for row in accuracy.to_dict("records"):
        control = row["quantity"].removeprefix("test accuracy above that of ").replace(" ", "_")
        one, other = accuracies[row["interaction"]], accuracies[control]
        test = stats.ttest_ind(one, other).confidence_interval(0.95)
        assert row["reproduced"] == pytest.approx(np.mean(one) - np.mean(other))
        assert (row["low"], row["high"]) == pytest.approx((test.low, test.high), abs=1e-4)
        assert row["verdict"] == NO_VERDICT
    decoding = rows[rows["quantity"].str.startswith("auxiliary")]
    assert set(decoding["interaction"]) == {"multiplicative", "additive"}
    additive = decoding.set_index("interaction").loc["additive", "reproduced"]
    assert additive == pytest.approx(0.891 - 0.680, abs=0.002)  # t = 4 minus t = 1


def test_controls_do_not_count_as_tests() -> None:
    scorecard, _ = with_controls()
    text = summary(scorecard, as_ours().accuracy, "all", [])
    assert text.startswith("Run 'all': 106 of 106 tests reproduced.")
    assert "6 no verdict" not in text.split("Beyond the paper")[0]
    assert "no verdict" in text.split("Beyond the paper")[1]


def test_one_network_of_each_has_no_interval() -> None:
    ours = as_ours()
    accuracy = ours.accuracy[ours.accuracy["instance"] == 1]
    control = accuracy.assign(interaction="feedforward", accuracy=0.5).iloc[:1]
    rows = score(dataclasses.replace(ours, accuracy=pd.concat([accuracy, control])))
    rows = rows[(rows["claim"] == "controls") & rows["quantity"].str.startswith("test accuracy")]
    assert len(rows) == 2 and rows["reproduced"].notna().all()
    assert rows[["low", "high"]].isna().all(axis=None)

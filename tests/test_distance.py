"""Distances from the published networks, against values computed by hand from the files."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recurrence.distance import COLUMNS, QUANTITIES, Distance, cells, distances, left_out, reach
from recurrence.names import PUBLISHED_INTERACTIONS
from recurrence.statistics import Tables, load

PUBLISHED = load(Path(__file__).parent.parent / "data" / "published")
TABLES = {"decoding": PUBLISHED.decoding, "importance": PUBLISHED.perturbation}
PAPER = (200 * 10, 1_000 * 5)  # scenes behind a published value
# Difference and correlation of the five published networks, each against the other four: lowest and highest.
LEFT_OUT = {
    ("decoding", "multiplicative"): ((0.0085, 0.0151), (0.9976, 0.9991)),
    ("decoding", "additive"): ((0.0094, 0.0183), (0.9965, 0.9987)),
    ("importance", "multiplicative"): ((0.030, 0.042), (0.927, 0.981)),
    ("importance", "additive"): ((0.019, 0.045), (0.911, 0.985)),
}


@pytest.mark.parametrize(("quantity", "interaction"), LEFT_OUT)
def test_published_networks_left_out_in_turn(quantity: str, interaction: str) -> None:
    networks = cells(TABLES[quantity], quantity, interaction)
    assert networks.shape == ({"decoding": 140, "importance": 72}[quantity], 5)
    found = left_out(networks)
    differences, correlations = LEFT_OUT[quantity, interaction]
    digits = 1e-4 if quantity == "decoding" else 1e-3
    for values, expected in (
        ([one.difference for one in found], differences),
        ([one.correlation for one in found], correlations),
    ):
        assert (min(values), max(values)) == pytest.approx(expected, abs=0.6 * digits)


@pytest.mark.parametrize("count", [1, 5])
def test_the_reach_is_that_of_students_prediction(count: int) -> None:
    """For each measure the error rate is 5 % / 8; t(1 - 0.00625, 4) is 4.3147."""
    networks = cells(PUBLISHED.decoding, "decoding", "additive")
    known = [
        Distance.between(networks[k], networks[[j for j in networks if j != k]].mean(axis=1))
        for k in networks
    ]
    found = reach(PUBLISHED, "decoding", "additive", count)
    far = pd.Series([each.difference for each in known])
    width = 4.3147 * (1 / count + 1 / 5) ** 0.5
    assert found.farthest.difference == pytest.approx(far.mean() + width * far.std(), rel=1e-4)
    z = np.arctanh(pd.Series([each.correlation for each in known]))
    lowest = np.tanh(z.mean() - width * z.std())
    assert found.farthest.correlation == pytest.approx(lowest, abs=1e-5)
    mean = networks.mean(axis=1)
    noise = 0.7979 * ((mean * (1 - mean) / 2_000) ** 0.5).mean()
    assert found.noise == pytest.approx(noise, rel=0.01)


@pytest.mark.parametrize(("quantity", "expected"), [("decoding", 0.044), ("importance", 0.091)])
def test_the_interactions_are_far_apart(quantity: str, expected: float) -> None:
    one, other = (
        cells(TABLES[quantity], quantity, name).mean(axis=1) for name in PUBLISHED_INTERACTIONS
    )
    found = Distance.between(one, other)
    assert found.difference == pytest.approx(expected, abs=6e-4)
    if quantity == "importance":
        assert found.correlation == pytest.approx(0.69, abs=6e-3)


def test_published_networks_are_within_their_own_range() -> None:
    table = distances(PUBLISHED, PUBLISHED, *PAPER)
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 2 * 2 * 5
    assert table["within"].eq(True).all()
    assert (table["sampling_noise"] < table["published_mean_absolute_difference"] / 2).all()


def test_a_network_that_is_shifted_everywhere_is_as_far_away_as_the_shift() -> None:
    mean = PUBLISHED.perturbation.groupby(
        ["interaction", "layer", "timestep", "variable"], as_index=False
    ).mean()
    shifted = mean.assign(functional_importance=mean["functional_importance"] + 0.07, instance=3)
    ours = dataclasses.replace(PUBLISHED, perturbation=shifted)
    table = distances(ours, PUBLISHED, *PAPER)
    table = table[table["quantity"] == "importance"]
    assert table["instance"].tolist() == [3, 3]
    assert table["mean_absolute_difference"].to_numpy() == pytest.approx(0.07)
    assert table["correlation"].to_numpy() == pytest.approx(1)
    assert table["within"].eq(False).all()


def simulated(scenes: int, random: np.random.Generator) -> pd.DataFrame:
    """Decoding accuracies of a network with the published means, counted on ``scenes``."""
    keys = ["interaction", "source", "layer", "timestep", "variable"]
    mean = PUBLISHED.decoding.groupby(keys, as_index=False)["accuracy"].mean()
    counts = random.binomial(scenes, mean["accuracy"])
    return mean.assign(accuracy=counts / scenes, instance=1)


def test_the_noise_is_the_distance_that_chance_makes() -> None:
    random = np.random.default_rng(5)
    for scenes, judged in ((400, False), (2_000, True)):
        tables = [
            distances(
                dataclasses.replace(PUBLISHED, decoding=simulated(scenes, random)),
                PUBLISHED,
                scenes,
                1_000,
            ).query("quantity == 'decoding'")
            for _ in range(20)
        ]
        rows = pd.concat(tables).groupby("interaction")
        means = rows[["sampling_noise", "mean_absolute_difference"]].mean()
        noise = means["sampling_noise"].to_numpy()
        assert noise == pytest.approx(means["mean_absolute_difference"].to_numpy(), rel=0.04)
        assert rows["within"].count().eq(20 if judged else 0).all()


def without(frame: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    return frame[frame[column] != value]


def test_a_run_without_some_published_cells_is_not_judged() -> None:
    ours = Tables(
        accuracy=PUBLISHED.accuracy,
        decoding=without(PUBLISHED.decoding, "timestep", 4),
        perturbation=without(PUBLISHED.perturbation, "variable", "scale"),
    )
    table = distances(ours, PUBLISHED, *PAPER)
    assert dict(table.groupby("quantity")["cells"].first()) == {"decoding": 100, "importance": 60}
    assert table["within"].isna().all()


def test_only_the_published_rendering_and_cluttered_scenes_count() -> None:
    ours = Tables(
        accuracy=PUBLISHED.accuracy,
        decoding=PUBLISHED.decoding.assign(image="clean"),
        perturbation=PUBLISHED.perturbation.assign(rendering="opposite"),
    )
    assert distances(ours, PUBLISHED, *PAPER).empty


def test_networks_of_the_other_interaction_are_outside() -> None:
    other = {"multiplicative": "additive", "additive": "multiplicative"}
    frames = {
        name: getattr(PUBLISHED, name).assign(
            interaction=getattr(PUBLISHED, name)["interaction"].replace(other)
        )
        for name in ("accuracy", "decoding", "perturbation")
    }
    table = distances(Tables(**frames), PUBLISHED, *PAPER)
    assert set(table["quantity"]) == set(QUANTITIES)
    assert table["within"].eq(False).all()


def test_equal_values_everywhere_have_no_correlation() -> None:
    flat = PUBLISHED.perturbation.assign(functional_importance=0.0)
    ours = dataclasses.replace(PUBLISHED, perturbation=flat)
    table = distances(ours, PUBLISHED, *PAPER)
    table = table[table["quantity"] == "importance"]
    assert table["correlation"].isna().all()
    assert table["within"].eq(False).all()  # the difference alone tells
    # Published networks that differ much and have a mean of 0: the difference does not tell.
    sign = flat["instance"].map({1: 0.1, 2: -0.1, 3: 0.2, 4: -0.2, 5: 0.0})
    published = dataclasses.replace(PUBLISHED, perturbation=flat.assign(functional_importance=sign))
    near = distances(ours, published, *PAPER)
    near = near[near["quantity"] == "importance"]
    assert (near["mean_absolute_difference"] < near["published_mean_absolute_difference"]).all()
    assert near["within"].isna().all()

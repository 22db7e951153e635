"""How far networks are from the published ones, over all published cells. Imports no torch.

A published network has a distance too: from the mean of the other four. A network that is no farther
away than the worst published one could be one of the authors' networks.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from recurrence.names import ALL, PUBLISHED_INTERACTIONS
from recurrence.statistics import CELL, Tables, pooled_errors, repeats, select

COLUMNS = (
    "interaction",
    "instance",
    "quantity",
    "cells",
    "mean_absolute_difference",
    "correlation",
    "published_mean_absolute_difference",
    "published_correlation",
    "sampling_noise",
    "within",
)
QUANTITIES = ("decoding", "importance")
KEYS = {"decoding": ["source", *CELL], "importance": CELL}
VALUES = {"decoding": "accuracy", "importance": "functional_importance"}
# The mean size of a normal deviate, in standard deviations.
MEAN_DEVIATE = float(np.sqrt(2 / np.pi))
# A network is not judged if chance alone moves it by more than this share of the published range.
TOLERABLE_NOISE = 0.5
# The test scenes behind a published decoding accuracy and importance, which are means of all repeats.
PUBLISHED_SCENES = {"decoding": 2_000, "importance": 5_000}
# How often networks like the published ones may be called too far away, in any of 2 x 2 x 2 tests: of difference and
# correlation, for each quantity and interaction.
FALSE_ALARM, TESTS = 0.05, 8


@dataclass(frozen=True)
class Distance:
    """Mean absolute difference and correlation between two sets of cells."""

    difference: float
    correlation: float

    @classmethod
    def between(cls, one: "pd.Series[float]", other: "pd.Series[float]") -> "Distance":
        """The distance over the cells of ``one``. Constant values have no correlation: nan."""
        other = other.reindex(one.index)
        flat = one.nunique() < 2 or other.nunique() < 2
        correlation = float("nan") if flat else float(one.corr(other, "pearson"))
        return cls(float((one - other).abs().mean()), correlation)


def cells(table: pd.DataFrame, quantity: str, interaction: str) -> pd.DataFrame:
    """One interaction's cells of a quantity, mean over repeats: a column per instance.

    ``table`` is decoding or perturbation. Only cluttered scenes, the published rendering
    (``compounded``) and the whole flow to a layer are used. The two axes of location are separate cells.
    """
    rows = _rows(table, quantity, interaction)
    return rows.pivot_table(index=KEYS[quantity], columns="instance", values=VALUES[quantity])


def left_out(published: pd.DataFrame) -> list[Distance]:
    """The distance of each published network from the mean of the other ones."""
    return [
        Distance.between(published[k], published.drop(columns=k).mean(axis=1)) for k in published
    ]


@dataclass(frozen=True)
class Reach:
    """How far away the mean of further networks of the published kind can be, and the ``noise`` of published ones."""

    farthest: Distance
    noise: float


def reach(published: Tables, quantity: str, interaction: str, networks: int) -> Reach:
    """Student's prediction limits for the mean of so many ``networks``, from the published ones left out in turn.

    Those of the correlation are for Fisher's z. ``noise`` is as in :func:`distances`. docs/statistics.md says why.
    """
    table = _table(published, quantity)
    reference = cells(table, quantity, interaction)
    known = left_out(reference)
    level = 1 - FALSE_ALARM / TESTS
    width = stdtrit(len(known) - 1, level) * np.sqrt(1 / networks + 1 / len(known))
    differences = np.array([each.difference for each in known])
    z = np.arctanh([each.correlation for each in known])
    farthest = Distance(
        float(differences.mean() + width * differences.std(ddof=1)),
        float(np.tanh(z.mean() - width * z.std(ddof=1))),
    )
    errors = _errors(table, quantity, interaction, PUBLISHED_SCENES[quantity])
    return Reach(farthest, MEAN_DEVIATE * float(errors.to_numpy().mean()))


def distances(ours: Tables, published: Tables, scored: int, perturbed: int) -> pd.DataFrame:
    """Make distance.csv: a row for each network and quantity, with the columns :data:`COLUMNS`.

    ``published_...`` is the worst value of a published network (each compared with the other four).
    ``sampling_noise`` is the mean absolute difference that a network with exactly the published means
    would have, as the number of test scenes is finite: ``scored`` and ``perturbed`` in a repeat.
    ``within`` says whether a network is no farther away than the worst published one. It is empty if
    the noise is more than :data:`TOLERABLE_NOISE` of the published distance, if a published cell
    is missing, or if only the correlation could tell and there is none, as all values are equal.
    """
    rows = [
        row
        for quantity, scenes in zip(QUANTITIES, (scored, perturbed), strict=True)
        for interaction in PUBLISHED_INTERACTIONS
        for row in _distances(ours, published, quantity, interaction, scenes)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _table(tables: Tables, quantity: str) -> pd.DataFrame:
    return tables.decoding if quantity == "decoding" else tables.perturbation


def _rows(table: pd.DataFrame, quantity: str, interaction: str) -> pd.DataFrame:
    only = {"image": "cluttered"} if quantity == "decoding" else {"rendering": "compounded"}
    return select(table, interaction=interaction, connection=ALL, **only)


def _distances(
    ours: Tables, published: Tables, quantity: str, interaction: str, scenes: int
) -> list[dict[str, object]]:
    table = _table(ours, quantity)
    reference = cells(_table(published, quantity), quantity, interaction)
    mean = reference.mean(axis=1)
    networks = cells(table, quantity, interaction)
    networks = networks[networks.index.isin(reference.index)]
    worst = left_out(reference.loc[networks.index]) if len(networks) else []
    errors = _errors(table, quantity, interaction, scenes) if len(networks) else pd.DataFrame()
    rows = []
    for instance in networks:
        network = networks[instance].dropna()
        if network.empty:
            continue
        distance = Distance.between(network, mean)
        published_difference = max(one.difference for one in worst)
        published_correlation = float(pd.Series([one.correlation for one in worst]).min())
        noise = MEAN_DEVIATE * float(errors[instance].reindex(network.index).mean())
        near = distance.difference <= published_difference
        within: bool | None = near and distance.correlation >= published_correlation
        if near and np.isnan(distance.correlation):
            within = None
        if len(network) < len(reference) or not noise <= TOLERABLE_NOISE * published_difference:
            within = None
        figures = (distance.difference, distance.correlation)
        limits = (published_difference, published_correlation)
        row = (interaction, instance, quantity, len(network), *figures, *limits, noise, within)
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    return rows


def _errors(table: pd.DataFrame, quantity: str, interaction: str, scenes: int) -> pd.DataFrame:
    """The standard error of each cell due to its test scenes: binomial, or from discordant answers."""
    rows = _rows(table, quantity, interaction)
    if quantity == "importance":
        return pooled_errors(rows, scenes)
    fraction = cells(table, quantity, interaction)
    return (fraction * (1 - fraction) / (scenes * repeats(rows))) ** 0.5

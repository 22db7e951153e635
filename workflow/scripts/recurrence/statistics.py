"""Tables of a run, what they show for each network, and bands over networks. Imports no torch.

First repeats are averaged within each network, then variables are grouped, and last bands and
intervals are computed over networks (docs/experiment.md 4 and 5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from recurrence.names import ALL, AUXILIARY, GROUPS
from recurrence.storage import read_table

Values = npt.NDArray[np.float64]
CELL = ["layer", "timestep", "variable"]  # an importance belongs to such a cell


@dataclass(frozen=True)
class Band:
    """Mean over ``instances`` networks, and its 95 % interval: nan for fewer than two."""

    mean: float
    low: float
    high: float
    instances: int


def band(values: npt.ArrayLike) -> Band:
    """Mean +- 1.96 population sd / sqrt(n) over instances: the authors' band, for figures and tables.

    For few networks it is too narrow; the scorecard uses intervals of its own
    (:mod:`recurrence.verdicts`).
    """
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[~np.isnan(sample)]
    if sample.size == 0:
        return Band(np.nan, np.nan, np.nan, 0)
    if sample.size == 1:
        return Band(float(sample[0]), np.nan, np.nan, 1)
    mean, half = float(sample.mean()), 1.96 * float(sample.std()) / float(np.sqrt(sample.size))
    return Band(mean, mean - half, mean + half, sample.size)


def per_instance(frame: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    """One row per instance and key: ``value``, mean over repeats, then over grouped variables.

    ``keys`` are columns of ``frame`` besides interaction and instance, and include ``variable``.
    Location is the mean of its two axes; category (of perturbations) is the mean of within and
    between.
    """
    columns = ["interaction", "instance", *keys]
    averaged = frame.groupby(columns, as_index=False, sort=False)[value].mean()
    averaged["variable"] = averaged["variable"].replace(GROUPS)
    grouped: pd.DataFrame = averaged.groupby(columns, as_index=False, sort=False)[value].mean()
    return grouped


def bands(frame: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    """Take the band of ``value`` over the rows that share ``keys``; columns as in Band."""
    rows = [
        (*key, *vars(band(group[value])).values())
        for key, group in frame.groupby(list(keys), sort=False, as_index=False)
    ]
    return pd.DataFrame(rows, columns=[*keys, "mean", "low", "high", "instances"])


def concatenate(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Concatenate per-instance tables ``.../<interaction>/instance<k>/<name>.csv``.

    A table without the columns interaction and instance (training.csv) gets them from its path. A
    table with only a header adds nothing (a network without recurrence has nothing to perturb).
    """
    frames = []
    for path in map(Path, paths):
        frame = read_table(path)
        if "interaction" not in frame:
            frame.insert(0, "interaction", path.parts[-3])
            frame.insert(1, "instance", int(path.parts[-2].removeprefix("instance")))
        frames.append(frame)
    return pd.concat([f for f in frames if len(f)] or frames[:1], ignore_index=True)


def select(frame: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    """Keep rows with the ``wanted`` values. A column that a (published) frame lacks is ignored."""
    for column, value in wanted.items():
        if column in frame:
            frame = frame[frame[column] == value]
    return frame


def published_rendering(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows with the rendering of the published ones (``compounded``), or else the first one."""
    if "rendering" not in frame or frame.empty:
        return frame
    present = frame["rendering"].unique()
    return select(frame, rendering="compounded" if "compounded" in present else str(present[0]))


@dataclass(frozen=True)
class Tables:
    """The tables of a run, or the published ones, of which there are only the first three.

    They have what the paper has: the whole recurrent flow to a layer. Rows about single connections are in
    ``connections``, by the name of their table.
    """

    accuracy: pd.DataFrame
    decoding: pd.DataFrame
    perturbation: pd.DataFrame
    ablation: pd.DataFrame | None = None
    clutter: pd.DataFrame | None = None
    scene_decoding: pd.DataFrame | None = None
    connections: Mapping[str, pd.DataFrame] = field(default_factory=dict, kw_only=True)


def load(folder: Path) -> Tables:
    """Read the tables of a run, or the published ones, from ``folder``."""
    names = ("accuracy", "decoding", "perturbation", "ablation", "clutter", "scene_decoding")
    paths = {name: folder / f"{name}.csv" for name in names}
    tables = {name: read_table(path) for name, path in paths.items() if path.exists()}
    connections = {}
    for name in ("decoding", "perturbation"):
        if "connection" in (table := tables[name]):
            connections[name] = table[table["connection"] != ALL]
            tables[name] = select(table, connection=ALL)
    return Tables(**tables, connections=connections)


@dataclass(frozen=True)
class Measurement:
    """A quantity of one interaction: its value in each network, nan where there is none.

    ``error`` is the standard error that the finite number of test scenes gives the mean. All
    networks of a run see the same scenes, so that it does not shrink with their number, nor does
    their spread hold it.
    """

    values: Values
    error: float = 0.0

    @property
    def sample(self) -> Values:
        """The values without nan."""
        return self.values[~np.isnan(self.values)]

    @property
    def mean(self) -> float:
        """The mean over networks; nan if there is none."""
        return float(self.sample.mean()) if self.sample.size else float("nan")

    def __sub__(self, other: "Measurement") -> "Measurement":
        """The difference within each network. Its error, as if on different scenes, is an upper bound."""
        return Measurement(self.values - other.values, float(np.hypot(self.error, other.error)))


def average(parts: Sequence[Measurement], independent: bool = False) -> Measurement:
    """The mean of quantities within each network.

    Their errors are averaged, which is an upper bound, or combined as those of ``independent``
    quantities.
    """
    errors = np.array([part.error for part in parts])
    error = float(np.sqrt((errors**2).sum())) / len(parts) if independent else errors.mean()
    return Measurement(np.mean([part.values for part in parts], axis=0), float(error))


def binomial_error(fraction: float, scenes: float) -> float:
    """The standard error of a fraction that was counted on ``scenes``."""
    return float(np.sqrt(max(fraction * (1 - fraction), 0.0) / scenes))


def importance_errors(perturbation: pd.DataFrame, perturbed: int) -> pd.Series:
    """The standard error of each functional importance due to its scenes, by row.

    Importance is the ratio of two means over the same scenes: D (1 where the answer is right under
    the control alone, -1 where it is under the systematic perturbation alone) over O (1 where the
    unperturbed answer is right). The error of a ratio R is that of the mean of D - R O, divided by
    the mean of O (Cochran 1977, 2.11). One discordant scene is added to those counted, as
    none among few scenes does not mean never.

    In tables without counts, such as the published ones, the three answers to a scene are taken as
    independent, on ``perturbed`` scenes. The error is then too large.
    """
    original, ratio = perturbation["accuracy_original"], perturbation["functional_importance"]
    if "n" in perturbation:
        n = perturbation["n"]
        control, systematic = perturbation["control_only"] / n, perturbation["systematic_only"] / n
        together = perturbation["control_only_original"] - perturbation["systematic_only_original"]
        product = together / n
    else:
        n = pd.Series(perturbed, perturbation.index)
        right = perturbation["accuracy_control"], perturbation["accuracy_systematic"]
        control, systematic = right[0] * (1 - right[1]), right[1] * (1 - right[0])
        product = (control - systematic) * original
    square = control + systematic + 1 / n - 2 * ratio * product + ratio**2 * original
    return np.sqrt(square.clip(lower=0) / n) / original


def pooled_errors(perturbation: pd.DataFrame, perturbed: int) -> pd.DataFrame:
    """The standard error of an importance over all repeats, by (layer, timestep, variable): a column per instance."""
    rows = perturbation.assign(variance=importance_errors(perturbation, perturbed) ** 2)
    cell = rows.groupby([*CELL, "instance"])["variance"]
    pooled: pd.DataFrame = (cell.sum() ** 0.5 / cell.count()).unstack("instance")
    return pooled


@dataclass(frozen=True)
class Evidence:
    """The results of one interaction's networks. Frames have a column per instance.

    ``decoding`` (source, layer, timestep, variable) and ``importance`` (layer, timestep, variable)
    have grouped variables; importance has the two category variables too. ``importance_error`` is the
    standard error of each ungrouped variable's importance; ``scored`` is the number of test scenes
    behind one decoding accuracy.
    """

    accuracy: Measurement
    decoding: pd.DataFrame
    importance: pd.DataFrame
    importance_error: "pd.Series[float]"
    loss: Measurement  # of accuracy, when the fc lateral connection is removed
    clutter: pd.DataFrame  # (timestep): clutter energy relative to t = 1
    clutter_error: "pd.Series[float]"  # (timestep): its standard error
    scored: int

    @classmethod
    def of(
        cls, tables: Tables, interaction: str, scored: int = 200, perturbed: int = 1_000
    ) -> "Evidence":
        """Arrange one interaction's tables: cluttered scenes, and the published rendering.

        ``scored`` and ``perturbed`` are the test scenes per repeat of decoding and of perturbation.
        """
        accuracy = select(tables.accuracy, interaction=interaction, image="cluttered")
        decoding = select(tables.decoding, interaction=interaction, image="cluttered")
        decoding = decoding[~decoding["variable"].isin(_halves(decoding["variable"]))]
        perturbation = published_rendering(select(tables.perturbation, interaction=interaction))
        halves = perturbation[perturbation["variable"].str.startswith("category_")]
        grouped = per_instance(perturbation, CELL, "functional_importance")
        clutter, clutter_error = pd.DataFrame(), pd.Series(dtype=np.float64)
        if tables.clutter is not None:
            rows = select(tables.clutter, interaction=interaction, quadrant="all")
            clutter = rows.pivot_table(index="timestep", columns="instance", values="relative")
            if "standard_error" in rows:
                clutter_error = rows.groupby("timestep")["standard_error"].mean()
        fractions = accuracy["accuracy"].to_numpy(dtype=np.float64)
        scenes = float(accuracy["n"].min()) if "n" in accuracy and len(accuracy) else 10_000
        read_outs = per_instance(decoding, ["source", *CELL], "accuracy")
        return cls(
            accuracy=Measurement(fractions, binomial_error(Measurement(fractions).mean, scenes)),
            decoding=_wide(read_outs, ["source", *CELL], "accuracy"),
            importance=_wide(pd.concat([grouped, halves]), CELL, "functional_importance"),
            importance_error=pooled_errors(perturbation, perturbed).mean(axis=1),
            loss=_ablation_loss(tables.ablation, interaction),
            clutter=clutter,
            clutter_error=clutter_error,
            scored=scored * repeats(decoding),
        )

    def timesteps(self, source: str) -> list[int]:
        """Timesteps at which ``source`` was decoded."""
        return sorted({t for s, _, t, _ in self.decoding.index if s == source})

    def decoded(self, source: str, layer: str, variable: str, timestep: int) -> Measurement:
        """The decoding accuracy. Location has two decoders, one for each axis."""
        values = row_of(self.decoding, (source, layer, timestep, variable))
        scenes = self.scored * (2 if variable == "location" else 1)
        return Measurement(values, binomial_error(Measurement(values).mean, scenes))

    def auxiliary(self, source: str, layers: Sequence[str], timestep: int) -> Measurement:
        """The decoding accuracy, mean over the auxiliary variables and ``layers``."""
        return average(
            [
                average(
                    [self.decoded(source, layer, variable, timestep) for variable in AUXILIARY],
                    independent=True,
                )
                for layer in layers
            ]
        )

    def important(self, layer: str, variable: str, timestep: int) -> Measurement:
        """The functional importance. If it is a mean of two variables, their errors are averaged."""
        values = row_of(self.importance, (layer, timestep, variable))
        halves = [raw for raw, group in GROUPS.items() if group == variable] or [variable]
        errors = [self.importance_error.get((layer, timestep, half), np.nan) for half in halves]
        return Measurement(values, float(np.mean(errors)))

    def clutter_left(self, timestep: int) -> Measurement:
        """The clutter left at the input."""
        error = float(self.clutter_error.get(timestep, 0.0))
        return Measurement(row_of(self.clutter, timestep), error)


def row_of(frame: pd.DataFrame, key: tuple[str | int, ...] | int) -> Values:
    """The values of one row; nan if the frame has no such row."""
    if key not in frame.index:
        return np.full(max(1, frame.shape[1]), np.nan)
    return np.asarray(frame.to_numpy(dtype=np.float64)[frame.index.get_loc(key)])


def _halves(variables: "pd.Series[str]") -> set[str]:
    """The variables whose group is not complete: one axis is no location."""
    present = set(variables)
    incomplete = {group for variable, group in GROUPS.items() if variable not in present}
    return {variable for variable in present if GROUPS.get(variable) in incomplete}


def repeats(frame: pd.DataFrame) -> int:
    """The number of repeats in a table; 1 in the published ones, which are means over repeats."""
    return max(1, frame["repeat"].nunique()) if "repeat" in frame else 1


def _wide(frame: pd.DataFrame, keys: list[str], value: str) -> pd.DataFrame:
    return frame.pivot_table(index=keys, columns="instance", values=value, sort=True)


def _ablation_loss(ablation: pd.DataFrame | None, interaction: str) -> Measurement:
    """The accuracy lost without the fc lateral connection, and its error if discordant answers were counted."""
    if ablation is None:
        return Measurement(np.empty(0))
    rows = select(ablation, interaction=interaction, removed="fc")
    values = (rows["accuracy_intact"] - rows["accuracy_ablated"]).to_numpy(dtype=np.float64)
    if rows.empty or "intact_only" not in rows:
        return Measurement(values)
    discordant = (rows["intact_only"] + rows["ablated_only"] + 1) / rows["n"]
    variance = (discordant - values**2).clip(lower=0) / rows["n"]
    return Measurement(values, float((variance**0.5).mean()))

"""What runs measured, with intervals, and the differences between them (docs/statistics.md). Imports no torch.

Means and differences are over networks. Networks of two runs that have the same seed are a pair.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd

from recurrence.comparison.runs import FINISH, Files, RunError
from recurrence.comparison.settings import Settings
from recurrence.interactions import interactions
from recurrence.names import AUXILIARY, LAYERS
from recurrence.statistics import (
    Evidence,
    Measurement,
    Tables,
    average,
    binomial_error,
    concatenate,
    select,
)
from recurrence.storage import read_table
from recurrence.verdicts import Interval

COLUMNS = {  # that a table must have, and may have
    "accuracy": ("interaction instance image n accuracy", ""),
    "decoding": (
        "interaction instance repeat source layer timestep image variable accuracy",
        "unconverged connection",
    ),
    "perturbation": (
        "interaction instance repeat rendering layer timestep variable accuracy_original "
        "functional_importance n control_only systematic_only control_only_original "
        "systematic_only_original",
        "accuracy_systematic accuracy_control connection",
    ),
}
ACCURACY = "test accuracy"
DECODING = {
    "activation": "decoding from activations",
    "recurrent_flow": "decoding from recurrent flow",
}
IMPORTANCE = "functional importance"
LAST = "last timestep"
MEAN = "mean"
ENDS = {"": "mean", "_low": "low", "_high": "high"}  # of the columns of a difference


class Key(NamedTuple):
    """What a value is of. Layer, timestep and variable are empty where they do not apply."""

    measure: str
    interaction: str
    layer: str
    timestep: int | str
    variable: str


@dataclass(frozen=True)
class Sample:
    """Values by instance, and the standard error that the finite number of test scenes gives their mean."""

    values: "pd.Series[float]"
    error: float

    @classmethod
    def of(cls, measurement: Measurement, instances: Sequence[int]) -> "Sample":
        """Name the instances of a measurement, and leave out those without a value."""
        return cls(pd.Series(measurement.values, list(instances)).dropna(), measurement.error)


@dataclass(frozen=True)
class Run:
    """A finished run: its name, what it was made from, and what it measured."""

    name: str
    settings: Settings
    samples: Mapping[Key, Sample]

    @classmethod
    def read(cls, files: Files) -> "Run":
        """Read a run; raises :class:`RunError` if its files do not fit together, or a table has other columns."""
        settings = Settings.of(files)
        tables = Tables(*(_table(path, files) for path in files.tables))
        scored = settings.keys["decoding.scenes"] - settings.keys["decoding.fit"]
        return cls(files.name, settings, dict(measured(tables, scored)))


def _table(path: Path, files: Files) -> pd.DataFrame:
    """A table of a run, with the rows for the sum of all connections only."""
    table = read_table(path)
    if not table.equals(concatenate(files.parts(path.stem))):
        raise RunError(
            f"{path} has other rows than the files of its networks: the run {files.name} is not finished. {FINISH}"
        )
    needed, more = (set(columns.split()) for columns in COLUMNS[path.stem])
    for columns, what in ((needed - {*table}, "lacks"), ({*table} - needed - more, "also has")):
        if columns:
            raise RunError(
                f"{path} {what} the columns {', '.join(sorted(columns))}: another version of the project made it; make "
                "that run again with this one, or compare with the other version"
            )
    return select(table, connection="all").drop(columns="connection", errors="ignore")


def measured(tables: Tables, scored: int) -> Iterator[tuple[Key, Sample]]:
    """All that a run measured; ``scored`` is the number of test scenes of a repeat that decoders were scored on."""
    for interaction in map(str, tables.accuracy["interaction"].unique()):
        accuracy = select(tables.accuracy, interaction=interaction)
        for image, rows in accuracy.groupby("image", sort=False):
            values = rows.set_index("instance")["accuracy"]
            error = binomial_error(values.mean(), float(rows["n"].min()))
            yield Key(ACCURACY, interaction, "", "", f"{image} scenes"), Sample(values, error)
        evidence = Evidence.of(tables, interaction, scored)
        yield from _decoded(evidence, interaction)
        rows = select(tables.perturbation, interaction=interaction)
        for rendering in map(str, rows["rendering"].unique()):
            only = replace(tables, perturbation=select(rows, rendering=rendering))
            evidence = Evidence.of(only, interaction, scored)
            yield from _important(evidence, interaction, importance(rendering))


def importance(rendering: str) -> str:
    """The measure of the functional importance with one rendering of the altered copies."""
    return f"{IMPORTANCE} ({rendering})"


def _decoded(evidence: Evidence, interaction: str) -> Iterator[tuple[Key, Sample]]:
    instances = [int(k) for k in evidence.decoding.columns]
    for source, measure in DECODING.items():
        timesteps = evidence.timesteps(source)
        if source == "activation" and timesteps:
            last = max(timesteps)
            auxiliary = evidence.auxiliary(source, LAYERS, last)
            yield (
                Key(measure, interaction, MEAN, LAST, "auxiliary"),
                Sample.of(auxiliary, instances),
            )
            category = evidence.decoded(source, "fc", "category", last)
            yield Key(measure, interaction, "fc", LAST, "category"), Sample.of(category, instances)
        for of, layer, timestep, variable in evidence.decoding.index:
            if of == source:
                value = evidence.decoded(source, layer, variable, timestep)
                key = Key(measure, interaction, layer, timestep, variable)
                yield key, Sample.of(value, instances)


def _important(evidence: Evidence, interaction: str, measure: str) -> Iterator[tuple[Key, Sample]]:
    instances = [int(k) for k in evidence.importance.columns]
    cells = list(evidence.importance.index)

    def mean(variable: str, layers: Sequence[str]) -> Measurement:
        parts = [cell for cell in cells if cell[0] in layers and cell[2] == variable]
        return average([evidence.important(layer, variable, t) for layer, t, _ in parts])

    present = {variable for _, _, variable in cells}
    if any(layer == "input" for layer, _, _ in cells) and "location" in present:
        key = Key(measure, interaction, "input", MEAN, "location")
        yield key, Sample.of(mean("location", ["input"]), instances)
    for variable in (*AUXILIARY, "category"):
        if variable in present:
            key = Key(measure, interaction, MEAN, MEAN, variable)
            yield key, Sample.of(mean(variable, LAYERS), instances)
    for layer, timestep, variable in cells:
        value = evidence.important(layer, variable, timestep)
        yield Key(measure, interaction, layer, timestep, variable), Sample.of(value, instances)


# --- intervals -----------------------------------------------------------------------------------


def estimate(sample: Sample) -> Interval:
    """The mean over networks. Its interval is Student's, widened by the error of the test scenes."""
    values = sample.values
    return _interval(values.mean(), _standard_error(values), len(values) - 1, sample.error)


def difference(first: Sample, second: Sample, pairs: Sequence[tuple[int, int]]) -> Interval:
    """The second mean less the first, with Student's interval over ``pairs`` of networks.

    Without pairs it is Welch's, of two independent samples. The error of the test scenes is as if each had its own:
    an upper bound if they have the same.
    """
    error = float(np.hypot(first.error, second.error))
    if pairs:
        values = pd.Series([second.values[b] - first.values[a] for a, b in pairs])
        return _interval(values.mean(), _standard_error(values), len(values) - 1, error)
    a, b = first.values, second.values
    squares = np.array([a.var() / len(a), b.var() / len(b)])  # nan for one network
    total = squares.sum()
    freedom = total**2 / (squares**2 / [len(a) - 1, len(b) - 1]).sum() if total > 0 else np.inf
    return _interval(b.mean() - a.mean(), np.sqrt(total), freedom, error)


def _standard_error(values: "pd.Series[float]") -> float:
    """That of the mean over networks; nan for one."""
    return cast(float, values.sem())


def _interval(mean: float, networks: float, freedom: float, scenes: float) -> Interval:
    """As :meth:`Interval.around`, but without ends (nan) if there are fewer than two networks."""
    if freedom < 1 or np.isnan(networks):
        return Interval(mean, np.nan, np.nan)
    return Interval.around(mean, networks, freedom, scenes)


def paired(first: Run, second: Run, key: Key) -> list[tuple[int, int]]:
    """The instances of two runs whose networks have the same seed, and a value of ``key`` in both."""
    a, b = (
        {
            run.settings.seeds[key.interaction, instance]: instance
            for instance in run.samples[key].values.index
        }
        for run in (first, second)
    )
    return [(a[seed], b[seed]) for seed in a if seed in b]


def compared(runs: Sequence[Run]) -> pd.DataFrame:
    """A row for each value and run: its mean, and the difference from the first run, where both have it."""
    rows = []
    first = runs[0]
    for key in sorted({key for run in runs for key in run.samples}, key=_order):
        for run in runs:
            if key not in run.samples or run.samples[key].values.empty:
                continue
            sample = run.samples[key]
            row: dict[str, Any] = {**key._asdict(), "run": run.name, "networks": len(sample.values)}
            row |= vars(estimate(sample))
            before = first.samples.get(key)
            if run is not first and before is not None and len(before.values):
                pairs = paired(first, run, key)
                made = vars(difference(before, sample, pairs))
                row |= {"compared_with": first.name, "pairs": len(pairs)}
                row |= {f"difference{end}": made[at] for end, at in ENDS.items()}
            rows.append(row)
    columns = [*Key._fields, "run", "networks", "mean", "low", "high", "compared_with", "pairs"]
    table = pd.DataFrame(rows, columns=[*columns, *(f"difference{end}" for end in ENDS)])
    return table.astype({"pairs": "Int64"})


def _order(key: Key) -> tuple[Any, ...]:
    """The order of the rows. Means over layers and timesteps come before single ones."""
    layers = ["", "input", MEAN, *LAYERS[1:]] if isinstance(key.timestep, str) else LAYERS
    variables = ["cluttered scenes", "clean scenes", "auxiliary", "category", *AUXILIARY]
    return (
        (key.measure != ACCURACY, key.measure),
        isinstance(key.timestep, int),
        variables.index(key.variable) if key.variable in variables else len(variables),
        key.variable,
        layers.index(key.layer),
        interactions().index(key.interaction),
        key.timestep,
    )

"""The page of a comparison: what differs, values with intervals, differences, figures. Imports no torch."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from recurrence.comparison import settings
from recurrence.comparison.figures import Axis, shared_importance
from recurrence.comparison.measures import ACCURACY, IMPORTANCE, MEAN, Run
from recurrence.pages import NONE, Cell, Column, Picture, Table, filled, number

MEANS = ("mean", "low", "high")  # columns of a table
DIFFERENCES = ("difference", "difference_low", "difference_high")
MARKED = "Marked: a difference whose interval excludes 0."


def comparison(
    template: Path,
    runs: Sequence[Run],
    table: pd.DataFrame,
    figures: Sequence[tuple[str, str, Picture]],
    csv: str,
) -> str:
    """Write the page as HTML text. ``table`` is that of :func:`recurrence.comparison.measures.compared`.

    ``figures`` have a title, a caption and the picture; ``csv`` is the text of the table's file.
    """
    made = [run.settings for run in runs]
    return filled(
        template,
        names=[run.name for run in runs],
        differing=settings.differing(made),
        short=short_table(runs, table),
        keys=keys_table("Keys that differ", runs, settings.differing(made)),
        same=yaml.safe_dump(settings.shared(made), default_flow_style=None, width=100),
        versions=keys_table("Made with", runs, settings.versions(made)),
        pairs=pairs(runs, table),
        marked=marked(table),
        details=list(all_tables(runs, table)),
        figures=figures,
        csv=base64.b64encode(csv.encode()).decode(),
    )


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table, with the columns as attributes."""
    yield from table.itertuples()


def _scale(measure: str) -> tuple[int, int]:
    """The factor and the digits for a measure: accuracies are in per cent."""
    return (1, 3) if measure.startswith(IMPORTANCE) else (100, 1)


def _value(row: Any, columns: tuple[str, str, str] = MEANS) -> Cell:
    """A mean or difference with its interval, marked if that of a difference excludes 0; a dash for none."""
    factor, digits = _scale(row.measure)
    mean, low, high = (factor * getattr(row, column) for column in columns)
    if np.isnan(mean):
        return Cell(NONE, "")
    differs = columns == DIFFERENCES
    text = f"{'+' if differs and mean > 0 else ''}{number(mean, digits)}"
    if not np.isnan(low):
        text += f" ({number(low, digits)} to {number(high, digits)})"
    return Cell(text, sort=mean, chip="unclear" if differs and (low > 0 or high < 0) else "")


def what(row: Any) -> str:
    """What a row of the short table is of, in words."""
    variable = row.variable.replace("_", " ")
    if row.measure == ACCURACY:
        return f"{row.measure}, {variable}"
    if row.measure.startswith(IMPORTANCE):
        return f"importance of {variable}, {'all layers' if row.layer == MEAN else row.layer}"
    return f"{variable} decoding{'' if row.layer == MEAN else f' at {row.layer}'}"


def short_table(runs: Sequence[Run], table: pd.DataFrame) -> Table:
    """The means over layers and timesteps: a row for each, columns for the runs and their differences."""
    names = Axis.of(runs).names
    one = shared_importance(runs)
    rows = []
    summed = table[[isinstance(timestep, str) for timestep in table["timestep"]]]
    for _, part in summed.groupby([*settings_of(table)], sort=False):
        if part["measure"].iloc[0].startswith(IMPORTANCE) and part["measure"].iloc[0] != one:
            continue
        by_run = {row.run: row for row in _rows(part)}
        head = next(iter(by_run.values()))
        cells = [Cell(what(head)), Cell(head.interaction)]
        for shown, ends in ((runs, MEANS), (runs[1:], DIFFERENCES)):
            found = [by_run.get(run.name) for run in shown]
            cells += [_value(row, ends) if row else Cell(NONE, "") for row in found]
        rows.append(cells)
    columns = [Column("what", "wrap"), Column("interaction", "text")]
    columns += [Column(name) for name in names]
    columns += [Column(f"{name}: difference") for name in names[1:]]
    note = (
        "Means over networks and 95 % intervals; accuracies in per cent. Decoding from activations at a run's last "
        f"timestep; {one or 'importance'}, mean over timesteps. Differences are from the first run. {MARKED}"
    )
    return Table("The runs in short", note, columns, rows)


def settings_of(table: pd.DataFrame) -> list[str]:
    """The columns that say what a value is of."""
    return list(table.columns[: list(table.columns).index("run")])


def keys_table(title: str, runs: Sequence[Run], rows: dict[str, list[Any]]) -> Table:
    """Keys and their values in each run."""
    return Table(
        title,
        "",
        [Column("key", "text"), *(Column(run.name, "wrap") for run in runs)],
        [[Cell(key), *(Cell(_shown(value)) for value in values)] for key, values in rows.items()],
    )


def _shown(value: Any) -> str:
    if value is None:
        return NONE
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def pairs(runs: Sequence[Run], table: pd.DataFrame) -> dict[str, list[str]]:
    """How networks are compared with those of the first run, in words, and the runs that are so."""
    found: dict[str, list[str]] = {}
    for run in runs[1:]:
        counts = table.loc[table["run"] == run.name, "pairs"].dropna()
        if counts.empty:
            how = "with no value in common"
        elif counts.max():
            how = f"over up to {counts.max()} pairs of networks with the same seed"
        else:
            how = "as two independent samples, as the seeds differ"
        found.setdefault(how, []).append(run.name)
    return found


def marked(table: pd.DataFrame) -> tuple[int, int]:
    """How many differences have an interval, and how many of these exclude 0."""
    rows = table[table["difference_low"].notna()]
    excludes = (rows["difference_low"] > 0) | (rows["difference_high"] < 0)
    return len(rows), int(excludes.sum())


def all_tables(runs: Sequence[Run], table: pd.DataFrame) -> Iterator[Table]:
    """All values: a table for each measure, a row for each value and run."""
    columns = [Column(title, "text") for title in ("interaction", "layer", "timestep", "variable")]
    columns += [Column("run", "text"), Column("networks"), Column("mean and interval")]
    columns += [Column(f"less {runs[0].name}"), Column("pairs")]
    for measure, part in table.groupby("measure", sort=False):
        rows = []
        for row in _rows(part):
            names = (row.interaction, row.layer, str(row.timestep), row.variable.replace("_", " "))
            rows.append(
                [
                    *map(Cell, names),
                    Cell(row.run),
                    Cell(str(row.networks)),
                    _value(row),
                    _value(row, DIFFERENCES),
                    Cell(NONE if pd.isna(row.pairs) else str(row.pairs)),
                ]
            )
        unit = "" if str(measure).startswith(IMPORTANCE) else "In per cent. "
        note = f"{unit}{MARKED}"
        yield Table(f"{str(measure)[0].upper()}{str(measure)[1:]}", note, columns, rows)

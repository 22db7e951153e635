"""Bands over network instances, and the tables they are taken from (SPEC 4, 5). Imports no torch.

Everything is judged per network instance: repeats are averaged first, variables are grouped second,
and intervals are taken over instances last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from recurrence.names import AUXILIARY, GROUPS
from recurrence.storage import read_table

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Band:
    """Mean over ``instances`` networks, and its 95 % interval: nan for fewer than two."""

    mean: float
    low: float
    high: float
    instances: int

    @property
    def lower(self) -> float:
        """What has to exceed a bound: the interval's lower end, or the mean without an interval."""
        return self.mean if np.isnan(self.low) else self.low

    @property
    def upper(self) -> float:
        """What has to stay below a bound; see :attr:`lower`."""
        return self.mean if np.isnan(self.high) else self.high


def band(values: npt.ArrayLike) -> Band:
    """Mean +- 1.96 population sd / sqrt(n) over instances, as in the authors' notebook (SPEC 4)."""
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return Band(np.nan, np.nan, np.nan, 0)
    if known.size == 1:
        return Band(float(known[0]), np.nan, np.nan, 1)
    mean, half = float(known.mean()), 1.96 * float(known.std()) / float(np.sqrt(known.size))
    return Band(mean, mean - half, mean + half, known.size)


def per_instance(frame: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    """One row per instance and key: ``value``, mean over repeats, then over grouped variables.

    ``keys`` name columns of ``frame`` beside interaction and instance, ``variable`` among them;
    location is the mean of its two axes and category (of perturbations) the mean of within and
    between (SPEC 1, 5).
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


def collect(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Concatenate per-instance tables ``.../<interaction>/instance<k>/<name>.csv``.

    A table without the columns interaction and instance (training.csv) gets them from its path; one
    with a header alone (a network without recurrence has nothing to perturb) adds nothing.
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
    """Keep the rows rendered as the published ones (``compounded``), or else the first way."""
    if "rendering" not in frame or frame.empty:
        return frame
    present = frame["rendering"].unique()
    return select(frame, rendering="compounded" if "compounded" in present else str(present[0]))


@dataclass(frozen=True)
class Tables:
    """The tables of a run, or the published ones, which lack the last three."""

    accuracy: pd.DataFrame
    decoding: pd.DataFrame
    perturbation: pd.DataFrame
    ablation: pd.DataFrame | None = None
    clutter: pd.DataFrame | None = None
    scene_decoding: pd.DataFrame | None = None


def load(folder: Path) -> Tables:
    """Read the tables of a run, or the published ones, from ``folder``."""
    optional = {name: folder / f"{name}.csv" for name in ("ablation", "clutter", "scene_decoding")}
    return Tables(
        *(read_table(folder / f"{name}.csv") for name in ("accuracy", "decoding", "perturbation")),
        **{name: read_table(path) for name, path in optional.items() if path.exists()},
    )


@dataclass(frozen=True)
class Evidence:
    """What one interaction's networks say. Frames have a column per instance.

    ``decoding`` (source, layer, variable, timestep) and ``importance`` (layer, variable, timestep)
    hold grouped variables; importance has the two category variables too. ``trials`` counts the
    test scenes behind one value of an instance.
    """

    accuracy: Values
    decoding: pd.DataFrame
    importance: pd.DataFrame
    drop: Values  # accuracy lost by the fc-lateral ablation, per instance
    clutter: pd.DataFrame  # (timestep): clutter energy relative to t = 1
    trials: dict[str, int]

    def timesteps(self, source: str) -> list[int]:
        """Timesteps at which ``source`` was decoded."""
        return sorted({t for s, _, _, t in self.decoding.index if s == source})

    def decoded(self, source: str, layer: str, variable: str, timestep: int) -> Values:
        """Give the decoding accuracy per instance."""
        return row_of(self.decoding, (source, layer, variable, timestep))

    def auxiliary(self, source: str, layers: Sequence[str], timestep: int) -> Values:
        """Give the accuracy per instance, mean over the auxiliary variables and ``layers``."""
        cells = [
            self.decoded(source, layer, variable, timestep)
            for layer in layers
            for variable in AUXILIARY
        ]
        return np.asarray(np.mean(cells, axis=0))

    def important(self, layer: str, variable: str, timestep: int) -> Values:
        """Functional importance per instance."""
        return row_of(self.importance, (layer, variable, timestep))


def row_of(frame: pd.DataFrame, key: tuple[str | int, ...] | int) -> Values:
    """Give the values of one row, or nothing but nan where the frame has no such row."""
    if key not in frame.index:
        return np.full(max(1, frame.shape[1]), np.nan)
    return np.asarray(frame.loc[[key]].to_numpy(dtype=np.float64)[0])


def _wide(frame: pd.DataFrame, keys: list[str], value: str) -> pd.DataFrame:
    return frame.pivot_table(index=keys, columns="instance", values=value, sort=True)


def gather(
    tables: Tables, interaction: str, scored: int = 2_000, perturbed: int = 5_000
) -> Evidence:
    """Arrange one interaction's tables: cluttered scenes, and the published rendering.

    ``scored`` and ``perturbed`` are the test scenes per repeat of decoding and of perturbation; the
    published tables are means over all that there were.
    """
    accuracy = select(tables.accuracy, interaction=interaction, image="cluttered")
    decoding = select(tables.decoding, interaction=interaction, image="cluttered")
    perturbation = published_rendering(select(tables.perturbation, interaction=interaction))
    keys = ["layer", "variable", "timestep"]
    raw = perturbation[perturbation["variable"].isin(["category_within", "category_between"])]
    split = raw.groupby(["interaction", "instance", *keys], as_index=False)[
        "functional_importance"
    ].mean()
    grouped = per_instance(perturbation, keys, "functional_importance")
    drop, clutter = np.empty(0), pd.DataFrame()
    if tables.ablation is not None:
        rows = select(tables.ablation, interaction=interaction)
        drop = (rows["accuracy_intact"] - rows["accuracy_ablated"]).to_numpy(dtype=np.float64)
    if tables.clutter is not None:
        rows = select(tables.clutter, interaction=interaction)
        clutter = rows.pivot_table(index="timestep", columns="instance", values="relative")
    return Evidence(
        accuracy=accuracy["accuracy"].to_numpy(dtype=np.float64),
        decoding=_wide(
            per_instance(decoding, ["source", *keys], "accuracy"), ["source", *keys], "accuracy"
        ),
        importance=_wide(pd.concat([grouped, split]), keys, "functional_importance"),
        drop=drop,
        clutter=clutter,
        trials={
            "accuracy": int(accuracy["n"].min()) if "n" in accuracy and len(accuracy) else 10_000,
            "decoding": scored * _repeats(decoding),
            "importance": perturbed * _repeats(perturbation),
        },
    )


def _repeats(frame: pd.DataFrame) -> int:
    return max(1, frame["repeat"].nunique()) if "repeat" in frame else 1

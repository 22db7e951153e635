"""Figures that lay runs over each other. Imports no torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib.style as mpl_style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

from recurrence.comparison.measures import (
    ACCURACY,
    DECODING,
    LAST,
    MEAN,
    Key,
    Run,
    estimate,
    importance,
)
from recurrence.comparison.settings import differing
from recurrence.diagrams import WIDTH
from recurrence.figures import STYLE
from recurrence.interactions import interactions
from recurrence.names import CHANCE, DECODED_VARIABLES, LAYERS
from recurrence.plotting import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Style,
    interaction_styles,
    reference,
    style_handles,
    time_colours,
)
from recurrence.verdicts import Interval

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY, BLACK)
MARKERS = "os^Dvp*"


@dataclass(frozen=True)
class Drawing:
    """A figure with the text that goes with it. ``name`` is that of its files."""

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure


@dataclass(frozen=True)
class Axis:
    """Where the runs are on an axis.

    At their values of the only key that differs, if these are unequal numbers; else in their order.
    """

    label: str
    places: list[float]
    names: list[str]

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "Axis":
        """The axis for these runs."""
        keys = differing([run.settings for run in runs])
        if len(keys) == 1:
            ((key, values),) = keys.items()
            numbers = all(type(value) in (int, float) for value in values)
            if numbers and len({*values}) == len(values):
                return cls(key, values, [f"{key.split('.')[-1]} = {value}" for value in values])
        return cls("", [*map(float, range(len(runs)))], [run.name for run in runs])

    @property
    def numeric(self) -> bool:
        """Whether the places are values of a key."""
        return bool(self.label)

    def colours(self) -> list[ColorType]:
        """A colour for each run: darker for larger values."""
        if not self.numeric and len(self.places) <= len(COLOURS):
            return [*COLOURS[: len(self.places)]]
        ranks = np.argsort(np.argsort(self.places))
        shades = time_colours(len(ranks))
        return [shades[rank] for rank in ranks]


def shared_importance(runs: Sequence[Run]) -> str | None:
    """The measure of importance that all runs have: with compounded copies, as published, or with opposite ones."""
    for name in ("compounded", "opposite"):
        if all(any(key.measure == importance(name) for key in run.samples) for run in runs):
            return importance(name)
    return None


def drawings(runs: Sequence[Run]) -> Iterator[Drawing]:
    """All figures of a comparison, the summary first."""
    with mpl_style.context(STYLE):
        axis = Axis.of(runs)
        yield Drawing("summary", "The runs in short", SUMMARY, _told(runs), summary(runs, axis))
        for measure in [*DECODING.values(), *filter(None, [shared_importance(runs)])]:
            for interaction in interactions():
                if figure := over_time(runs, axis, measure, interaction):
                    decoded = measure in DECODING.values()
                    name = f"{measure.partition(' (')[0]} {interaction}"
                    yield Drawing(
                        name.replace(" ", "_"),
                        f"{measure[0].upper()}{measure[1:]}, {interaction} networks",
                        OVER_TIME + (CHANCES if decoded else ZERO),
                        f"{name} networks by timestep; panels for four layers and four variables, "
                        f"in each a line for {', '.join(axis.names)}. The table has the numbers.",
                        figure,
                    )


SUMMARY = (
    "Means over networks with 95 % intervals (Student's, widened for the finite number of test scenes); each network "
    "is a small dot. Auxiliary: mean over location, scale and orientation, and over the four layers. Decoding is at "
    "the last timestep of each run. Importance is the mean over timesteps, at the input or over all layers."
)
OVER_TIME = "Means over networks with their 95 % intervals; a row for each layer, a column for each variable. "
CHANCES = "Dotted: chance."
ZERO = "Dotted: no importance."


def _told(runs: Sequence[Run]) -> str:
    """The test accuracies in words, for those who do not see the figure."""
    parts = []
    for run in runs:
        for interaction in interactions():
            sample = run.samples.get(Key(ACCURACY, interaction, "", "", "cluttered scenes"))
            if sample is not None:
                parts.append(f"{run.name}, {interaction}: {100 * estimate(sample).mean:.1f} %")
    return f"Six panels of values by run. Test accuracy: {'; '.join(parts)}."


def summary(runs: Sequence[Run], axis: Axis) -> Figure:
    """Six values of each run, by the key that differs or by run; an interaction in a colour."""
    read_out = DECODING["activation"]
    panels: list[tuple[str, tuple[str, str, int | str, str]]] = [
        ("test accuracy (%)", (ACCURACY, "", "", "cluttered scenes")),
        ("auxiliary decoding (%)", (read_out, MEAN, LAST, "auxiliary")),
        ("category decoding at fc (%)", (read_out, "fc", LAST, "category")),
    ]
    if measure := shared_importance(runs):
        panels += [
            ("importance of location, input", (measure, "input", MEAN, "location")),
            ("importance of location, all layers", (measure, MEAN, MEAN, "location")),
            ("importance of category, all layers", (measure, MEAN, MEAN, "category")),
        ]
    rows = len(panels) // 3
    figure = Figure(figsize=(WIDTH, 0.5 + 1.9 * rows), layout="constrained")
    present = [name for name in interactions() if any(_has(run, name) for run in runs)]
    styles = interaction_styles(present)
    for axes, (title, (of, layer, timestep, variable)) in zip(
        figure.subplots(rows, 3, squeeze=False).flat, panels, strict=True
    ):
        for number, interaction in enumerate(present):
            key = Key(of, interaction, layer, timestep, variable)
            _points(axes, runs, axis, key, number - (len(present) - 1) / 2, styles[interaction])
        axes.set_title(title)
        _places(axes, axis)
        if of in (ACCURACY, read_out):
            _fractions(axes)
        else:
            reference(axes, 0)
    handles = style_handles(styles, lw=0)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _fractions(axes: Axes) -> None:
    """Show fractions in per cent, and no more than there can be: the intervals of few networks are wider."""
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -0.02), min(high, 1.02))
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}")


def _has(run: Run, interaction: str) -> bool:
    return any(key.interaction == interaction for key in run.samples)


def _points(
    axes: Axes, runs: Sequence[Run], axis: Axis, key: Key, shift: float, style: Style
) -> None:
    """Draw one value of each run, ``shift`` steps to the side; numbers on an axis are joined by a line."""
    width = 0.12 * (max(axis.places) - min(axis.places)) / (len(runs) - 1)
    points = []
    for place, run in sorted(zip(axis.places, runs, strict=True), key=lambda point: point[0]):
        if key in run.samples and len(run.samples[key].values):
            sample, x = run.samples[key], place + shift * width
            made = estimate(sample)
            points.append((x, made))
            axes.plot([x] * len(sample.values), sample.values, ".", color="0.6", ms=2.5, zorder=2)
    if points:
        xs, means = [x for x, _ in points], [made.mean for _, made in points]
        reach = np.nan_to_num([[m.mean - m.low, m.high - m.mean] for _, m in points]).T
        (colour, marker), width = style, 1.0 * axis.numeric
        axes.errorbar(
            xs, means, reach, color=colour, marker=marker, lw=width, elinewidth=1.1, zorder=3
        )


def _places(axes: Axes, axis: Axis) -> None:
    margin = 0.5 * (max(axis.places) - min(axis.places)) / (len(axis.places) - 1)
    axes.set_xlim(min(axis.places) - margin, max(axis.places) + margin)
    if axis.numeric:
        axes.set_xticks(sorted(axis.places), [f"{place:g}" for place in sorted(axis.places)])
        axes.set_xlabel(axis.label)
    else:
        turn: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(axis.places, axis.names, **turn if len(axis.names) > 2 else {})


def over_time(runs: Sequence[Run], axis: Axis, measure: str, interaction: str) -> Figure | None:
    """One measure of an interaction over timesteps: rows: layers; columns: variables; lines: runs. None without any."""
    decoded = measure in DECODING.values()
    lines = {
        (run.name, layer, variable): _line(run, measure, interaction, layer, variable)
        for run in runs
        for layer in LAYERS
        for variable in DECODED_VARIABLES
    }
    timesteps = sorted({timestep for line in lines.values() for timestep in line})
    if not timesteps:
        return None
    figure = Figure(figsize=(WIDTH, 0.6 + 1.3 * len(LAYERS)), layout="constrained")
    shared: Literal["col", "all"] = "col" if decoded else "all"
    grid = figure.subplots(len(LAYERS), len(DECODED_VARIABLES), sharex=True, sharey=shared)
    for column, variable in enumerate(DECODED_VARIABLES):
        grid[0, column].set_title(variable)
        grid[-1, column].set_xlabel("timestep")
        for axes, layer in zip(grid[:, column], LAYERS, strict=True):
            reference(axes, CHANCE[variable] if decoded else 0)
            for number, (run, colour) in enumerate(zip(runs, axis.colours(), strict=True)):
                _over(
                    axes, lines[run.name, layer, variable], colour, MARKERS[number % len(MARKERS)]
                )
            axes.set_xticks(timesteps)
            axes.set_xlim(timesteps[0] - 0.3, timesteps[-1] + 0.3)
            if decoded:
                _fractions(axes)
            if column == 0:
                axes.set_ylabel(f"{layer}\n{'accuracy (%)' if decoded else 'importance'}")
    handles = [
        Line2D([], [], color=colour, marker=MARKERS[number % len(MARKERS)], label=name)
        for number, (name, colour) in enumerate(zip(axis.names, axis.colours(), strict=True))
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(6, len(handles)))
    return figure


def _line(
    run: Run, measure: str, interaction: str, layer: str, variable: str
) -> dict[int, Interval]:
    """The estimate at each timestep, of one cell of a run."""
    return {
        key.timestep: estimate(sample)
        for key, sample in run.samples.items()
        if key == Key(measure, interaction, layer, key.timestep, variable)
        and isinstance(key.timestep, int)
        and len(sample.values)
    }


def _over(axes: Axes, line: dict[int, Interval], colour: ColorType, marker: str) -> None:
    timesteps = sorted(line)
    low, high, mean = (
        [getattr(line[t], end) for t in timesteps] for end in ("low", "high", "mean")
    )
    axes.fill_between(timesteps, low, high, color=colour, alpha=0.15, lw=0, zorder=1)
    axes.plot(timesteps, mean, color=colour, marker=marker, lw=1.2, ms=3, zorder=3)

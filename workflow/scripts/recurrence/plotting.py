"""What the figures of tables share: colours, lines with bands, axes, legends. Imports no torch."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

from recurrence.configuration.blocks import Figures
from recurrence.names import PERTURBED_VARIABLES

Style = tuple[str, str]  # colour and marker
DASHED, DOTTED = (0, (4, 2)), (0, (1, 1.5))
# Okabe & Ito's colours, which colour-blind readers can distinguish. Markers differ too.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
VERMILION, SKY, BLACK = "#D55E00", "#56B4E9", "#000000"
LAYER_STYLE: dict[str, Style] = {
    "input": (BLUE, "o"),
    "conv1": (ORANGE, "s"),
    "conv2": (GREEN, "^"),
    "fc": (PURPLE, "D"),
}
INTERACTION_STYLE: dict[str, Style] = {
    "multiplicative": (BLUE, "o"),
    "additive": (VERMILION, "s"),
    "feedforward": ("#555555", "^"),
}
OTHER_STYLES = ((GREEN, "D"), (PURPLE, "v"), (ORANGE, "P"), (SKY, "X"))
TIME_COLOURS = LinearSegmentedColormap.from_list("time", ["#7cc4ee", BLUE, "#0b1d2e"])


def interaction_styles(names: Iterable[str]) -> dict[str, Style]:
    """A colour and a marker for each interaction; those of the three first ones never change."""
    others = iter(4 * OTHER_STYLES)
    return {name: INTERACTION_STYLE.get(name) or next(others) for name in names}


def time_colours(count: int) -> list[ColorType]:
    """A colour for each of ``count`` timesteps, darker for later ones."""
    return [TIME_COLOURS(number / max(1, count - 1)) for number in range(count)]


def reference(axes: Axes, level: float) -> None:
    """Draw a dotted line at a value to compare with, such as chance, behind everything else."""
    axes.axhline(level, color="0.45", lw=0.9, ls=DOTTED, zorder=0)


def decoding_axis(axes: Axes, variable: str, means: "pd.Series[float]") -> None:
    """The y axis of a variable's decoding accuracies: from 0 for category, else from a little below all ``means``."""
    axes.set_ylim(0 if variable == "category" else min(0.45, float(means.min()) - 0.02), 1)
    percent(axes)


def percent(axes: Axes) -> None:
    """Label the y axis of fractions in per cent."""
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")


def line(
    axes: Axes,
    rows: pd.DataFrame,
    published: pd.DataFrame | None,
    colour: str,
    marker: str = "o",
    **options: Any,
) -> None:
    """Draw a line over ``timestep`` with its band, and behind it the published one: thin, dashed, its band pale."""
    if published is not None and len(published):
        before = published.sort_values("timestep")
        x = before["timestep"]
        axes.fill_between(x, before["low"], before["high"], color=colour, alpha=0.1, lw=0, zorder=1)
        axes.plot(x, before["mean"], color=colour, lw=0.8, ls=DASHED, alpha=0.9, zorder=2)
    rows = rows.sort_values("timestep")
    x = rows["timestep"]
    axes.fill_between(x, rows["low"], rows["high"], color=colour, alpha=0.25, lw=0, zorder=1)
    axes.plot(x, rows["mean"], color=colour, marker=marker, **{"zorder": 3, **options})


def timestep_axis(axes: Axes, timesteps: Sequence[int]) -> None:
    """Ticks at the timesteps."""
    axes.set_xticks(timesteps)
    axes.set_xlim(min(timesteps) - 0.25, max(timesteps) + 0.25)


def held(rows: pd.DataFrame, timesteps: Sequence[int]) -> pd.DataFrame:
    """``rows`` at all ``timesteps`` if they have only one, as of networks whose activity does not change over time."""
    if rows["timestep"].nunique() != 1 or len(timesteps) == 1:
        return rows
    return pd.concat([rows.assign(timestep=timestep) for timestep in timesteps])


def variable_axis(axes: Axes, variables: Sequence[str] = PERTURBED_VARIABLES) -> None:
    """Ticks at perturbed variables, which have no order, and a line at 0."""
    reference(axes, 0)
    axes.set_xticks(
        range(len(variables)), variables, rotation=35, ha="right", rotation_mode="anchor"
    )
    axes.set_xlim(-0.45, len(variables) - 0.55)


def points(
    axes: Axes,
    rows: pd.DataFrame,
    published: pd.DataFrame | None,
    shift: float,
    colour: ColorType,
    marker: str,
    variables: Sequence[str] = PERTURBED_VARIABLES,
) -> None:
    """Draw means of variables with intervals, ``shift`` beside their ticks; published ones as dashes with pale bars."""
    x = np.arange(len(variables)) + shift
    if published is not None and len(published):
        before = published.set_index("variable").reindex(list(variables))
        axes.vlines(x, before["low"], before["high"], color=colour, lw=7, alpha=0.2, zorder=1)
        axes.plot(x, before["mean"], color=colour, marker="_", ms=7, mew=1, ls="", zorder=2)
    here = rows.set_index("variable").reindex(list(variables))
    reach = np.nan_to_num([here["mean"] - here["low"], here["high"] - here["mean"]])
    axes.errorbar(
        x, here["mean"], reach, color=colour, marker=marker, ls="", elinewidth=1.1, zorder=3
    )


def style_handles(styles: Mapping[str, Style], **options: Any) -> list[Line2D]:
    """The legend's entries for layers, interactions or others, by their styles."""
    return [
        Line2D([], [], color=colour, marker=marker, label=name.replace("_", ", "), **options)
        for name, (colour, marker) in styles.items()
    ]


def published_handle(block: Figures, marker: str = "") -> list[Line2D]:
    """The legend's entry for published lines, or for markers, if they are drawn."""
    if not block.published:
        return []
    style = DASHED if not marker else ""
    return [Line2D([], [], color="0.35", lw=0.8, ls=style, marker=marker, ms=6, label="published")]


def chance_handle() -> Line2D:
    """The legend's entry for lines at chance."""
    return Line2D([], [], color="0.45", lw=0.9, ls=DOTTED, label="chance")


def networks_handle(rows: pd.DataFrame) -> Line2D:
    """An entry of the legend that says how many networks of this run are behind each value of ``rows``."""
    fewest, most = int(rows["instances"].min()), int(rows["instances"].max())
    count = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return Line2D([], [], lw=0, label=f"n = {count} network{'s' if most > 1 else ''}")


def legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Place the legend above all panels."""
    rows = -(-len(handles) // 7)
    columns = -(-len(handles) // rows)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, handlelength=2.2)

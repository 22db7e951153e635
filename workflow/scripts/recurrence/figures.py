"""The paper's figures, from tables and example maps (docs/experiment.md 7). Imports no torch.

:func:`draw` makes any of them by its name. A figure about an interaction that the run has no
networks of says so in its place, so that every run has all figures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.style as mpl_style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from recurrence import diagrams, pictures
from recurrence.configuration.blocks import Figures
from recurrence.diagrams import WIDTH, Files, lacking
from recurrence.distance import QUANTITIES, Distance, cells, left_out
from recurrence.figure_list import FIGURES
from recurrence.names import AUXILIARY, CHANCE, LAYERS, PUBLISHED_INTERACTIONS
from recurrence.statistics import bands, per_instance, published_rendering, select
from recurrence.storage import atomic, read_table

OWN_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # a part of matplotlib, so that figures look the same everywhere
    "font.size": 7.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.5,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "pdf.fonttype": 42,
}
# On top of the default style, so that the user's own settings do not count.
STYLE: list[str | Path | dict[str, Any]] = [
    "default",
    OWN_STYLE,
]  # whatever the user's settings are
# Okabe & Ito's colours, which colour-blind readers can distinguish. Markers differ too.
LAYER_STYLE: dict[Any, Any] = {
    "input": ("#0072B2", "o"),
    "conv1": ("#E69F00", "s"),
    "conv2": ("#009E73", "^"),
    "fc": ("#CC79A7", "D"),
}
TIME_COLOURS = LinearSegmentedColormap.from_list("time", ["#7cc4ee", "#0072B2", "#0b1d2e"])
ORIGINAL, SYSTEMATIC, CONTROL = "#000000", "#D55E00", "#56B4E9"


def save(figure: Figure, pdf: str | Path, png: str | Path, dpi: int) -> None:
    """Write ``figure`` as PDF and PNG, without dates, so that a rerun gives the same bytes.

    The PNG says in its text ``Description`` what words are in the figure, for those who do not see it.
    """
    about = {"Software": None, "Description": "; ".join(words(figure))}
    FigureCanvasAgg(figure)
    with mpl_style.context(STYLE):
        with atomic(pdf) as temporary:
            figure.savefig(temporary, format="pdf", dpi=dpi, metadata={"CreationDate": None})
        with atomic(png) as temporary:
            figure.savefig(temporary, format="png", dpi=dpi, metadata=about)


def words(figure: Figure) -> list[str]:
    """What is written into a figure, besides titles, axes and legends; each text once."""
    artists = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return [*dict.fromkeys(" ".join(artist.get_text().split()) for artist in artists)]


def draw(name: str, files: Files, block: Figures) -> Figure:
    """Draw figure ``name`` of :data:`FIGURES` from ``files``, whose keys say what they contain."""
    figure = FIGURES[name]
    functions = {**vars(diagrams), **vars(pictures), **globals()}
    with mpl_style.context(STYLE):
        return functions[figure.function](files, block, **figure.options)


def percent(axes: Axes) -> None:
    """Label the y axis of fractions in per cent."""
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")


def _line(
    axes: Axes, rows: pd.DataFrame, published: pd.DataFrame | None, colour: str, marker: str = "o"
) -> None:
    """Draw a line over ``timestep`` with its band, and published means as a thin dashed line behind."""
    if published is not None and len(published):
        means = published.sort_values("timestep")
        axes.plot(
            means["timestep"],
            means["mean"],
            color=colour,
            lw=0.8,
            ls=(0, (4, 2)),
            alpha=0.9,
            zorder=2,
        )
    rows = rows.sort_values("timestep")
    axes.fill_between(
        rows["timestep"], rows["low"], rows["high"], color=colour, alpha=0.22, lw=0, zorder=1
    )
    axes.plot(rows["timestep"], rows["mean"], color=colour, marker=marker, zorder=3)


def _timesteps(axes: Axes, timesteps: Sequence[int]) -> None:
    axes.set_xticks(timesteps)
    axes.set_xlim(min(timesteps) - 0.25, max(timesteps) + 0.25)


def _published_handle(block: Figures) -> list[Line2D]:
    return (
        [Line2D([], [], color="0.35", lw=0.8, ls=(0, (4, 2)), label="published")]
        if block.published
        else []
    )


def _decoding_bands(path: str, source: str, interaction: str) -> pd.DataFrame:
    frame = select(read_table(path), source=source, interaction=interaction, image="cluttered")
    keys = ["layer", "timestep", "variable"]
    return bands(per_instance(frame, keys, "accuracy"), keys, "accuracy")


def decoding(files: Files, block: Figures, source: str, interactions: Sequence[str]) -> Figure:
    """Decoding accuracy: columns are variables, rows interactions, lines layers (3A, S1, S2A)."""
    ours = {name: _decoding_bands(files["decoding"], source, name) for name in interactions}
    ours = {name: frame for name, frame in ours.items() if len(frame)}
    if not ours:
        what = f"decoders ({source.replace('_', ' ')}, cluttered scenes)"
        return lacking(" or ".join(interactions), what)
    variables = ("category", *AUXILIARY)
    figure = Figure(figsize=(WIDTH, 0.7 + 1.75 * len(ours)), layout="constrained")
    panels = figure.subplots(len(ours), len(variables), squeeze=False)
    for number, (interaction, frame) in enumerate(ours.items()):
        row = panels[number]
        published = (
            _decoding_bands(files["published_decoding"], source, interaction)
            if block.published
            else None
        )
        timesteps = sorted(frame["timestep"].unique())
        for axes, variable in zip(row, variables, strict=True):
            axes.axhline(CHANCE[variable], color="0.45", lw=0.9, ls=(0, (1, 1.5)), zorder=0)
            for layer, style in LAYER_STYLE.items():
                cell = {"layer": layer, "variable": variable}
                here = None if published is None else select(published, **cell)
                if here is not None:
                    here = here[here["timestep"].isin(timesteps)]
                _line(axes, select(frame, **cell), here, *style)
            lowest = float(select(frame, variable=variable)["mean"].min())
            axes.set_ylim(0 if variable == "category" else min(0.45, lowest - 0.02), 1)
            _timesteps(axes, timesteps)
            percent(axes)
            if number == 0:
                axes.set_title(variable)
            if number == len(ours) - 1:
                axes.set_xlabel("timestep")
        label = f"{interaction}\n" if len(interactions) > 1 else ""
        row[0].set_ylabel(f"{label}decoding accuracy (%)")
    handles = [
        Line2D([], [], color=c, marker=m, label=layer) for layer, (c, m) in LAYER_STYLE.items()
    ]
    handles += _published_handle(block)
    handles.append(Line2D([], [], color="0.45", lw=0.9, ls=(0, (1, 1.5)), label="chance"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), handlelength=2.2)
    return figure


def _perturbation_bands(path: str, interaction: str, value: str) -> pd.DataFrame:
    frame = published_rendering(select(read_table(path), interaction=interaction))
    keys = ["layer", "timestep", "variable"]
    return bands(per_instance(frame, keys, value), keys, value)


def accuracies(files: Files, block: Figures, interaction: str) -> Figure:
    """Accuracy of original, systematic and control for location, by layer (4C)."""
    variable = "location"
    figure = Figure(figsize=(WIDTH, 2.35), layout="constrained")
    panels = figure.subplots(1, len(LAYERS), sharey=True)
    handles = []
    for kind, colour, marker in (
        ("original", ORIGINAL, ""),
        ("control", CONTROL, "s"),
        ("systematic", SYSTEMATIC, "^"),
    ):
        ours, published = (
            select(
                _perturbation_bands(files[path], interaction, f"accuracy_{kind}"),
                variable=variable,
            )
            for path in ("perturbation", "published_perturbation")
        )
        if ours.empty:
            return lacking(interaction)
        timesteps = sorted(ours["timestep"].unique())
        published = published[published["timestep"].isin(timesteps)]
        handles.append(Line2D([], [], color=colour, marker=marker, label=kind))
        for axes, layer in zip(panels, LAYERS, strict=True):
            _line(
                axes,
                select(ours, layer=layer),
                select(published, layer=layer) if block.published else None,
                colour,
                marker,
            )
            axes.set_title(layer)
            axes.set_xlabel("timestep of perturbation")
            _timesteps(axes, timesteps)
    panels[0].set_ylim(0, 1)
    panels[0].set_ylabel("test accuracy (%)")
    percent(panels[0])
    handles += _published_handle(block)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def importance(files: Files, block: Figures, interaction: str) -> Figure:
    """Functional importance: a panel per layer, variables on x, a line per timestep (4D, S2C)."""
    ours, published = (
        _perturbation_bands(files[path], interaction, "functional_importance")
        for path in ("perturbation", "published_perturbation")
    )
    if ours.empty:
        return lacking(interaction)
    variables = ("location", "orientation", "scale", "category")
    timesteps = sorted(ours["timestep"].unique())
    published = published[published["timestep"].isin(timesteps)]
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    panels = figure.subplots(1, len(LAYERS), sharey=True)
    handles = []
    for number, timestep in enumerate(timesteps):
        colour = TIME_COLOURS(number / max(1, len(timesteps) - 1))
        shift = 0.14 * (number - (len(timesteps) - 1) / 2)
        marker = "os^Dvp"[number % 6]
        for axes, layer in zip(panels, LAYERS, strict=True):
            rows, before = (
                frame[(frame["layer"] == layer) & (frame["timestep"] == timestep)]
                .set_index("variable")
                .reindex(variables)
                for frame in (ours, published)
            )
            x = np.arange(len(variables)) + shift
            if block.published:
                axes.plot(x, before["mean"], color=colour, lw=0.8, ls=(0, (4, 2)), zorder=1)
            reach = np.nan_to_num([rows["mean"] - rows["low"], rows["high"] - rows["mean"]])
            axes.errorbar(
                x,
                rows["mean"],
                reach,
                color=colour,
                marker=marker,
                elinewidth=1.1,
                lw=1.2,
                zorder=3,
            )
        handles.append(Line2D([], [], color=colour, marker=marker, label=f"t = {timestep}"))
    for axes, layer in zip(panels, LAYERS, strict=True):
        axes.axhline(0, color="0.45", lw=0.9, ls=(0, (1, 1.5)), zorder=0)
        axes.set_title(layer)
        axes.set_xticks(
            range(len(variables)), variables, rotation=35, ha="right", rotation_mode="anchor"
        )
        axes.set_xlim(-0.4, len(variables) - 0.6)
    panels[0].set_ylabel("functional importance")
    handles += _published_handle(block)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def distances(files: Files, block: Figures) -> Figure:
    """All cells, ours against published: rows are quantities, columns interactions (distance)."""
    figure = Figure(figsize=(WIDTH, 6.9), layout="constrained")
    panels = figure.subplots(2, 2)
    for row, quantity, name in zip(panels, QUANTITIES, ("decoding", "perturbation"), strict=True):
        tables = [read_table(files[key]) for key in (name, f"published_{name}")]
        for axes, interaction in zip(row, PUBLISHED_INTERACTIONS, strict=True):
            _scatter(axes, *(cells(table, quantity, interaction) for table in tables))
            axes.set_title(f"{quantity}, {interaction}")
            axes.set_xlabel("published")
        row[0].set_ylabel("this run")
    handles = [
        Line2D([], [], color=colour, marker=marker, lw=0, label=layer)
        for layer, (colour, marker) in LAYER_STYLE.items()
    ]
    handles.append(Line2D([], [], color="0.45", lw=0.9, ls=(0, (1, 1.5)), label="equal"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _scatter(axes: Axes, ours: pd.DataFrame, published: pd.DataFrame) -> None:
    """Draw the cells that both have: means over networks, and the range of ours as a thin line."""
    ours = ours[ours.index.isin(published.index)]
    if ours.empty:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "not in this run", transform=axes.transAxes, ha="center")
        return
    published = published.loc[ours.index]
    mean = published.mean(axis=1)
    ends = [min(ours.min().min(), mean.min()), max(ours.max().max(), mean.max())]
    axes.plot(ends, ends, color="0.45", lw=0.9, ls=(0, (1, 1.5)), zorder=0)
    for layer, (colour, marker) in LAYER_STYLE.items():
        here = ours.index.get_level_values("layer") == layer
        x, rows = mean[here], ours[here]
        axes.vlines(x, rows.min(axis=1), rows.max(axis=1), color=colour, lw=0.6, alpha=0.6)
        axes.plot(x, rows.mean(axis=1), color=colour, marker=marker, lw=0, ms=2.8, alpha=0.85)
    networks = [Distance.between(ours[k].dropna(), mean) for k in ours]
    text = (
        f"this run\n{_range(networks)}\npublished, left out in turn\n{_range(left_out(published))}"
    )
    axes.text(0.97, 0.03, text, transform=axes.transAxes, ha="right", fontsize=6.5)


def _range(distances: Sequence[Distance]) -> str:
    """The range from the nearest to the farthest network, as text."""
    differences, correlations = zip(
        *((d.difference, d.correlation) for d in distances), strict=True
    )
    return (
        f"difference {min(differences):.3f} to {max(differences):.3f}\n"
        f"r {max(correlations):.3f} to {min(correlations):.3f}"
    )

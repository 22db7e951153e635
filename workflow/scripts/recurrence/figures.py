"""The paper's figures, from tables and example maps (docs/experiment.md 7). Imports no torch.

:func:`draw` makes any of them by its name. A figure about an interaction that the run has no
networks of says so in its place, so that every run has all figures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.style as mpl_style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from recurrence import connection_figures, diagrams, further_figures, pictures
from recurrence.configuration.blocks import Figures
from recurrence.diagrams import WIDTH, Files, lacking, notice
from recurrence.distance import QUANTITIES, cells
from recurrence.figure_list import FIGURES
from recurrence.names import ALL, CHANCE, DECODED_VARIABLES, LAYERS, PUBLISHED_INTERACTIONS
from recurrence.plotting import (
    BLUE,
    DOTTED,
    LAYER_STYLE,
    VERMILION,
    chance_handle,
    decoding_axis,
    held,
    legend,
    line,
    networks_handle,
    percent,
    points,
    published_handle,
    reference,
    style_handles,
    time_colours,
    timestep_axis,
    variable_axis,
)
from recurrence.statistics import CELL, bands, per_instance, published_rendering, select
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
STYLE: list[str | Path | dict[str, Any]] = ["default", OWN_STYLE]
ORIGINAL, SYSTEMATIC, CONTROL = "#c8c8c8", VERMILION, BLUE


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
    modules = (diagrams, pictures, further_figures, connection_figures)
    functions = {key: made for module in modules for key, made in vars(module).items()} | globals()
    with mpl_style.context(STYLE):
        return functions[figure.function](files, block, **figure.options)


def _decoding_bands(path: str, source: str, interaction: str) -> pd.DataFrame:
    wanted = {"source": source, "interaction": interaction, "image": "cluttered", "connection": ALL}
    frame = select(read_table(path), **wanted)
    return bands(per_instance(frame, CELL, "accuracy"), CELL, "accuracy")


def decoding(files: Files, block: Figures, source: str, interactions: Sequence[str]) -> Figure:
    """Decoding accuracy: columns are variables, rows interactions, lines layers (3A, S1, S2A, 3A_controls).

    Without ``interactions`` all of the run are shown.
    """
    present = list(read_table(files["decoding"])["interaction"].unique())
    interactions = interactions or present
    everything = {name: _decoding_bands(files["decoding"], source, name) for name in present}
    ours = {name: everything[name] for name in interactions if len(everything.get(name, ()))}
    if not ours:
        what = f"decoders ({source.replace('_', ' ')}, cluttered scenes)"
        return lacking(" or ".join(interactions), what)
    # The same axes whatever interactions are shown.
    whole = pd.concat(everything.values())
    timesteps = sorted({t for frame in ours.values() for t in frame["timestep"]})
    figure = Figure(figsize=(WIDTH, 0.7 + 1.75 * len(ours)), layout="constrained")
    panels = figure.subplots(len(ours), len(DECODED_VARIABLES), squeeze=False)
    for row, (interaction, frame) in zip(panels, ours.items(), strict=True):
        before = pd.DataFrame(columns=frame.columns)
        if block.published:
            before = _decoding_bands(files["published_decoding"], source, interaction)
            before = before[before["timestep"].isin(timesteps)]
        for axes, variable in zip(row, DECODED_VARIABLES, strict=True):
            reference(axes, CHANCE[variable])
            for layer, style in LAYER_STYLE.items():
                cell = {"layer": layer, "variable": variable}
                line(axes, held(select(frame, **cell), timesteps), select(before, **cell), *style)
            timestep_axis(axes, timesteps)
            decoding_axis(axes, variable, select(whole, variable=variable)["mean"])
        name = [*interaction.split("_")] if len(interactions) > 1 else []
        row[0].set_ylabel("\n".join([*name, "decoding accuracy (%)"]))
    for axes, variable in zip(panels[0], DECODED_VARIABLES, strict=True):
        axes.set_title(variable)
    for axes in panels[-1]:
        axes.set_xlabel("timestep")
    handles = [*style_handles(LAYER_STYLE), *published_handle(block), chance_handle()]
    legend(figure, [*handles, networks_handle(pd.concat(ours.values()))])
    return figure


def _perturbation_bands(path: str, interaction: str, value: str) -> pd.DataFrame:
    table = select(read_table(path), interaction=interaction, connection=ALL)
    return bands(per_instance(published_rendering(table), CELL, value), CELL, value)


def _without_answers(interaction: str) -> Figure:
    return notice(
        f"The {interaction} networks of this run name none of the perturbed scenes correctly,\n"
        "so that no functional importance can be computed."
    )


def accuracies(files: Files, block: Figures, interaction: str) -> Figure:
    """Accuracy of original, systematic and control for location, by layer (4C)."""
    columns = ("perturbation", "published_perturbation")
    found = {
        kind: [
            select(
                _perturbation_bands(files[name], interaction, f"accuracy_{kind}"),
                variable="location",
            )
            for name in columns
        ]
        for kind in ("original", "control", "systematic")
    }
    original = found["original"][0]
    if original.empty:
        return lacking(interaction)
    if not original["mean"].any():
        return _without_answers(interaction)
    timesteps = sorted(original["timestep"].unique())
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    panels = figure.subplots(1, len(LAYERS), sharey=True)
    handles = []
    wide: dict[str, Any] = {"lw": 5, "zorder": 0, "solid_capstyle": "butt"}
    kinds: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("original", ORIGINAL, "", wide),
        ("control", CONTROL, "s", {}),
        ("systematic", SYSTEMATIC, "^", {}),
    )
    for kind, colour, marker, how in kinds:
        ours, before = found[kind]
        before = before[before["timestep"].isin(timesteps)]
        handles.append(Line2D([], [], color=colour, marker=marker, label=kind, **how))
        for axes, layer in zip(panels, LAYERS, strict=True):
            published = select(before, layer=layer) if block.published else None
            line(axes, select(ours, layer=layer), published, colour, marker, **how)
    for axes, layer in zip(panels, LAYERS, strict=True):
        reference(axes, CHANCE["category"])
        axes.set_title(layer)
        axes.set_xlabel("timestep of perturbation")
        timestep_axis(axes, timesteps)
    panels[0].set_ylim(0, 1)
    panels[0].set_ylabel("test accuracy (%),\nlocation perturbed")
    percent(panels[0])
    figure.supxlabel(
        "functional importance of location = (control \u2212 systematic) / original", fontsize=7.5
    )
    legend(figure, [*handles, *published_handle(block), chance_handle(), networks_handle(original)])
    return figure


def importance(files: Files, block: Figures, interaction: str) -> Figure:
    """Functional importance: a panel per layer, variables on x, a marker per timestep (4D, S2C)."""
    ours, published = (
        _perturbation_bands(files[path], interaction, "functional_importance")
        for path in ("perturbation", "published_perturbation")
    )
    if ours.empty:
        return lacking(interaction)
    if ours["mean"].isna().all():
        return _without_answers(interaction)
    timesteps = sorted(ours["timestep"].unique())
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    panels = figure.subplots(1, len(LAYERS), sharey=True)
    handles = []
    colours = time_colours(len(timesteps))
    for number, (timestep, colour) in enumerate(zip(timesteps, colours, strict=True)):
        shift = 0.16 * (number - (len(timesteps) - 1) / 2)
        marker = "os^Dvp"[number % 6]
        for axes, layer in zip(panels, LAYERS, strict=True):
            rows, before = (
                frame[(frame["layer"] == layer) & (frame["timestep"] == timestep)]
                for frame in (ours, published)
            )
            points(axes, rows, before if block.published else None, shift, colour, marker)
        handles.append(Line2D([], [], color=colour, marker=marker, ls="", label=f"t = {timestep}"))
    for axes, layer in zip(panels, LAYERS, strict=True):
        axes.set_title(layer)
        variable_axis(axes)
    panels[0].set_ylabel("functional importance")
    before = published_handle(block, "_") if len(published) else []
    legend(figure, [*handles, *before, networks_handle(ours)])
    return figure


def distances(files: Files, block: Figures) -> Figure:
    """All cells, ours against published: rows are quantities, columns interactions (distance)."""
    distance = read_table(files["distance"])
    if distance.empty:
        return notice(
            "This run is not compared with the published networks: it has none of their "
            "interactions,\nor its datasets, scenes, layers, timesteps or connections are not the paper's."
        )
    figure = Figure(figsize=(WIDTH, 7.4), layout="constrained")
    panels = figure.subplots(2, 2)
    for row, quantity, name in zip(panels, QUANTITIES, ("decoding", "perturbation"), strict=True):
        tables = [read_table(files[key]) for key in (name, f"published_{name}")]
        for axes, interaction in zip(row, PUBLISHED_INTERACTIONS, strict=True):
            _scatter(axes, *(cells(table, quantity, interaction) for table in tables))
            axes.set_title(f"{quantity}, {interaction}")
            rows = select(distance, quantity=quantity, interaction=interaction)
            axes.set_xlabel("published" + (_in_words(rows) if len(rows) else ""))
        row[0].set_ylabel("this run")
    handles = style_handles(LAYER_STYLE, lw=0)
    handles.append(Line2D([], [], color="0.45", lw=0.9, ls=DOTTED, label="equal"))
    networks = distance.groupby(["quantity", "interaction"]).size().rename("instances")
    legend(figure, [*handles, networks_handle(networks.to_frame())])
    return figure


def _scatter(axes: Axes, ours: pd.DataFrame, published: pd.DataFrame) -> None:
    """Draw the cells that both have: means over networks, and the range of ours as a thin line."""
    ours = ours[ours.index.isin(published.index)]
    if ours.empty:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "not in this run", transform=axes.transAxes, ha="center")
        return
    mean = published.loc[ours.index].mean(axis=1)
    ends = [min(ours.min().min(), mean.min()), max(ours.max().max(), mean.max())]
    axes.plot(ends, ends, color="0.45", lw=0.9, ls=DOTTED, zorder=0)
    for layer, (colour, marker) in LAYER_STYLE.items():
        here = ours.index.get_level_values("layer") == layer
        x, rows = mean[here], ours[here]
        axes.vlines(x, rows.min(axis=1), rows.max(axis=1), color=colour, lw=0.6, alpha=0.6)
        axes.plot(x, rows.mean(axis=1), color=colour, marker=marker, lw=0, ms=2.8, alpha=0.85)


def _in_words(rows: pd.DataFrame) -> str:
    """The distances of one quantity and interaction, as lines of text below its panel."""

    def ends(column: str, ascending: bool) -> str:
        values = rows[column].dropna().sort_values(ascending=ascending)
        texts = [f"{value:.3f}" for value in (*values[:1], *values[1:][-1:])]
        return " to ".join(texts) or "undefined"  # all values are equal

    worst = rows.iloc[0]
    return (
        f"\n\ndifference: {ends('mean_absolute_difference', True)} "
        f"(published: up to {worst['published_mean_absolute_difference']:.3f})\n"
        f"correlation: {ends('correlation', False)} "
        f"(published: down to {worst['published_correlation']:.3f})"
    )

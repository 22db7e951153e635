"""Figures about single connections, from tables: what each carries, and what is lost without it. Imports no torch."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from recurrence.configuration.blocks import Figures
from recurrence.diagrams import WIDTH, Files, notice
from recurrence.names import ALL, CHANCE, DECODED_VARIABLES, LAYERS, PERTURBED_VARIABLES
from recurrence.plotting import (
    BLACK,
    BLUE,
    DASHED,
    LAYER_STYLE,
    Style,
    chance_handle,
    decoding_axis,
    interaction_styles,
    legend,
    line,
    networks_handle,
    percent,
    published_handle,
    reference,
    style_handles,
    timestep_axis,
)
from recurrence.statistics import CELL, bands, per_instance, published_rendering, select
from recurrence.storage import read_table
from recurrence.wiring import ends

LATERAL = "lateral"
SOURCE_STYLE: dict[str, Style] = {
    ALL: (BLACK, ""),
    LATERAL: (BLUE, "o"),
    **{layer: LAYER_STYLE[layer] for layer in LAYERS[1:]},
}
SOURCE_NAMES = {ALL: "all", LATERAL: LATERAL} | {layer: f"from {layer}" for layer in LAYERS[1:]}
REMOVED = {LATERAL: "all lateral", "topdown": "all top-down", ALL: "any recurrence"}


def source_of(connection: str) -> str:
    """Where the flow comes from: ``lateral``, a layer above, or ``all``."""
    source, target = ends(connection)
    return connection if connection == ALL else LATERAL if source == target else source


def _source_bands(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """Bands over networks of decoding or perturbation, by interaction, connection and cell; and ``source``."""
    wanted = {"source": "recurrent_flow"} if value == "accuracy" else {}
    rows = published_rendering(select(table, image="cluttered", **wanted))
    if "connection" not in rows:  # the published ones
        rows = rows.assign(connection=ALL)
    keys = ["connection", *CELL]
    frame = bands(per_instance(rows, keys, value), ["interaction", *keys], value)
    return frame.assign(source=frame["connection"].map(source_of))


def _shared_layers(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """The interactions and layers to which several connections lead."""
    alone = frame[frame["connection"] != ALL]
    counts = alone.groupby(["interaction", "layer"])["connection"].nunique()
    return [
        (interaction, layer)
        for interaction in frame["interaction"].unique()
        for layer in LAYERS
        if counts.get((interaction, layer), 0) > 1
    ]


def _lack(frame: pd.DataFrame, table: str) -> str:
    """Why there is nothing to draw, if so."""
    if frame.empty or (frame["connection"] == ALL).all():
        return (
            f"This run has no {table} of single connections:\n"
            f"{table}.connections is false, or its networks have no recurrence."
        )
    if not _shared_layers(frame):
        return "To each layer of these networks leads one connection at most: it carries the whole flow."
    if frame["mean"].isna().all():
        return "The networks of this run name none of the perturbed scenes correctly."
    return ""


def sources(files: Files, block: Figures, table: str) -> Figure:
    """Decoding or importance of each connection by itself (S1_sources, 4D_sources).

    Rows are interactions and the layers that the flow goes to, columns variables, lines sources.
    """
    decoded = table == "decoding"
    value = "accuracy" if decoded else "functional_importance"
    variables = DECODED_VARIABLES if decoded else PERTURBED_VARIABLES
    frame = _source_bands(read_table(files[table]), value)
    if text := _lack(frame, table):
        return notice(text)
    places = _shared_layers(frame)
    before = _source_bands(read_table(files[f"published_{table}"]), value)
    timesteps = sorted(frame["timestep"].unique())
    before = before[before["timestep"].isin(timesteps)]
    figure = Figure(figsize=(WIDTH, 0.8 + 1.2 * len(places)), layout="constrained")
    panels = figure.subplots(
        len(places), len(variables), sharex=True, sharey="col" if decoded else "all", squeeze=False
    )
    for row, (interaction, layer) in zip(panels, places, strict=True):
        row[0].set_ylabel(f"{interaction}\nto {layer}")
        for axes, variable in zip(row, variables, strict=True):
            cell = {"interaction": interaction, "layer": layer, "variable": variable}
            reference(axes, CHANCE[variable] if decoded else 0)
            for source, style in SOURCE_STYLE.items():
                rows, published = (select(each, source=source, **cell) for each in (frame, before))
                if len(rows):
                    line(axes, rows, published if block.published else None, *style)
            timestep_axis(axes, timesteps)
            if decoded:
                decoding_axis(axes, variable, select(frame, variable=variable)["mean"])
    for axes, variable in zip(panels[0], variables, strict=True):
        axes.set_title(variable)
    for axes in panels[-1]:
        axes.set_xlabel("timestep" if decoded else "timestep of perturbation")
    figure.supylabel("decoding accuracy (%)" if decoded else "functional importance", fontsize=8)
    shown = set(frame["source"])
    handles = style_handles(
        {SOURCE_NAMES[k]: style for k, style in SOURCE_STYLE.items() if k in shown}
    )
    handles += published_handle(block) if len(before) else []
    handles += [chance_handle()] if decoded else []
    legend(figure, [*handles, networks_handle(frame)])
    return figure


def removed_name(removed: str) -> str:
    """An ablation in words: ``conv1 lateral``, ``fc to conv1`` or ``all lateral``."""
    source, target = ends(removed)
    lateral = f"{source} {LATERAL}" if source == target else f"{source} \u2192 {target}"
    return REMOVED.get(removed, lateral)


def ablation(files: Files, block: Figures) -> Figure:
    """Accuracy over time with and without connections: a panel for each ablation (ablation)."""
    table = read_table(files["ablation_over_time"])
    if table.empty:
        return notice(
            "The networks of this run have no recurrent connections that could be removed."
        )
    styles = interaction_styles(table["interaction"].unique())
    timesteps = sorted(table["timestep"].unique())
    names = table["removed"].unique()
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH, 0.8 + 1.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    keys = ["interaction", "removed", "timestep"]
    lost = table["accuracy_intact"] - table["accuracy_ablated"]
    intact, without, losses = (
        bands(table.assign(value=values), keys, "value")
        for values in (table["accuracy_intact"], table["accuracy_ablated"], lost)
    )
    for number, axes in enumerate(panels.flat):
        if number >= len(names):
            axes.set_axis_off()
            continue
        reference(axes, CHANCE["category"])
        for place, (interaction, (colour, marker)) in enumerate(styles.items()):
            cell = {"interaction": interaction, "removed": names[number]}
            whole = select(intact, **cell)
            if whole.empty:
                continue
            axes.plot(whole["timestep"], whole["mean"], color=colour, lw=0.9, ls=DASHED, zorder=2)
            line(axes, select(without, **cell), None, colour, marker)
            last = select(losses, **cell).iloc[-1]
            half = (
                f" \u00b1 {100 * (last['high'] - last['mean']):.1f}"
                if last["instances"] > 1
                else ""
            )
            axes.text(
                0.04,
                0.96 - 0.13 * place,
                f"{-100 * last['mean']:+.1f}{half}".replace("-", "\u2212"),
                transform=axes.transAxes,
                color=colour,
                va="top",
                fontsize=7,
            )
        axes.set_title(f"without {removed_name(names[number])}")
        timestep_axis(axes, timesteps)
    panels[0][0].set_ylim(0, 1)
    percent(panels[0][0])
    figure.supxlabel("output layer sees fc up to timestep", fontsize=8)
    figure.supylabel("test accuracy (%)", fontsize=8)
    whole_handle = Line2D([], [], color="0.2", lw=0.9, ls=DASHED, label="intact")
    handles = [*style_handles(styles), whole_handle, chance_handle()]
    legend(figure, [*handles, networks_handle(without)])
    return figure

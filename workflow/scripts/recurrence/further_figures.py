"""Figures beyond the paper, from tables: answers over time, two renderings, clutter, controls. Imports no torch."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from recurrence.configuration.blocks import Figures
from recurrence.diagrams import WIDTH, Files, notice
from recurrence.names import ALL, CHANCE, LAYERS, RENDERED_TWICE, RENDERINGS
from recurrence.plotting import (
    DOTTED,
    chance_handle,
    held,
    interaction_styles,
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
from recurrence.statistics import bands, per_instance, select
from recurrence.storage import read_table


def answers(files: Files, block: Figures) -> Figure:
    """Accuracy, and confidence for right and wrong final answers, by what the output layer sees of fc (answers)."""
    table = read_table(files["answers"])
    styles = interaction_styles(table["interaction"].unique())
    timesteps = sorted(table["timestep"].unique())
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    reference(panels[0], CHANCE["category"])
    shown = (
        ("so_far", "accuracy", "all", "accuracy (%)\nfc up to timestep t"),
        ("alone", "accuracy", "all", "accuracy (%)\nfc at timestep t alone"),
        ("so_far", "confidence", "right", "confidence (%)\nfc up to timestep t"),
        ("so_far", "confidence", "wrong", ""),
    )
    counts = []
    for number, (seen, value, answer, title) in enumerate(shown):
        axes = panels[min(number, 2)]
        rows = select(table, seen=seen, answer=answer)
        frame = bands(rows, ["interaction", "timestep"], value)
        counts.append(frame)
        for interaction, (colour, marker) in styles.items():
            here = held(select(frame, interaction=interaction), timesteps)
            how = {"ls": DOTTED} if answer == "wrong" else {}
            line(axes, here, None, colour, marker, **how)
        if title:
            axes.set_title(title)
    for axes in panels:
        axes.set_xlabel("timestep t")
        timestep_axis(axes, timesteps)
        axes.set_ylim(0, 1)
    percent(panels[0])
    handles = [
        *style_handles(styles),
        chance_handle(),
        Line2D([], [], color="0.2", label="right in the end"),
        Line2D([], [], color="0.2", ls=DOTTED, label="wrong in the end"),
    ]
    legend(figure, [*handles, networks_handle(pd.concat(counts))])
    return figure


def renderings(files: Files, block: Figures) -> Figure:
    """Importance with opposite and with compounded copies: rows are interactions, columns layers (4D_renderings)."""
    table = select(read_table(files["perturbation"]), connection=ALL)
    names = [name for name in RENDERINGS if name in set(table["rendering"])]
    present = table["interaction"].unique()
    if len(names) < 2:
        return notice("This run has no perturbations with both opposite and compounded copies.")
    table = table[table["variable"].isin(RENDERED_TWICE)]
    keys = ["interaction", "rendering", "layer", "timestep", "variable"]
    means = per_instance(table, keys[1:], "functional_importance")
    frame = bands(means, keys, "functional_importance")
    if frame["mean"].isna().all():
        return notice("The networks of this run name none of the perturbed scenes correctly.")
    timesteps = sorted(frame["timestep"].unique())
    figure = Figure(figsize=(WIDTH, 0.9 + 1.9 * len(present)), layout="constrained")
    panels = figure.subplots(len(present), len(LAYERS), sharex=True, sharey="row", squeeze=False)
    handles = []
    colours, sides = (
        time_colours(len(timesteps)),
        {"opposite": ("o", -0.055), "compounded": ("x", 0.055)},
    )
    for number, (timestep, colour) in enumerate(zip(timesteps, colours, strict=True)):
        handles.append(Line2D([], [], color=colour, lw=3, label=f"t = {timestep}"))
        for row, interaction in zip(panels, present, strict=True):
            for axes, layer in zip(row, LAYERS, strict=True):
                rows = select(frame, interaction=interaction, layer=layer)
                rows = rows[rows["timestep"] == timestep]
                for rendering, (marker, side) in sides.items():
                    here = select(rows, rendering=rendering)
                    shift = 0.26 * (number - (len(timesteps) - 1) / 2) + side
                    points(axes, here, None, shift, colour, marker, RENDERED_TWICE)
    for row, interaction in zip(panels, present, strict=True):
        row[0].set_ylabel(f"{interaction}\nfunctional importance")
        for axes in row:
            variable_axis(axes, RENDERED_TWICE)
    for axes, layer in zip(panels[0], LAYERS, strict=True):
        axes.set_title(layer)
    handles += [
        Line2D([], [], color="0.2", marker=marker, ls="", label=name)
        for name, (marker, _) in sides.items()
    ]
    legend(figure, [*handles, networks_handle(frame)])
    return figure


def clutter(files: Files, block: Figures) -> Figure:
    """Clutter left at the input over time, in the whole map and by quadrant (clutter)."""
    table = read_table(files["clutter"])
    styles = interaction_styles(table["interaction"].unique())
    timesteps = sorted(table["timestep"].unique())
    figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    titles = {"all": "whole map", "target": "target's quadrant", "others": "other quadrants"}
    counts = []
    for axes, (quadrant, title) in zip(panels, titles.items(), strict=True):
        frame = bands(select(table, quadrant=quadrant), ["interaction", "timestep"], "relative")
        counts.append(frame)
        reference(axes, 1)
        for interaction, (colour, marker) in styles.items():
            rows = held(select(frame, interaction=interaction), timesteps)
            line(axes, rows, None, colour, marker)
        axes.set_title(title)
        axes.set_xlabel("timestep")
        timestep_axis(axes, timesteps)
    panels[0].set_ylabel("clutter left (t = 1 is 1)")
    legend(figure, [*style_handles(styles), networks_handle(pd.concat(counts))])
    return figure


def controls(files: Files, block: Figures) -> Figure:
    """Test accuracy, parameters and arithmetic of the networks of each interaction (controls)."""
    accuracy = select(read_table(files["accuracy"]), image="cluttered")
    published = bands(read_table(files["published_accuracy"]), ["interaction"], "accuracy")
    costs = read_table(files["parameters"]).groupby("interaction", sort=False)
    means = bands(accuracy, ["interaction"], "accuracy").set_index("interaction")
    names = [str(name) for name in costs.groups if name in means.index]
    styles = interaction_styles(names)
    figure = Figure(figsize=(WIDTH, 1.1 + 0.32 * len(names)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True, width_ratios=(2, 1, 1))
    for place, name in enumerate(names):
        colour, marker = styles[name]
        values = accuracy.loc[accuracy["interaction"] == name, "accuracy"]
        mean = means.loc[name]
        panels[0].plot(values, [place] * len(values), "o", color="0.6", ms=2.5, zorder=2)
        reach = np.nan_to_num([[mean["mean"] - mean["low"]], [mean["high"] - mean["mean"]]])
        panels[0].errorbar(mean["mean"], place, xerr=reach, color=colour, marker=marker, zorder=3)
        before = published[published["interaction"] == name]["mean"]
        if block.published and len(before):
            panels[0].plot(before, [place], "|", color="0.35", ms=11, mew=1.2)
        for axes, column in zip(panels[1:], ("size", "multiply_accumulates"), strict=True):
            millions = costs.get_group(name)[column].sum() / 1e6
            axes.barh(place, millions, height=0.55, color=colour, alpha=0.75)
            axes.text(millions, place, f" {millions:,.3g}", va="center", fontsize=6.5)
    panels[0].axvline(CHANCE["category"], color="0.45", lw=0.9, ls=DOTTED)
    panels[0].set_yticks(range(len(names)), [", ".join(name.split("_", 1)) for name in names])
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    panels[0].set_xlim(0, 1)
    panels[0].xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
    panels[0].set_xlabel("test accuracy (%)")
    for axes, title in zip(panels[1:], ("parameters", "multiply-accumulates"), strict=True):
        axes.set_xlabel(f"million {title}")
        axes.margins(x=0.3)
    handles = [networks_handle(means), chance_handle()]
    legend(figure, [*published_handle(block, "|"), *handles])
    return figure

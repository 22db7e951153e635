"""What each figure shows, in words and numbers, for readers who cannot see it. Imports no torch.

A figure of data is described from the tables that it is drawn from. What is written into a figure of images is found
in its PNG (:func:`recurrence.figures.save`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from recurrence.figure_list import Entry
from recurrence.names import AUXILIARY, DECODED_VARIABLES, LAYERS
from recurrence.pages import number
from recurrence.statistics import CELL, Tables, per_instance, published_rendering, select

HEADING = re.compile(r"(input map )?t = \d+|target|scene")  # of an image in a row


@dataclass(frozen=True)
class Seen:
    """What descriptions are made from: the run's tables, and distance.csv."""

    ours: Tables
    distance: pd.DataFrame


def description(path: Path, entry: Entry, seen: Seen) -> str:
    """The alternative text of the figure in ``path``."""
    facts = DESCRIBED[entry.function](seen, **entry.options)
    words = ""
    if entry.function in WITH_WORDS or not facts:
        with Image.open(path) as image:
            written = str(image.info.get("Description", "")).split("; ")
        words = "; ".join(word for word in written if not HEADING.fullmatch(word))
    start = "In the figure: " if words and facts else ""
    return " ".join(filter(None, [f"{entry.title}.", facts, start + words]))


def decoding(seen: Seen, source: str, interactions: Sequence[str]) -> str:
    """The range over layers at the first and the last timestep, for each variable."""
    texts = []
    for interaction in interactions or seen.ours.decoding["interaction"].unique():
        rows = select(seen.ours.decoding, source=source, interaction=interaction, image="cluttered")
        if rows.empty:
            continue
        means = per_instance(rows, CELL, "accuracy").groupby(CELL)["accuracy"].mean()
        times = sorted(rows["timestep"].unique())
        changes = ", ".join(
            f"{variable} {_range(means, variable, times[0])} to {_range(means, variable, times[-1])}"
            for variable in DECODED_VARIABLES
            if variable in means.index.get_level_values("variable")
        )
        texts.append(
            f"{interaction.capitalize()}, from t = {times[0]} to t = {times[-1]}, the lowest and the highest layer: "
            f"{changes}."
        )
    panels = "A panel for each variable, with a line over timesteps for each layer. "
    return panels + " ".join(texts) if texts else ""


def _range(means: "pd.Series[float]", variable: str, timestep: int) -> str:
    values = 100 * means.xs((timestep, variable), level=("timestep", "variable"))
    return f"{values.min():.0f}\u2013{values.max():.0f} %"


def _mean_cells(seen: Seen, interaction: str, value: str) -> "pd.Series[float]":
    """The mean over networks of each cell: layer, timestep, variable."""
    rows = published_rendering(select(seen.ours.perturbation, interaction=interaction))
    return per_instance(rows, CELL, value).groupby(CELL)[value].mean()


def _highest(cells: "pd.Series[float]") -> tuple[tuple[Any, ...], float]:
    """The key of the highest value, and the value."""
    position = int(cells.to_numpy().argmax())
    key: Any = cells.index[position]
    return tuple(key), float(cells.iloc[position])


def importance(seen: Seen, interaction: str) -> str:
    """The most important variable of each layer."""
    cells = _mean_cells(seen, interaction, "functional_importance").dropna()
    texts = []
    for layer in LAYERS:
        if layer in cells.index.get_level_values("layer"):
            here = cells.xs(layer, level="layer")
            (timestep, variable), most = _highest(here)
            texts.append(f"{layer}, {variable} at t = {timestep} ({number(most, 2)})")
    panels = (
        "A panel for each layer, with the importance of each variable; a colour for each timestep. "
    )
    return f"{panels}Highest in each layer: {'; '.join(texts)}." if texts else ""


def accuracies(seen: Seen, interaction: str) -> str:
    """Where the perturbation of location costs most accuracy beyond its control."""
    kinds = ("original", "systematic", "control")
    columns = {kind: _mean_cells(seen, interaction, f"accuracy_{kind}") for kind in kinds}
    cost = columns["control"] - columns["systematic"]
    cost = cost[cost.index.get_level_values("variable") == "location"].dropna()
    if cost.empty:
        return ""
    cell, _ = _highest(cost)
    layer, timestep, _ = cell
    worst = {kind: 100 * float(column[cell]) for kind, column in columns.items()}
    return (
        "A panel for each layer, with lines over the timestep of the perturbation. Undisturbed accuracy: "
        f"{worst['original']:.0f} %. The wrong location costs most, compared with its control, at {layer} at "
        f"t = {timestep}: accuracy is {worst['systematic']:.0f} %, and {worst['control']:.0f} % with the control."
    )


def distances(seen: Seen) -> str:
    """The mean distance and correlation of each interaction's networks."""
    groups = seen.distance.groupby(["quantity", "interaction"], sort=False)
    texts = [
        f"{quantity}, {interaction}: mean absolute difference {number(rows['mean_absolute_difference'].mean())}, "
        f"correlation {number(rows['correlation'].mean(), 2)}"
        for (quantity, interaction), rows in groups
    ]
    start = "Four panels of points: each value of this run against the published one, and the line of equal values."
    return f"{start} {'; '.join(texts)}." if texts else ""


def input_maps(seen: Seen, interaction: str) -> str:
    """How much clutter is left at the last timestep."""
    if not _has(seen.ours.accuracy, interaction):
        return ""
    start = "Rows of grey images: the input map of a scene at each timestep, and at the end its target alone."
    if seen.ours.clutter is None:
        return start
    rows = select(seen.ours.clutter, interaction=interaction, quadrant="all")
    if rows.empty:
        return start
    last = rows[rows["timestep"] == rows["timestep"].max()]
    return (
        f"{start} Over all test scenes, the energy outside the target at t = {rows['timestep'].max()} is "
        f"{number(last['relative'].mean(), 2)} of that at t = 1."
    )


def more_input_maps(seen: Seen, interactions: Sequence[str]) -> str:
    """The layout of figure S3."""
    if not any(_has(seen.ours.accuracy, name) for name in interactions):
        return ""
    return (
        "Rows of grey images, one for each scene: the input map at each timestep, and at the end its target alone; the "
        "multiplicative network on the left, the additive one on the right."
    )


def answers(seen: Seen) -> str:
    """The layout of the figure of answers."""
    return (
        "Three panels with a line over timesteps for each interaction: accuracy when the output layer sees fc up to "
        "a timestep; accuracy when it sees that timestep alone; its confidence for scenes named correctly or wrongly."
    )


def renderings(seen: Seen) -> str:
    """The layout of the figure of both renderings."""
    return (
        "A row of panels for each interaction, a panel for each layer: importance of scale and orientation with "
        "opposite and with compounded copies, side by side; a colour for each timestep."
    )


def clutter(seen: Seen) -> str:
    """How much clutter is left at the last timestep, by interaction."""
    start = "Three panels of lines over timesteps: clutter left in the whole map, the target's quadrant, the others."
    if seen.ours.clutter is None or seen.ours.clutter.empty:
        return start
    rows = select(seen.ours.clutter, quadrant="all")
    last = rows[rows["timestep"] == rows["timestep"].max()]
    means = last.groupby("interaction", sort=False)["relative"].mean()
    texts = ", ".join(f"{name} {number(value, 2)}" for name, value in means.items())
    return f"{start} In the whole map at the last timestep: {texts}."


def sources(seen: Seen, table: str) -> str:
    """Each connection's decoding accuracy at the last timestep, or its highest importance."""
    rows = seen.ours.connections.get(table, pd.DataFrame())
    value = "accuracy" if table == "decoding" else "functional_importance"
    if rows.empty or rows[value].isna().all():
        return ""
    keys = ["connection", "timestep", "variable"]
    texts = []
    for interaction in rows["interaction"].unique():
        here = published_rendering(select(rows, interaction=str(interaction)))
        cells = per_instance(here, keys, value).groupby(keys, sort=False)[value].mean().dropna()
        if table == "decoding":
            last = cells.xs(here["timestep"].max(), level="timestep").unstack()
            means = 100 * last.reindex(columns=AUXILIARY).mean(axis=1)
            found = [f"{name} {mean:.0f} %" for name, mean in means.items()]
        else:
            found = []
            for name, part in cells.groupby("connection", sort=False):
                (_, timestep, variable), most = _highest(part)
                found.append(f"{name}, {variable} at t = {timestep} ({number(most, 2)})")
        texts.append(f"{str(interaction).capitalize()}: {'; '.join(found)}.")
    what = "Mean of location, scale and orientation at the last timestep"
    start = what if table == "decoding" else "Highest importance of each connection"
    panels = "A row of panels for each interaction and layer, a panel for each variable, a line for each connection."
    return f"{panels} {start}. {' '.join(texts)}"


def ablation(seen: Seen) -> str:
    """What each ablation costs at the last timestep."""
    table = seen.ours.ablation
    if table is None or table.empty:
        return ""
    lost = table.assign(lost=100 * (table["accuracy_intact"] - table["accuracy_ablated"]))
    texts = []
    for interaction, rows in lost.groupby("interaction", sort=False):
        means = rows.groupby("removed", sort=False)["lost"].mean()
        costs = ", ".join(f"{name} {number(mean, 1)}" for name, mean in means.items())
        texts.append(f"{str(interaction).capitalize()}: {costs}.")
    start = "A panel for each ablation: accuracy over timesteps, ablated and intact. Points lost at the last one:"
    return f"{start} {' '.join(texts)}"


def controls(seen: Seen) -> str:
    """The test accuracies of all interactions."""
    rows = select(seen.ours.accuracy, image="cluttered")
    means = 100 * rows.groupby("interaction", sort=False)["accuracy"].mean()
    texts = ", ".join(
        f"{str(name).replace('_', ', ')} {value:.0f} %" for name, value in means.items()
    )
    return f"Points and bars, a row for each interaction: test accuracy ({texts}), parameters and multiply-accumulates."


def variants(seen: Seen) -> str:
    """The layout of figure 2B."""
    return (
        "Two rows of grey images, each a scene and its altered copies: one variable of the target is changed. For its "
        "location, it and the object opposite change places."
    )


def perturbation_example(seen: Seen, interaction: str, kind: str) -> str:
    """The layout of figures 4A and 4B."""
    if not _has(seen.ours.perturbation, interaction):
        return ""
    what = {"systematic": "the flow of the altered scene", "control": "its shuffled changes"}[kind]
    return (
        "Rows of images: the scene, the recurrent flow, and the maps of input and conv1 at each timestep; above "
        f"undisturbed, below with {what}. The map to which the replaced flow goes has a frame."
    )


def architecture(seen: Seen) -> str:
    """The layout of figure 2A."""
    return (
        "A diagram: boxes for input, conv1, conv2, fc and output from left to right. Arrows between them are the "
        "feedforward, lateral and top-down connections of this run's networks."
    )


def idea(seen: Seen) -> str:
    """The layout of figure 1."""
    return (
        "A diagram: a cluttered scene enters a network, whose layers also send information about location, scale and "
        "orientation back. The network's output is the name of the target."
    )


def _has(table: pd.DataFrame, interaction: str) -> bool:
    return bool((table["interaction"] == interaction).any())


# The description of what each function of figure_list.py draws.
DESCRIBED: Mapping[str, Callable[..., str]] = {
    each.__name__: each
    for each in (
        *(decoding, importance, accuracies, distances),
        *(more_input_maps, answers, renderings, clutter, controls, sources, ablation),
        *(input_maps, variants, perturbation_example, architecture, idea),
    )
}
# Functions whose figures have words of their own, such as a network's answers.
WITH_WORDS = (
    "input_maps",
    "more_input_maps",
    "variants",
    "perturbation_example",
    "architecture",
    "idea",
)

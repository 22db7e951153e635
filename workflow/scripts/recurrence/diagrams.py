"""Diagrams: the idea (figure 1), and the network with its connections (figure 2A)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path as Outline

from recurrence.configuration.blocks import Figures
from recurrence.names import CANVAS, LAYERS, POOL
from recurrence.plotting import BLUE, ORANGE, VERMILION
from recurrence.storage import open_hdf5, read_table
from recurrence.wiring import ends

Files = Mapping[str, str]  # paths, by what the files contain

WIDTH = 7.2  # inches, of every figure
INK, LATERAL, TOPDOWN, PALE = "#1a1a1a", BLUE, VERMILION, "#f3f3f1"


@dataclass(frozen=True)
class Connection:
    """A connection: ``kind`` (feedforward, lateral, topdown, readout), ends and weight shape."""

    kind: str
    source: str
    target: str
    shape: tuple[int, ...]

    @property
    def operation(self) -> str:
        """Its operation: ``conv 5x5``, ``transposed conv 7x7`` or ``linear 128 -> 10,000``."""
        if len(self.shape) == 4:
            name = "transposed conv" if self.kind == "topdown" else "conv"
            return f"{name} {self.shape[2]}\u00d7{self.shape[3]}"
        return f"linear {self.shape[1]:,} \u2192 {self.shape[0]:,}"


def connections(parameters: str | Path) -> tuple[list[Connection], int]:
    """Read the connections of the first network of a table of parameters, and the number of its parameters."""
    table = read_table(parameters)
    table = table[table["interaction"] == table["interaction"].iloc[0]]
    shapes = {
        name: tuple(map(int, shape.split(" x ")))
        for name, shape in zip(table["parameter"], table["shape"], strict=True)
    }
    result = []
    for name, shape in shapes.items():
        kind, *rest, parameter = name.split(".")
        if parameter != "weight":
            continue
        if kind == "feedforward":
            result.append(Connection(kind, LAYERS[LAYERS.index(rest[0]) - 1], rest[0], shape))
        elif kind == "readout":
            result.append(Connection(kind, "fc", "output", shape))
        else:
            result.append(Connection(kind, *ends(rest[0]), shape))
    return result, sum(map(prod, shapes.values()))


def notice(text: str) -> Figure:
    """A figure with a text that says why there is nothing to see."""
    figure = Figure(figsize=(WIDTH, 1.2))
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=9, color="0.4")
    return figure


def lacking(interaction: str, what: str = "") -> Figure:
    """A figure that says that the run has no networks with ``interaction``, or lacks their ``what``."""
    missing = f"{interaction} networks" if not what else f"{what} of {interaction} networks"
    return notice(f"This run has no {missing} that this figure could show.")


def _canvas(height: float) -> tuple[Figure, Axes]:
    """A figure with one axes, in inches."""
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.set_axis_off()
    return figure, axes


def _box(
    axes: Axes, x: float, y: float, width: float, height: float, face: str = PALE, edge: str = INK
) -> None:
    """Draw a rounded box with its lower left corner at ``x``, ``y``."""
    style = "round,pad=0,rounding_size=0.07"
    axes.add_patch(
        FancyBboxPatch((x, y), width, height, boxstyle=style, fc=face, ec=edge, lw=0.9, zorder=3)
    )


def _path(axes: Axes, points: list[tuple[float, float]], colour: str, radius: float = 0.09) -> None:
    """Draw an arrow of straight lines with rounded corners."""
    corners = np.asarray(points)
    vertices, codes = [corners[0]], [Outline.MOVETO]
    for before, corner, after in zip(corners[:-2], corners[1:-1], corners[2:], strict=True):
        for end in (before, after):
            step = (end - corner) / np.linalg.norm(end - corner) * radius
            if end is before:
                vertices += [corner + step, corner]
                codes += [Outline.LINETO, Outline.CURVE3]
            else:
                vertices.append(corner + step)
                codes.append(Outline.CURVE3)
    vertices.append(corners[-1])
    codes.append(Outline.LINETO)
    arrow = FancyArrowPatch(
        path=Outline(vertices, codes),
        arrowstyle="-|>",
        mutation_scale=8,
        color=colour,
        lw=1.2,
        zorder=2,
    )
    arrow.set_capstyle("butt")
    axes.add_patch(arrow)


def _label(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    colour: str = INK,
    size: float = 6.5,
    *,
    ha: str = "center",
    weight: str = "normal",
    style: str = "normal",
) -> None:
    font = {"color": colour, "fontsize": size, "fontweight": weight, "fontstyle": style}
    axes.text(x, y, text, ha=ha, va="center", zorder=4, fontdict=font)


def _maps(links: list[Connection]) -> dict[str, str]:
    """Sizes of each layer's map before and after pooling, from the feedforward kernels."""
    side, text = CANVAS, {"input": f"{CANVAS}\u00d7{CANVAS}"}
    for layer in ("conv1", "conv2"):
        shape = next(c.shape for c in links if c.kind == "feedforward" and c.target == layer)
        full = side - shape[2] + 1
        side = full // POOL
        text[layer] = (
            f"{shape[0]}\u00d7{full}\u00d7{full}\npooled to\n{shape[0]}\u00d7{side}\u00d7{side}"
        )
    text["fc"] = f"{next(c.shape[0] for c in links if c.target == 'fc')} units"
    return text


def architecture(files: Files, block: Figures) -> Figure:
    """Draw the connections of the network whose table of parameters is the file ``parameters`` (2A)."""
    links, parameters = connections(files["parameters"])
    down = sorted(
        (c for c in links if c.kind == "topdown"),
        key=lambda c: (LAYERS.index(c.source) - LAYERS.index(c.target), -LAYERS.index(c.target)),
    )
    pitch = 0.27
    base = 0.25 + pitch * len(down)
    width, height = 0.86, 0.82
    left = {layer: 0.25 + 1.52 * number for number, layer in enumerate((*LAYERS, "output"))}
    figure, axes = _canvas(base + height + 0.95)
    sizes = _maps(links)
    middle, top = base + height / 2, base + height
    for layer, x in left.items():
        if layer == "output":
            _box(axes, x, base + 0.2, width - 0.3, height - 0.4, face="white")
            _label(axes, x + (width - 0.3) / 2, middle, f"{_readout(links).shape[0]}\nclasses")
            continue
        _box(axes, x, base, width, height)
        _label(axes, x + width / 2, top - 0.16, layer, size=8.5, weight="bold")
        _label(axes, x + width / 2, base + (height - 0.24) / 2, sizes[layer])
    for c in links:
        start, end = left[c.source] + width, left[c.target]
        if c.kind in ("feedforward", "readout"):
            _path(axes, [(start, middle), (end, middle)], INK)
            between, short = (start + end) / 2, c.operation if len(c.shape) == 4 else "linear"
            _label(axes, between, middle + 0.1, short, size=5.8)
            if c.kind == "readout":
                steps = c.shape[1] // next(f.shape[0] for f in links if f.target == "fc")
                text = f"all {steps} steps\n" if steps > 1 else ""
                _label(axes, between, middle + 0.17, text, size=5.8)
            elif len(c.shape) == 4:
                _label(axes, between, middle - 0.1, f"max-pool {POOL}\u00d7{POOL}", size=5.8)
        elif c.kind == "lateral":
            x = left[c.source] + width / 2
            rise = top + 0.34
            _path(axes, [(x - 0.2, top), (x - 0.2, rise), (x + 0.2, rise), (x + 0.2, top)], LATERAL)
            _label(axes, x, rise + 0.1, c.operation if len(c.shape) == 4 else "linear", LATERAL, 6)
    _topdown(axes, down, left, width, base, pitch)
    recurrent = any(c.kind in ("lateral", "topdown") for c in links)
    _legend(axes, base + height + 0.72, recurrent, parameters)
    return figure


def _readout(links: list[Connection]) -> Connection:
    return next(c for c in links if c.kind == "readout")


def _topdown(
    axes: Axes,
    down: list[Connection],
    left: dict[str, float],
    width: float,
    base: float,
    pitch: float,
) -> None:
    """Draw top-down connections below the boxes, one level for each, the shortest on top."""

    def port(c: Connection, leaving: bool) -> float:
        """Where ``c`` leaves or enters its box: longer ones leave further right and enter further left."""
        layer = c.source if leaving else c.target
        number = [d for d in down if (d.source if leaving else d.target) == layer].index(c)
        shared = any((d.target if leaving else d.source) == layer for d in down)
        step, start = (0.13, 0.58) if shared else (0.2, 0.3)
        return left[layer] + width * (
            start + step * number if leaving else 1 - start - step * number
        )

    ports = [(port(c, True), port(c, False)) for c in down]
    for level, (c, (right, target)) in enumerate(zip(down, ports, strict=True)):
        y = base - 0.25 - pitch * level
        _path(axes, [(right, base), (right, y), (target, y), (target, base)], TOPDOWN)
        # Lines of lower levels cross this one: put the label where there is most room.
        passing = [x for pair in ports[level + 1 :] for x in pair if target < x < right]
        stops = sorted([target, right, *passing])
        start, end = max(pairwise(stops), key=lambda stretch: stretch[1] - stretch[0])
        _label(axes, (start + end) / 2, y + 0.085, c.operation, TOPDOWN, 6)


def _legend(axes: Axes, y: float, recurrent: bool, parameters: int) -> None:
    entries = [("feedforward", INK)] + (
        [("lateral", LATERAL), ("top-down", TOPDOWN)] if recurrent else []
    )
    for number, (text, colour) in enumerate(entries):
        x = 0.25 + 1.1 * number
        _path(axes, [(x, y), (x + 0.28, y)], colour)
        _label(axes, x + 0.34, y, text, colour, 7, ha="left")
    _label(axes, WIDTH - 0.25, y, f"{parameters / 1e6:.1f} million parameters", size=7, ha="right")


def _frame(axes: Axes, x: float, y: float, side: float) -> None:
    """Mark the target's place."""
    axes.add_patch(Rectangle((x, y), side, side, fill=False, ec=ORANGE, lw=1.3, zorder=4))


def idea(files: Files, block: Figures) -> Figure:
    """Draw the idea, with a real scene: information orthogonal to category helps (1)."""
    with open_hdf5(files["variants"]) as file:
        scene, labels = file["original"][0], file["labels/original"]
        right, below = (int(labels[f"location_{axis}"][0]) for axis in ("horizontal", "vertical"))
    figure, axes = _canvas(2.6)
    side, y = 1.25, 0.38
    middle = y + side / 2
    axes.imshow(
        scene,
        cmap="gray",
        vmin=0,
        vmax=1,
        extent=(0.2, 0.2 + side, y, y + side),
        zorder=3,
        aspect="auto",
    )
    axes.set(xlim=(0, WIDTH), ylim=(0, 2.6))
    half = side / 2
    _frame(axes, 0.2 + half * right + 0.01, y + half * (1 - below) + 0.01, half - 0.02)
    _label(axes, 0.2 + half, y - 0.2, "a cluttered scene,\nits target framed", size=7)
    lefts, width, height = (2.0, 3.15, 4.3), 0.72, 0.8
    for x, name in zip(lefts, ("early\nlayers", "middle\nlayers", "late\nlayers"), strict=True):
        _box(axes, x, middle - height / 2, width, height)
        _label(axes, x + width / 2, middle, name, size=7.5)
    starts = [0.2 + side, *(x + width for x in lefts)]
    for start, end in zip(starts, (*lefts, 5.5), strict=True):
        _path(axes, [(start + 0.03, middle), (end, middle)], INK)
    _box(axes, 5.5, middle - 0.22, 1.5, 0.44, face="white")
    _label(axes, 6.25, middle, "category", size=8.5, weight="bold")
    _label(axes, 6.25, middle - 0.36, "what is it?", size=7, style="italic")
    roof, floor = middle + 1.2, middle + height / 2
    late, early, between = (x + width / 2 for x in (lefts[2], lefts[0], lefts[1]))
    _path(axes, [(late, floor), (late, roof), (4.2, roof)], TOPDOWN)
    _path(axes, [(2.82, roof), (early, roof), (early, floor)], TOPDOWN)
    _path(axes, [(between, roof - 0.26), (between, floor)], TOPDOWN)
    _box(axes, 2.82, roof - 0.26, 1.38, 0.52, face="white", edge=TOPDOWN)
    _label(axes, between, roof, "location, scale,\norientation", TOPDOWN, 7.5, weight="bold")
    _label(
        axes,
        (early + between) / 2,
        (roof - 0.26 + floor) / 2,
        "recurrent\nflow",
        TOPDOWN,
        7,
        style="italic",
    )
    _label(
        axes,
        late + 0.12,
        roof - 0.06,
        "orthogonal to category:\nsays nothing about what it is,\nyet helps to find out",
        TOPDOWN,
        7,
        ha="left",
        style="italic",
    )
    return figure

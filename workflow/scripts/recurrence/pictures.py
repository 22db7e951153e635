"""Figures made of images: scenes, input maps over time, an example of a perturbation (docs/experiment.md 7)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from recurrence.categories import read_names
from recurrence.configuration.blocks import Figures
from recurrence.diagrams import WIDTH, Files, lacking, notice
from recurrence.names import CANDIDATES, GROUPS
from recurrence.plotting import ORANGE, VERMILION
from recurrence.storage import open_hdf5

Image = npt.NDArray[np.floating]

TARGET, PERTURBED = ORANGE, VERMILION
VARIANTS = {
    "location_horizontal": "location\n(horizontal)",
    "location_vertical": "location\n(vertical)",
    "scale": "scale",
    "orientation": "orientation",
    "category_within": "category\n(within)",
    "category_between": "category\n(between)",
}
MORE_EXAMPLES = 8  # at most, in figure S3
NO_EXAMPLES = "No recorded test scene is named correctly by all networks shown."


def _tiles(
    rows: int,
    columns: int,
    left: float,
    top: float,
    below: float,
    across: int = 1,
    gutter: float = 0.25,
) -> tuple[Figure, list[list[list[Axes]]]]:
    """Lay out square images: ``across`` blocks side by side, each ``rows`` x ``columns`` axes.

    ``left`` and ``top`` are margins for text, ``below`` the space under each row, ``gutter`` that
    between blocks; inches.
    """
    gap = 0.06
    size = (WIDTH - left - gap - (across - 1) * gutter - (across * columns - across) * gap) / (
        across * columns
    )
    height = top + rows * (size + below)
    figure = Figure(figsize=(WIDTH, height))

    def place(block: int, row: int, column: int) -> Axes:
        x = left + block * (columns * (size + gap) - gap + gutter) + column * (size + gap)
        y = height - top - row * (size + below) - size
        axes = figure.add_axes((x / WIDTH, y / height, size / WIDTH, size / height))
        axes.set_axis_off()
        return axes

    grid = [[[place(b, r, c) for c in range(columns)] for r in range(rows)] for b in range(across)]
    return figure, grid


def _show(axes: Axes, image: Image, **options: Any) -> Any:
    usual = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest", "aspect": "auto"}
    return axes.imshow(image, **{**usual, **options})


def _head(axes: Axes, text: str) -> None:
    """Write a heading above an image."""
    axes.text(0.5, 1.05, text, transform=axes.transAxes, ha="center", va="bottom", fontsize=7.5)


def _foot(axes: Axes, text: str) -> None:
    """Write a note under an image, from its left edge."""
    how: dict[str, Any] = {
        "ha": "left",
        "va": "top",
        "fontsize": 6.5,
        "color": "0.25",
        "parse_math": False,
    }
    axes.text(0, -0.04, text, transform=axes.transAxes, **how)


def mark_target(axes: Axes, horizontal: int, vertical: int) -> None:
    """Frame the quadrant of an image that has the target."""
    corner = (0.5 * horizontal + 0.01, 0.5 * (1 - vertical) + 0.01)
    axes.add_patch(
        Rectangle(corner, 0.48, 0.48, transform=axes.transAxes, fill=False, ec=TARGET, lw=1.1)
    )


def _value(labels: Mapping[str, int], variable: str, angle: float, names: Sequence[str]) -> str:
    """The value of a varied variable, in words; ``names`` are those of the categories."""
    match variable:
        case "location_horizontal":
            return ("left", "right")[labels[variable]]
        case "location_vertical":
            return ("top", "bottom")[labels[variable]]
        case "scale":
            return ("small", "large")[labels[variable]]
        case "orientation":
            sign = ("+", "\u2212")[labels[variable]]
            return f"{sign}{angle:g}\u00b0"
    return names[labels["category"]]


def variants(files: Files, block: Figures) -> Figure:
    """Two scenes and their altered copies along each variable, with the old and the new value (2B)."""
    with open_hdf5(files["variants"]) as file:
        angle = json.loads(file.attrs["scenes"])["orientation"]["angle"]
        copies = ["original", *(f"altered/{name}" for name in VARIANTS)]
        columns = [file[name][:] for name in copies]
        labels = [
            [
                {label: int(values[scene]) for label, values in file[f"labels/{name}"].items()}
                for name in copies
            ]
            for scene in range(len(columns[0]))
        ]
    names = read_names(files["categories"])
    figure, [panels] = _tiles(len(columns[0]), len(columns), left=0.06, top=0.36, below=0.2)
    for row, number in zip(panels, range(len(columns[0])), strict=True):
        for axes, images, label in zip(row, columns, labels[number], strict=True):
            _show(axes, images[number])
            mark_target(axes, label["location_horizontal"], label["location_vertical"])
        _foot(row[0], names[labels[number][0]["category"]])
        for axes, variable, label in zip(row[1:], VARIANTS, labels[number][1:], strict=True):
            old, new = (_value(each, variable, angle, names) for each in (labels[number][0], label))
            _foot(axes, f"{old} \u2192 {new}")
    for axes, title in zip(panels[0], ["scene", *VARIANTS.values()], strict=True):
        _head(axes, title)
    return figure


@dataclass(frozen=True)
class Examples:
    """The scenes of the file ``examples``: maps (scene, timestep, 100, 100) and answers of each network shown."""

    maps: dict[str, Image]
    answers: dict[str, Image]
    clean: Image
    labels: dict[str, Image]

    @classmethod
    def read(cls, path: str) -> "Examples":
        """Read the scenes for figures; there may be none."""
        with open_hdf5(path) as file:
            n = int(file.attrs["typical"])
            maps, answers, labels = (
                {name: values[:n] for name, values in file[group].items()}
                for group in ("input", "prediction", "labels")
            )
            return cls(maps, answers, file["clean"][:n], labels)

    def place(self, scene: int) -> tuple[int, int]:
        """The location of a scene's target, horizontal and vertical."""
        horizontal, vertical = (
            self.labels[f"location_{axis}"] for axis in ("horizontal", "vertical")
        )
        return int(horizontal[scene]), int(vertical[scene])

    def draw(self, row: Sequence[Axes], interaction: str, scene: int, names: Sequence[str]) -> None:
        """Show a scene's input maps over time and its target alone, and say what the network answers."""
        images = [*self.maps[interaction][scene], self.clean[scene]]
        for axes, image in zip(row, images, strict=True):
            _show(axes, image)
        mark_target(row[0], *self.place(scene))
        truth = names[self.labels["category"][scene]]
        answer = names[self.answers[interaction][scene]]
        _foot(row[0], f"{truth}, recognised" if truth == answer else f"{truth}, taken for {answer}")


def input_maps(files: Files, block: Figures, interaction: str) -> Figure:
    """Show the input map over time for example scenes (3B, S2B)."""
    if "examples" not in files:
        return lacking(interaction)
    shown = Examples.read(files["examples"])
    scenes = range(len(shown.clean))[: block.examples]
    if not scenes:
        return notice(NO_EXAMPLES)
    if interaction not in shown.maps:
        return lacking(interaction)
    timesteps, across = shown.maps[interaction].shape[1], 2 if len(scenes) > 1 else 1
    rows, names = -(-len(scenes) // across), read_names(files["categories"])
    figure, grid = _tiles(rows, timesteps + 1, left=0.06, top=0.22, below=0.19, across=across)
    for place, scene in enumerate(scenes):
        shown.draw(grid[place // rows][place % rows], interaction, scene, names)
    for tiles in grid[: -(-len(scenes) // rows)]:
        _time_heads(tiles[0])
    return figure


def more_input_maps(files: Files, block: Figures, interactions: Sequence[str]) -> Figure:
    """Show the input map of the same further scenes in the networks of all ``interactions``, side by side (S3)."""
    if "examples" not in files:
        return lacking(" or ".join(interactions))
    shown = Examples.read(files["examples"])
    networks = [name for name in interactions if name in shown.maps]
    scenes = range(len(shown.clean))[block.examples : block.examples + MORE_EXAMPLES]
    if not len(shown.clean):
        return notice(NO_EXAMPLES)
    if not scenes:
        return notice(
            f"Only {len(shown.clean)} test scenes are named correctly by all networks shown; "
            "other figures have them."
        )
    timesteps, across = shown.maps[networks[0]].shape[1], max(2, len(networks))
    figure, grid = _tiles(len(scenes), timesteps + 1, 0.06, top=0.42, below=0.19, across=across)
    names = read_names(files["categories"])
    for name, tiles in zip(networks, grid, strict=False):
        for row, scene in zip(tiles, scenes, strict=True):
            shown.draw(row, name, scene, names)
        _time_heads(tiles[0])
        heading: dict[str, Any] = {"va": "bottom", "fontsize": 8.5, "fontweight": "bold"}
        tiles[0][0].text(0, 1.28, name, transform=tiles[0][0].transAxes, **heading)
    return figure


def _time_heads(row: Sequence[Axes]) -> None:
    """Write the timesteps, and ``target``, above the images of a row."""
    titles = [*(f"t = {t}" for t in range(1, len(row))), "target"]
    for axes, title in zip(row, titles, strict=True):
        _head(axes, title)


MISSING = {
    "flow": "The networks of this run lack the recurrent flow of this example.",
    "scene": f"In none of the first {CANDIDATES} scenes of the perturbation experiment does this perturbation\n"
    "make a right answer of the first network wrong while its control does not.",
}


@dataclass(frozen=True)
class Perturbed:
    """The file of an example: the scene, its altered copy, and both runs' maps (timestep, h, w) and flows (h, w)."""

    facts: dict[str, Any]
    scenes: list[Image]
    input: list[Image]
    conv1: list[Image]
    flows: list[Image]

    @classmethod
    def read(cls, path: str, kind: str) -> "Perturbed | str":
        """Read the undisturbed run and that of ``kind``; a text that says why if there is no example."""
        with open_hdf5(path) as file:
            if "original" not in file:
                return MISSING[str(file.attrs["missing"])]
            runs = ("original", kind)
            return cls(
                dict(file.attrs),
                [file["original"][:], file["altered"][:]],
                [file[f"input_{run}"][:] for run in runs],
                [file[f"conv1_{run}"][:] for run in runs],
                [file[f"flow_{run}"][:].mean(0) for run in runs],  # over channels
            )


def perturbation_example(files: Files, block: Figures, interaction: str, kind: str) -> Figure:
    """Show a perturbation, ``systematic`` (4A) or ``control`` (4B), below the undisturbed run."""
    if "perturbation_example" not in files:
        return lacking(interaction)
    example = Perturbed.read(files["perturbation_example"], kind)
    if isinstance(example, str):
        return notice(example)
    facts, timesteps = example.facts, len(example.input[0])
    layer, timestep = str(facts["layer"]), int(facts["timestep"])
    limit = float(max(np.quantile(np.abs(flow), 0.995) for flow in example.flows)) or 1.0
    strongest = float(max(np.quantile(maps, 0.999) for maps in example.conv1)) or 1.0
    figure, [tiles] = _tiles(4, timesteps + 2, left=0.42, top=0.36, below=0.2)
    names, flow_image, conv1_image = read_names(files["categories"]), None, None
    for number, run in enumerate(("original", kind)):
        upper, lower = tiles[2 * number : 2 * number + 2]
        _show(upper[0], example.scenes[number])
        flow_image = _show(upper[1], example.flows[number], cmap="PuOr_r", vmin=-limit, vmax=limit)
        for axes, image in zip(upper[2:], example.input[number], strict=True):
            _show(axes, image)
        for axes, image in zip(lower[2:], example.conv1[number], strict=True):
            conv1_image = _show(axes, image, vmax=strongest)
        _side(upper[0], f"{kind} perturbation" if number else "undisturbed")
        answer = names[int(facts[f"prediction_{run}"])]
        verdict = "right" if facts[f"prediction_{run}"] == facts["category"] else "wrong"
        _foot(lower[-2], f"answer: {answer} ({verdict})")
    place = [int(facts[f"location_{axis}"]) for axis in ("horizontal", "vertical")]
    mark_target(tiles[0][0], *place)
    variable = str(facts["variable"])
    if variable.startswith("location"):
        place[variable == "location_vertical"] ^= 1
    mark_target(tiles[2][0], *place)
    _foot(tiles[0][0], f"target: {names[int(facts['category'])]}")
    _foot(tiles[2][0], f"copy, other {GROUPS.get(variable, variable)}")
    _foot(tiles[2][1], "of the altered copy" if kind == "systematic" else "same change, shuffled")
    row = tiles[2 + ("input", "conv1").index(layer)] if layer in ("input", "conv1") else None
    if row:
        _frame(row[1 + timestep])
        _foot(row[1 + timestep], "replaced flow arrives")
    _bar(figure, tiles[1][1], flow_image, "flow")
    _bar(figure, tiles[3][1], conv1_image, "conv1")
    titles = ["scene", f"flow to {layer}\nat t = {timestep}"]
    titles += [f"input map\nt = {t + 1}" for t in range(timesteps)]
    for axes, title in zip(tiles[0], titles, strict=True):
        _head(axes, title)
    for lower in (tiles[1], tiles[3]):
        how: dict[str, Any] = {"transform": lower[2].transAxes, "va": "bottom"}
        lower[2].text(0, 1.03, "conv1", **how)
    return figure


def _side(axes: Axes, text: str) -> None:
    """Write a text along the left edge of an image."""
    how: dict[str, Any] = {"rotation": 90, "ha": "right", "va": "center"}
    axes.text(-0.12, 0.5, text, transform=axes.transAxes, **how)


def _frame(axes: Axes) -> None:
    """Mark a map as the one that is perturbed."""
    how: dict[str, Any] = {"fill": False, "ec": PERTURBED, "lw": 1.8, "clip_on": False}
    axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, **how))


def _bar(figure: Figure, axes: Axes, image: Any, label: str) -> None:
    """Draw a colour bar in the upper part of an empty tile."""
    box = axes.get_position()
    place = (box.x0 + 0.1 * box.width, box.y0 + 0.72 * box.height)
    inside = figure.add_axes((*place, 0.8 * box.width, 0.09 * box.height))
    bar = figure.colorbar(image, cax=inside, orientation="horizontal")
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(labelsize=6, length=2)
    bar.set_label(label, fontsize=6.5)

"""Figures made of images: scenes, input maps over time, an example of a perturbation (docs/experiment.md 7)."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from recurrence.categories import read_names
from recurrence.configuration.blocks import Figures
from recurrence.diagrams import WIDTH, Files, lacking, notice
from recurrence.names import GROUPS
from recurrence.storage import open_hdf5

Image = npt.NDArray[np.floating]

TARGET = "#E69F00"
VARIANTS = {
    "location_horizontal": "location\n(horizontal)",
    "location_vertical": "location\n(vertical)",
    "scale": "scale",
    "orientation": "orientation",
    "category_within": "category\n(within)",
    "category_between": "category\n(between)",
}
MORE_EXAMPLES = 8  # at most, in figure S3


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


def _show(axes: Axes, image: Image, **options: Any) -> None:
    axes.imshow(
        image,
        **{
            "cmap": "gray",
            "vmin": 0,
            "vmax": 1,
            "interpolation": "nearest",
            "aspect": "auto",
            **options,
        },
    )


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


def _mark_target(axes: Axes, horizontal: int, vertical: int) -> None:
    """Frame the quadrant of an image that has the target."""
    corner = (0.5 * horizontal + 0.01, 0.5 * (1 - vertical) + 0.01)
    axes.add_patch(
        Rectangle(corner, 0.48, 0.48, transform=axes.transAxes, fill=False, ec=TARGET, lw=1.1)
    )


def variants(files: Files, block: Figures) -> Figure:
    """Two scenes and their altered copies along each variable (2B)."""
    with open_hdf5(files["variants"]) as file:
        columns = [file["original"][:], *(file["altered"][name][:] for name in VARIANTS)]
    figure, [panels] = _tiles(len(columns[0]), len(columns), left=0.06, top=0.36, below=0.06)
    for number, row in enumerate(panels):
        for axes, images in zip(row, columns, strict=True):
            _show(axes, images[number])
    for axes, title in zip(panels[0], ["scene", *VARIANTS.values()], strict=True):
        _head(axes, title)
    return figure


def input_maps(files: Files, block: Figures, interaction: str, more: bool = False) -> Figure:
    """Show the input map over time for example scenes (3B, S2B), or for ``more`` scenes (S3)."""
    if "examples" not in files:
        return lacking(interaction)
    with open_hdf5(files["examples"]) as file:
        maps, clean, answers = file["input"][:], file["clean"][:], file["prediction"][:]
        labels = {
            name: file["labels"][name][:]
            for name in ("category", "location_horizontal", "location_vertical")
        }
    shown, names = block.examples, read_names(files["categories"])
    scenes = range(len(maps))[shown : shown + MORE_EXAMPLES] if more else range(len(maps))[:shown]
    if not scenes:
        return notice("This run has recorded no further example scenes.")
    timesteps, across = maps.shape[1], 2 if len(scenes) > 1 else 1
    rows = -(-len(scenes) // across)
    figure, grid = _tiles(rows, timesteps + 1, left=0.06, top=0.22, below=0.19, across=across)
    for place, scene in enumerate(scenes):
        row = grid[place // rows][place % rows]
        for axes, image in zip(row, [*maps[scene], clean[scene]], strict=True):
            _show(axes, image)
        _mark_target(
            row[0], labels["location_horizontal"][scene], labels["location_vertical"][scene]
        )
        truth, answer = labels["category"][scene], answers[scene]
        said = "recognised" if truth == answer else f"taken for {names[answer]}"
        _foot(row[0], f"{names[truth]}, {said}")
    for tiles in grid[: -(-len(scenes) // rows)]:
        for axes, title in zip(
            tiles[0], [*(f"t = {t + 1}" for t in range(timesteps)), "target"], strict=True
        ):
            _head(axes, title)
    return figure


def perturbation_example(files: Files, block: Figures, interaction: str, kind: str) -> Figure:
    """Show a perturbation, ``systematic`` (4A) or ``control`` (4B), below the undisturbed run."""
    if "perturbation_example" not in files:
        return lacking(interaction)
    with open_hdf5(files["perturbation_example"]) as file:
        if "original" not in file:
            return notice("The networks of this run lack the recurrent flow of this example.")
        facts = dict(file.attrs)
        scenes = [file["original"][:], file["altered"][:]]
        maps = [file["input_original"][:], file[f"input_{kind}"][:]]
        flows = [file[f"flow_{run}"][:].mean(0) for run in ("original", kind)]  # over channels
    names = read_names(files["categories"])
    layer, timestep, timesteps = _text(facts["layer"]), int(facts["timestep"]), len(maps[0])
    limit = float(max(np.quantile(np.abs(flow), 0.995) for flow in flows)) or 1.0
    figure, [panels] = _tiles(2, timesteps + 2, left=0.42, top=0.36, below=0.2)
    for number, run in enumerate(("original", kind)):
        row = panels[number]
        _show(row[0], scenes[number])
        _show(row[1], flows[number], cmap="PuOr_r", vmin=-limit, vmax=limit)
        for axes, image in zip(row[2:], maps[number], strict=True):
            _show(axes, image)
        name = f"{kind}\nperturbation" if number else "undisturbed"
        row[0].text(
            -0.08,
            0.5,
            name,
            transform=row[0].transAxes,
            rotation=90,
            ha="right",
            va="center",
            ma="center",
        )
        _foot(row[-1], f"answer: {names[int(facts[f'prediction_{run}'])]}")
    variable = _text(facts["variable"])
    _foot(panels[0][0], f"target: {names[int(facts['category'])]}")
    _foot(panels[1][0], f"other {GROUPS.get(variable, variable)}")
    _foot(panels[1][1], "of the altered copy" if kind == "systematic" else "same change, shuffled")
    titles = ["scene and, below,\nits altered copy", f"flow to {layer}\nat t = {timestep}"]
    for axes, title in zip(
        panels[0], [*titles, *(f"input map\nt = {t + 1}" for t in range(timesteps))], strict=True
    ):
        _head(axes, title)
    return figure


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

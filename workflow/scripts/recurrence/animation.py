"""An animated strip of input maps over time, for the README, from a run's example scenes.

    .venv/bin/python -m recurrence.animation results/quick docs/images/input_maps.png

The file is an animated PNG: a frame for each timestep, a row for each network, a column for each scene.
"""

import argparse
import io
from pathlib import Path
from typing import Any

import matplotlib.style as mpl_style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from recurrence.figures import STYLE
from recurrence.names import PUBLISHED_INTERACTIONS
from recurrence.pictures import Examples, mark_target
from recurrence.storage import atomic

SCENES = 6  # at most
SIZE, LEFT, TOP, GAP = 1.05, 0.3, 0.32, 0.06  # inches: an image, the margins, the space between
DPI = 100
MILLISECONDS, LAST = 700, 2_000  # of a frame, and of the last one


def frame(shown: Examples, t: int) -> Image.Image:
    """The input maps of all networks at timestep ``t``, with the target's quadrant framed."""
    names = [name for name in PUBLISHED_INTERACTIONS if name in shown.maps]
    count = min(SCENES, len(shown.clean))
    width, height = LEFT + count * (SIZE + GAP), TOP + len(names) * (SIZE + GAP)
    with mpl_style.context(STYLE):
        figure = Figure(figsize=(width, height), dpi=DPI)
        figure.text(LEFT / width, 1 - 0.17 / height, f"input map, t = {t}", va="center", fontsize=9)
        for row, name in enumerate(names):
            for scene in range(count):
                corner = LEFT + scene * (SIZE + GAP), height - TOP - SIZE - row * (SIZE + GAP)
                place = (corner[0] / width, corner[1] / height, SIZE / width, SIZE / height)
                axes = figure.add_axes(place)
                axes.set_axis_off()
                axes.imshow(shown.maps[name][scene, t - 1], cmap="gray", vmin=0, vmax=1)
                mark_target(axes, *shown.place(scene))
                if scene == 0:
                    how: dict[str, Any] = {"rotation": 90, "ha": "right", "va": "center"}
                    axes.text(-0.07, 0.5, name, transform=axes.transAxes, fontsize=8, **how)
        data = io.BytesIO()
        FigureCanvasAgg(figure)
        figure.savefig(data, format="png")
    return Image.open(data).convert("RGB")


def write_strip(examples: str | Path, path: str | Path) -> None:
    """Write the strip of the file ``examples``; raises ``ValueError`` if it has no scenes."""
    shown = Examples.read(str(examples))
    if not len(shown.clean):
        raise ValueError(f"{examples} has no scenes: no test scene was named correctly")
    timesteps = min(maps.shape[1] for maps in shown.maps.values())
    frames = [frame(shown, t) for t in range(1, timesteps + 1)]
    durations = [*([MILLISECONDS] * (timesteps - 1)), LAST]
    with atomic(path) as temporary:
        frames[0].save(
            temporary,
            format="PNG",
            save_all=True,
            append_images=frames[1:],
            duration=durations,
            loop=0,
            optimize=True,
        )


def main() -> None:
    """Make the strip of a run."""
    parser = argparse.ArgumentParser(description="Make an animated strip of a run's input maps.")
    parser.add_argument(
        "run", type=Path, help="the folder of a finished run, such as results/quick"
    )
    parser.add_argument("picture", type=Path, help="the PNG file to write")
    arguments = parser.parse_args()
    write_strip(arguments.run / "examples.h5", arguments.picture)


if __name__ == "__main__":
    main()

"""A run by hand, in Python or a notebook: its networks, tables and scenes (docs/by_hand.md).

It needs only the folder of the run, ``results/<run>``, as the workflow or an unpacked archive has it. To paint scenes
anew it also needs source images: those in the run's data folder, or the project's sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from matplotlib import style
from matplotlib.figure import Figure
from torch import Tensor

from recurrence.categories import read_names
from recurrence.configuration.blocks import Configuration
from recurrence.configuration.problems import check, layered
from recurrence.datasets import read_sample
from recurrence.figures import STYLE
from recurrence.names import CANVAS, LAYERS, SAMPLED
from recurrence.network import RecurrentNetwork, Trajectory, load_network
from recurrence.rendering import render
from recurrence.scenes import Recipe, SceneDistribution, SourceImages, alter, sample
from recurrence.seeds import derive_seed
from recurrence.source_files import FILES
from recurrence.storage import open_hdf5, read_table
from recurrence.variables import labels

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Scenes:
    """Scenes and their targets.

    ``images`` are the cluttered scenes and ``clean`` the targets alone on black, (n, 1, 100, 100) float32 in [0, 1].
    ``labels`` has an (n,) tensor for each variable (docs/experiment.md 1).
    """

    images: Tensor
    clean: Tensor
    labels: Mapping[str, Tensor]


@dataclass(frozen=True)
class PaintedScenes(Scenes):
    """Scenes that were painted from a recipe, so that they can be altered."""

    sources: SourceImages
    distribution: SceneDistribution
    recipe: Recipe

    def altered(self, variable: str, rendering: str = "opposite") -> "PaintedScenes":
        """The same scenes with one variable of the target changed, as in the perturbation experiment.

        ``variable`` and ``rendering`` are those of :func:`recurrence.scenes.alter`, which raises ``ValueError`` for
        others.
        """
        recipe = alter(self.recipe, variable, rendering, self.distribution)
        return _painted(self.sources, self.distribution, recipe)


def sample_sources() -> SourceImages:
    """The training images of the sample of MNIST and Fashion-MNIST that comes with the project."""
    return SourceImages.join(
        *((files[FILES[0]], files[FILES[1]]) for files in map(read_sample, SAMPLED))
    )


def paint(
    sources: SourceImages,
    count: int | range = 4,
    distribution: SceneDistribution | None = None,
    seed: int = 0,
) -> PaintedScenes:
    """Paint scenes: the first ``count`` of the stream ``seed``, or those with the numbers of a range.

    ``distribution`` is the paper's if none is given.
    """
    drawn_from = distribution or SceneDistribution()
    numbers = range(count) if isinstance(count, int) else count
    return _painted(sources, drawn_from, sample(sources, drawn_from, seed, numbers))


def _painted(
    sources: SourceImages, distribution: SceneDistribution, recipe: Recipe
) -> PaintedScenes:
    scenes, clean = (torch.from_numpy(render(sources, each)) for each in (recipe, recipe.clean()))
    named = {name: torch.from_numpy(each) for name, each in labels(recipe, sources).items()}
    return PaintedScenes(scenes, clean, named, sources, distribution, recipe)


def images(pixels: npt.ArrayLike) -> Tensor:
    """Images of one's own as a network takes them, (n, 1, 100, 100) float32.

    ``pixels`` is (100, 100), (n, 100, 100) or (n, 1, 100, 100), from 0 (black) to 1. Raises ``ValueError`` for anything
    else.
    """
    array = np.asarray(pixels, dtype=np.float32)
    shaped = array.reshape(-1, 1, *array.shape[-2:]) if array.ndim in (2, 3) else array
    if shaped.ndim != 4 or shaped.shape[1:] != (1, CANVAS, CANVAS):
        raise ValueError(
            f"images of shape {array.shape}: give ({CANVAS}, {CANVAS}) or (n, {CANVAS}, {CANVAS})"
        )
    if not (shaped.min(initial=0) >= 0 and shaped.max(initial=0) <= 1):
        raise ValueError(
            f"pixels from {array.min():g} to {array.max():g}: give numbers from 0 (black) to 1, "
            "such as bytes divided by 255"
        )
    return torch.from_numpy(shaped.copy())


@dataclass(frozen=True)
class Run:
    """A run: ``folder`` is ``results/<run>``, ``config`` its configuration."""

    folder: Path
    config: Configuration

    @property
    def networks(self) -> list[tuple[str, int]]:
        """The networks that are there: interaction and number of each."""
        found = [
            (interaction, instance)
            for interaction in self.config.run.interactions
            for instance in range(1, self.config.run.instances + 1)
        ]
        return [name for name in found if (self._network(*name) / MODEL).exists()]

    @property
    def tables(self) -> list[str]:
        """The names of the tables that are there."""
        return sorted(path.stem for path in (self.folder / "tables").glob("*.csv"))

    @cached_property
    def categories(self) -> list[str]:
        """The names of the 20 categories, in order."""
        return read_names(self.folder / "tables" / "categories.csv")

    def network(self, interaction: str, instance: int = 1) -> RecurrentNetwork:
        """A network of the run, on the CPU, its weights without gradients.

        Raises ``ValueError`` that names the run's networks if there is no such one.
        """
        if (interaction, instance) not in self.networks:
            raise ValueError(
                f"{self.folder} has no {interaction} network {instance}: "
                f"there is {', '.join(f'{name} {k}' for name, k in self.networks) or 'none'}"
            )
        return load_network(self._network(interaction, instance) / MODEL).requires_grad_(False)

    def table(self, name: str) -> pd.DataFrame:
        """A table of the run. Raises ``ValueError`` that names the run's tables if there is no such one."""
        if name not in self.tables:
            raise ValueError(
                f"{self.folder} has no table {name!r}: there is {', '.join(self.tables) or 'none'}"
            )
        return read_table(self.folder / "tables" / f"{name}.csv")

    def examples(self) -> Scenes:
        """The example scenes that the run's folder has, those of the figures first. They need no source images.

        Raises ``OSError`` if the run has none, as one with feedforward networks alone.
        """
        with open_hdf5(self.folder / "examples.h5") as file:
            scenes, clean = (
                torch.from_numpy(file[name][:])[:, None] for name in ("scenes", "clean")
            )
            named = {name: torch.from_numpy(each[:]) for name, each in file["labels"].items()}
        return Scenes(scenes, clean, named)

    def scenes(
        self,
        count: int | range = 4,
        distribution: SceneDistribution | None = None,
        sources: SourceImages | None = None,
    ) -> PaintedScenes:
        """Paint test scenes of the run: the first ``count``, or those with the numbers of a range.

        Another ``distribution`` or other ``sources`` (:func:`recurrence.sample_sources`) take the place of the run's.
        Raises as :meth:`sources` does.
        """
        return paint(
            sources or self.sources(),
            count,
            distribution or SceneDistribution.of(self.config.scenes),
            derive_seed(self.config.run.seed, "test scenes"),
        )

    def sources(self, split: str = "test") -> SourceImages:
        """The source images of a split: train, validation or test.

        Raises ``FileNotFoundError`` if the run's data folder lacks them, and says what to do without.
        """
        # The folder is relative to the one that has results/, from wherever this is called.
        shards = self.folder.parents[1] / self.config.data.folder / "shards"
        files = [shards / f"{each.name}-{split}.h5" for each in self.config.data.datasets]
        if lacking := [path for path in files if not path.exists()]:
            raise FileNotFoundError(
                f"{lacking[0]} is not there, so no scenes can be painted from the run's images. The scenes of "
                "run.examples() need none; sources=recurrence.sample_sources() takes the project's sample"
            )
        return SourceImages.read(files)

    def _network(self, interaction: str, instance: int) -> Path:
        return self.folder / interaction / f"instance{instance}"


def load(folder: str | Path) -> Run:
    """The run in ``folder``, such as ``results/quick`` of the project or of an unpacked archive.

    Raises ``FileNotFoundError`` if it is no folder of a run, and ``ConfigurationError`` if its configuration is wrong.
    """
    path = Path(folder).resolve()
    if not (path / "config.yaml").is_file():
        raise FileNotFoundError(
            f"{folder} is not the folder of a run: it has no config.yaml. Name one such as results/quick"
        )
    return Run(path, check(layered([path / "config.yaml"])))


def plot(
    passes: Mapping[str, Trajectory], categories: Sequence[str] = (), layer: str = "input"
) -> Figure:
    """Draw the maps of ``layer`` over time: a row for each scene and each of the named forward passes.

    Maps are means over channels, and have the same range of grey values in all rows. Beside each row: the name of its
    pass, the answer (its name in ``categories``, or its number) and the probability of that. Raises ``ValueError`` for
    a layer without maps, or if the passes are of different numbers of scenes.
    """
    runs = list(passes.items())
    if layer not in LAYERS[:-1]:
        raise ValueError(f"{layer!r} has no maps: choose one of {', '.join(LAYERS[:-1])}")
    if len(counts := {len(each.logits) for each in passes.values()}) != 1:
        raise ValueError(f"forward passes of {sorted(counts)} scenes: give some of the same scenes")
    shown = [[_maps(each, layer, scene) for _, each in runs] for scene in range(counts.pop())]
    rows = [maps for scene in shown for maps in scene]
    low, high = (0.0, 1.0) if layer == "input" else _range(rows)
    timesteps = max(map(len, rows))
    size = (1.2 + 1.1 * timesteps, 0.25 + 1.12 * len(rows))
    with style.context(STYLE):
        figure = Figure(figsize=size, dpi=100, layout="constrained")
        panels = figure.subplots(len(rows), timesteps, squeeze=False)
        for number, (row, maps) in enumerate(zip(panels, rows, strict=True)):
            for axes in row:
                axes.set_axis_off()
            for t, (axes, image) in enumerate(zip(row, maps, strict=False), 1):
                axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
                if number == 0:
                    axes.set_title(f"t = {t}")
            name, trajectory = runs[number % len(runs)]
            text = f"{name}\n{_answer(trajectory, number // len(runs), categories)}"
            place: dict[str, Any] = {"transform": row[0].transAxes, "ha": "right", "va": "center"}
            row[0].text(-0.06, 0.5, text, parse_math=False, **place)
    return figure


def _maps(trajectory: Trajectory, layer: str, scene: int) -> npt.NDArray[np.float32]:
    maps = [activity.maps[layer][scene].float().mean(0) for activity in trajectory.activities]
    return np.asarray(torch.stack(maps).detach().cpu().numpy())


def _range(rows: Sequence[npt.NDArray[np.float32]]) -> tuple[float, float]:
    return min(float(maps.min()) for maps in rows), max(float(maps.max()) for maps in rows)


def _answer(trajectory: Trajectory, scene: int, categories: Sequence[str]) -> str:
    probabilities = trajectory.logits[scene].detach().float().softmax(0)
    best = int(probabilities.argmax())
    return f"{categories[best] if categories else f'category {best}'} ({probabilities[best]:.0%})"

"""Does the network use its recurrent flow? Interventions and functional importance (paper 3.2; docs/experiment.md 5).

The recurrent flow is replaced at one layer and timestep. *Systematic*: with the flow that the same
network has for an altered copy of the scene. *Control*: with the original flow plus the same
difference, its elements permuted. If it is asked for, the same is done with the flow along each
connection by itself: the other connections to the layer keep what they carry.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recurrence.configuration.blocks import Perturbation
from recurrence.connections import fixed_parameters
from recurrence.devices import send
from recurrence.names import ALL, ALTERATIONS, CANDIDATES, CANVAS, LAYERS, RENDERED_TWICE
from recurrence.network import Intervention, RecurrentNetwork, Trajectory, mixed_precision, total
from recurrence.renderers import Renderer, renderer
from recurrence.scenes import Recipe, SceneDistribution, SourceImages, alter, sample
from recurrence.seeds import derive_seed
from recurrence.storage import create_hdf5, write_dataset

if TYPE_CHECKING:
    from recurrence.job import Progress

BATCH = 25  # scenes
EXAMPLE = ("location_horizontal", "input", 3)  # variable, layer and timestep of figures 4A and 4B
CELL = ["rendering", "layer", "timestep", "variable", "connection"]
ACCURACIES = [f"accuracy_{kind}" for kind in ("original", "systematic", "control")]
DISCORDANT = [
    *("control_only", "systematic_only"),
    *("control_only_original", "systematic_only_original"),
]
COLUMNS = [
    *("repeat", *CELL[:-1], *ACCURACIES, "functional_importance", "n", *DISCORDANT),
    "connection",
]

Key = tuple[str, str, str, int, str, str]  # kind, and the columns CELL
ORIGINAL: Key = ("original", "", "", 0, "", "")
Terms = Mapping[str, Mapping[str, Tensor]]  # what each connection carries, by layer and connection


@dataclass(frozen=True)
class Experiment:
    """The network, scenes and seed of a perturbation experiment."""

    network: RecurrentNetwork
    sources: SourceImages
    distribution: SceneDistribution
    seed: int

    def recipe(self, indices: range) -> Recipe:
        """The recipes of the scenes ``indices`` of the experiment."""
        return sample(
            self.sources, self.distribution, derive_seed(self.seed, "perturbation scenes"), indices
        )

    @cached_property
    def paint(self) -> Renderer:
        """Paints recipes as scenes on the network's device."""
        return renderer(self.sources, self.network.device)

    def permutations(self, indices: range) -> dict[str, Tensor]:
        """For each layer, a random permutation (n, elements) of its map for each of the scenes ``indices``."""
        key = derive_seed(self.seed, "perturbation control")
        drawn: dict[str, list[np.ndarray[Any, Any]]] = {layer: [] for layer in LAYERS}
        for index in indices:
            generator = np.random.default_rng([key, index])
            for layer in LAYERS:
                drawn[layer].append(generator.permutation(int(np.prod(self.network.shapes[layer]))))
        return {layer: send(np.stack(each), self.network.device) for layer, each in drawn.items()}


def perturb(experiment: Experiment, block: Perturbation, progress: "Progress") -> pd.DataFrame:
    """Functional importance of every variable at every layer and timestep.

    Returns the rows of perturbation.csv (:data:`COLUMNS`)
    without the columns that name the network; none if the network has no recurrence. The columns
    :data:`DISCORDANT` count the ``n`` scenes with a right answer under the control alone and under the
    systematic perturbation alone, and those of them that are right without perturbation too: with
    them the sampling error of an importance can be computed. ``connection`` is ``all``, or the one
    whose flow alone is replaced.
    """
    network, n = experiment.network, block.scenes
    rows: list[dict[str, Any]] = []
    for repeat in range(block.repeats) if network.connections else ():
        hits: dict[Key, Tensor] = {}
        for start in range(0, n, BATCH):
            indices = range(repeat * n + start, repeat * n + min(n, start + BATCH))
            with mixed_precision(network.device, block.precision), fixed_parameters(network):
                _count_hits(experiment, indices, block, hits)
            if progress.due():
                progress.show(indices.stop)
        counts = {key: int(number) for key, number in hits.items()}
        original = counts.pop(ORIGINAL) / n
        for cell in sorted({key[1:] for key in counts}):
            control, systematic = counts["control", *cell] / n, counts["systematic", *cell] / n
            importance = (control - systematic) / original if original else float("nan")
            accuracies = dict(zip(ACCURACIES, (original, systematic, control), strict=True))
            where = {"repeat": repeat, **dict(zip(CELL, cell, strict=True))}
            found = {kind: counts[kind, *cell] for kind in DISCORDANT}
            measured = {**accuracies, "functional_importance": importance, "n": n}
            rows.append({**where, **measured, **found})
    return pd.DataFrame(rows, columns=COLUMNS)


@torch.inference_mode()
def _count_hits(
    experiment: Experiment, indices: range, block: Perturbation, hits: dict[Key, Tensor]
) -> None:
    """Add the numbers of right answers on the scenes ``indices`` to ``hits``, which stay on the device."""
    network, recipe = experiment.network, experiment.recipe(indices)
    images, permutations = experiment.paint(recipe), experiment.permutations(indices)
    category = send(recipe.categories(experiment.sources), network.device)

    def add(key: Key, right: Tensor) -> None:
        hits[key] = hits[key] + right.sum() if key in hits else right.sum()

    def right(logits: Tensor) -> Tensor:
        return logits.argmax(1) == category

    def terms(trajectory: Trajectory) -> list[Terms]:
        return terms_over_time(network, trajectory) if block.connections else []

    undisturbed = network(images)
    carried = terms(undisturbed)
    original = right(undisturbed.logits)
    add(ORIGINAL, original)
    for variable in ALTERATIONS:
        twice = variable in RENDERED_TWICE
        for rendering in block.renderings if twice else block.renderings[:1]:
            recipe_altered = alter(recipe, variable, rendering, experiment.distribution)
            altered = network(experiment.paint(recipe_altered))
            filed = [rendering] if twice else block.renderings
            made = replacements(undisturbed, altered, permutations, carried, terms(altered))
            for layer, timestep, connections, flows in made:
                answers = {
                    kind: right(
                        network(images, Intervention(layer, timestep, flow), undisturbed).logits
                    )
                    for kind, flow in flows.items()
                }
                for kind, hit in (answers | discordant(original, **answers)).items():
                    for name in filed:
                        for connection in connections:
                            add((kind, name, layer, timestep, variable, connection), hit)


def terms_over_time(network: RecurrentNetwork, trajectory: Trajectory) -> list[Terms]:
    """What each connection carries at each timestep, nothing at the first."""
    return [{}, *(network.terms(activity) for activity in trajectory.activities[:-1])]


def discordant(original: Tensor, systematic: Tensor, control: Tensor) -> dict[str, Tensor]:
    """Which scenes (n,) are answered right under only one of the two perturbations, by column."""
    alone = {"control_only": control & ~systematic, "systematic_only": systematic & ~control}
    return alone | {f"{kind}_original": scenes & original for kind, scenes in alone.items()}


def replacements(
    original: Trajectory,
    altered: Trajectory,
    permutations: Mapping[str, Tensor],
    carried: Sequence[Terms] = (),
    carried_altered: Sequence[Terms] = (),
) -> Iterator[tuple[str, int, list[str], dict[str, Tensor]]]:
    """The replacements for each layer's flow at each timestep: ``systematic`` and ``control``.

    Gives layer, timestep, connections and flows. ``connections`` is ``[all]``. If it is given what connections carry
    in both trajectories, it also replaces that along each connection by itself. The only one to a layer is all of them.
    """
    for t, flows in enumerate(original.flows):
        for layer, flow in flows.items():
            mine = carried[t][layer] if carried else {}
            theirs = carried_altered[t][layer] if carried else {}
            others = {name: theirs[name] for name in mine if len(mine) > 1}
            names = [ALL] if others else [ALL, *mine]
            whole = [(names, altered.flows[t][layer])]
            each = (
                ([name], total({**mine, name: other}.values())) for name, other in others.items()
            )
            for connections, other in (*whole, *each):
                shuffled = (other - flow).flatten(1).gather(1, permutations[layer]).view(flow.shape)
                yield layer, t + 1, connections, {"systematic": other, "control": flow + shuffled}


@torch.inference_mode()
def write_example(experiment: Experiment, path: str | Path, provenance: Mapping[str, Any]) -> None:
    """Write the first scene for which a systematic perturbation makes a right answer wrong, and its control does not.

    The perturbation is :data:`EXAMPLE`. If none of the first :data:`CANDIDATES` scenes is such a one, or if the network
    lacks that recurrent flow, the file has no datasets; its attribute ``missing`` is ``scene`` or ``flow``.
    """
    variable, layer, timestep = EXAMPLE
    network, indices = experiment.network, range(CANDIDATES)
    recipe = experiment.recipe(indices)
    category = torch.from_numpy(recipe.categories(experiment.sources))
    images = experiment.paint(recipe)
    altered_images = experiment.paint(alter(recipe, variable, "opposite", experiment.distribution))
    undisturbed, altered = network(images), network(altered_images)
    if network.timesteps < timestep or layer not in undisturbed.flows[timestep - 1]:
        with create_hdf5(path, {**provenance, "missing": "flow"}):
            return
    flows = next(
        {"original": undisturbed.flows[timestep - 1][layer], **flows}
        for name, t, _, flows in replacements(
            undisturbed, altered, experiment.permutations(indices)
        )
        if (name, t) == (layer, timestep)
    )
    passes = {
        kind: network(images, Intervention(layer, timestep, flow), undisturbed)
        for kind, flow in flows.items()
    }
    answers = {kind: run.logits.argmax(1).cpu() for kind, run in passes.items()}
    fitting = (
        (answers["original"] == category)
        & (answers["systematic"] != category)
        & (answers["control"] == category)
    )
    if not fitting.any():
        with create_hdf5(path, {**provenance, "missing": "scene"}):
            return
    one = int(fitting.int().argmax())
    row, column = recipe.of_target(recipe.centre).T
    predictions = {f"prediction_{kind}": int(answer[one]) for kind, answer in answers.items()}
    facts = {
        "layer": layer,
        "timestep": timestep,
        "variable": variable,
        "category": int(category[one]),
        "location_horizontal": int(column[one] >= CANVAS // 2),
        "location_vertical": int(row[one] >= CANVAS // 2),
    }
    with create_hdf5(path, {**provenance, **facts, **predictions}) as file:
        plane = ("row", "column")
        write_dataset(file, "original", images[one, 0].cpu(), plane)
        write_dataset(file, "altered", altered_images[one, 0].cpu(), plane)
        for kind, run in passes.items():
            for shown in ("input", "conv1"):
                maps = torch.stack([each.maps[shown][one].mean(0) for each in run.activities])
                write_dataset(file, f"{shown}_{kind}", maps.cpu(), ("timestep", *plane))
            write_dataset(file, f"flow_{kind}", flows[kind][one].cpu(), ("channel", *plane))

"""Example scenes for the figures of input maps: which are shown, and the networks' input maps over time."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from recurrence.network import RecurrentNetwork
from recurrence.scene_reading import SceneSet
from recurrence.storage import create_hdf5, write_dataset

EXAMPLES = 12  # scenes, at most
BATCH = 50  # scenes


def typical_scenes(answers: Sequence[pd.DataFrame], count: int) -> list[int]:
    """The scenes to show: those with the most typical reduction of clutter, at most ``count``.

    ``answers`` has a table for each network shown, with the columns scene, category, answer and clutter_left. Among
    the scenes that all of them name correctly, those come first whose reduction of clutter, mean over the
    networks, is nearest to its median; of equal ones the first.
    """
    right = np.logical_and.reduce([table["answer"] == table["category"] for table in answers])
    scenes = answers[0]["scene"].to_numpy()[right]
    if not len(scenes):
        return []
    left = np.mean([table["clutter_left"].to_numpy()[right] for table in answers], axis=0)
    order = np.argsort(np.abs(left - np.median(left)), kind="stable")
    return [int(scene) for scene in scenes[order][:count]]


def write_examples(
    networks: Mapping[str, RecurrentNetwork],
    scenes: SceneSet,
    typical: Sequence[int],
    path: str | Path,
    provenance: Mapping[str, Any],
) -> None:
    """Write the ``typical`` scenes, in this order, with each network's input map at each timestep and its answer.

    If they are fewer than :data:`EXAMPLES`, the first other scenes follow, for use by hand. The attribute ``typical``
    is the number of those for the figures.
    """
    others = (scene for scene in range(scenes.count) if scene not in typical)
    chosen = [*typical, *islice(others, max(0, EXAMPLES - len(typical)))]
    found = {
        batch.where.start + place: (
            batch.scenes[place],
            batch.clean[place],
            {name: values[place] for name, values in batch.labels.items()},
        )
        for batch in scenes.batches(BATCH)
        for place in range(len(batch.scenes))
        if batch.where.start + place in chosen
    }
    images = np.stack([found[scene][0] for scene in chosen])
    clean = np.stack([found[scene][1] for scene in chosen])
    plane = ("scene", "row", "column")
    attributes = {**provenance, "typical": len(typical)}
    with create_hdf5(path, attributes) as file, torch.inference_mode():
        write_dataset(file, "scene", np.asarray(chosen, np.int64))
        write_dataset(file, "scenes", images[:, 0], plane)
        write_dataset(file, "clean", clean[:, 0], plane)
        for variable in found[chosen[0]][2]:
            values = [found[scene][2][variable] for scene in chosen]
            write_dataset(file, f"labels/{variable}", values)
        for name, network in networks.items():
            run = network(torch.from_numpy(images).to(network.device))
            maps = torch.stack([activity.maps["input"][:, 0] for activity in run.activities], 1)
            axes = ("scene", "timestep", "row", "column")
            write_dataset(file, f"input/{name}", maps.cpu(), axes)
            write_dataset(file, f"prediction/{name}", run.logits.argmax(1).cpu())

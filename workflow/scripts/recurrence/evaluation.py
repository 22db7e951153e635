"""Evaluate a trained network on the test scenes: accuracy, clutter at the input, removal of the fc lateral connection.

The trajectories are recorded at the same time (docs/experiment.md 4).
"""

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from recurrence.connections import fixed_parameters
from recurrence.network import RecurrentNetwork, Trajectory, mixed_precision
from recurrence.recording import Recorder
from recurrence.scene_reading import SceneSet

if TYPE_CHECKING:
    from recurrence.job import Progress

BATCH = 50  # scenes
TARGET_THRESHOLD = 0.1  # a pixel of the clean image above this is part of the target


@dataclass(frozen=True)
class Evaluation:
    """Three tables, without the columns that name the network.

    ``accuracy`` has image, n, accuracy; ``clutter`` has timestep, energy_outside, relative, n;
    ``ablation`` has n, accuracy_intact, accuracy_ablated, the numbers of scenes that are answered
    right with the connection alone and without it alone (intact_only, ablated_only), and no rows if
    there is no fc lateral connection.
    """

    accuracy: pd.DataFrame
    clutter: pd.DataFrame
    ablation: pd.DataFrame


def evaluate(
    network: RecurrentNetwork,
    scenes: SceneSet,
    precision: str,
    recorder: Recorder,
    progress: "Progress",
) -> Evaluation:
    """Run ``network`` on ``scenes`` in ``precision`` (bfloat16 or float32); ``recorder`` gets its trajectories."""
    ablated = copy.deepcopy(network)
    lateral = "fc" in ablated.lateral
    if lateral:
        del ablated.lateral["fc"]
    correct = dict.fromkeys(("cluttered", "clean", "ablated", "intact_only", "ablated_only"), 0)
    outside = np.zeros(network.timesteps)
    with (
        torch.inference_mode(),
        mixed_precision(network.device, precision),
        fixed_parameters(network),
        fixed_parameters(ablated),
    ):
        for batch in scenes.batches(BATCH):
            recorder.write_labels(batch)
            cluttered, clean, category = (
                torch.from_numpy(each).to(network.device)
                for each in (batch.scenes, batch.clean, batch.labels["category"].astype(np.int64))
            )
            # One trajectory at a time, as they take most of the memory.
            run = network(clean)
            recorder.write("clean", batch.where, run)
            correct["clean"] += int(_right(run, category).sum())
            del run
            run = network(cluttered)
            recorder.write("cluttered", batch.where, run)
            intact = _right(run, category)
            correct["cluttered"] += int(intact.sum())
            outside += energy_outside(run, clean).sum(0).cpu().numpy()
            del run
            if lateral:
                right = _right(ablated(cluttered), category)
                correct["ablated"] += int(right.sum())
                correct["intact_only"] += int((intact & ~right).sum())
                correct["ablated_only"] += int((right & ~intact).sum())
            if progress.due():
                progress.show(batch.where.stop)
    return _tables(correct, outside, scenes.count, lateral)


def _tables(
    correct: dict[str, int], outside: npt.NDArray[np.float64], n: int, lateral: bool
) -> Evaluation:
    """Make the tables from counts of right answers and summed energies outside the target."""
    accuracy = [
        {"image": image, "n": n, "accuracy": correct[image] / n} for image in ("cluttered", "clean")
    ]
    energy = outside / n
    clutter = {
        "timestep": range(1, len(energy) + 1),
        "energy_outside": energy,
        "relative": energy / energy[0],
        "n": n,
    }
    ablation = {
        "n": n,
        "accuracy_intact": correct["cluttered"] / n,
        "accuracy_ablated": correct["ablated"] / n,
        "intact_only": correct["intact_only"],
        "ablated_only": correct["ablated_only"],
    }
    return Evaluation(
        pd.DataFrame(accuracy),
        pd.DataFrame(clutter),
        pd.DataFrame([ablation] if lateral else [], columns=list(ablation)),
    )


def _right(trajectory: Trajectory, category: Tensor) -> Tensor:
    return trajectory.logits.argmax(1) == category


def energy_outside(trajectory: Trajectory, clean: Tensor) -> Tensor:
    """The share of the input map's energy (sum of squares) outside the target, (batch, timesteps)."""
    outside = clean <= TARGET_THRESHOLD
    energy = [activity.maps["input"].square() for activity in trajectory.activities]
    return torch.stack(
        [(e * outside).sum((1, 2, 3)) / e.sum((1, 2, 3)).clamp(min=1e-9) for e in energy], 1
    )

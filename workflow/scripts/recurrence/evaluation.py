"""Evaluate a trained network on the test scenes: accuracy, clutter at the input, removal of the fc lateral connection.

The trajectories are recorded at the same time (docs/experiment.md 4).
"""

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recurrence.answers import AnswerCounts
from recurrence.clutter import clutter_left, clutter_table, energy_outside
from recurrence.connections import fixed_parameters
from recurrence.network import RecurrentNetwork, Trajectory, mixed_precision
from recurrence.recording import Recorder
from recurrence.scene_reading import SceneSet

if TYPE_CHECKING:
    from recurrence.job import Progress

BATCH = 50  # scenes


@dataclass(frozen=True)
class Evaluation:
    """Five tables, without the columns that name the network.

    ``accuracy`` has image, n, accuracy; ``clutter`` is as :func:`recurrence.clutter.clutter_table` says;
    ``ablation`` has n, accuracy_intact, accuracy_ablated, the numbers of scenes that are answered
    right with the connection alone and without it alone (intact_only, ablated_only), and no rows if
    there is no fc lateral connection. ``answers`` is as :meth:`recurrence.answers.AnswerCounts.table` says;
    ``scenes`` has scene (its number), category, answer, clutter_left.
    """

    accuracy: pd.DataFrame
    clutter: pd.DataFrame
    ablation: pd.DataFrame
    answers: pd.DataFrame
    scenes: pd.DataFrame


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
    answers, shares, given = AnswerCounts(), [], []
    with (
        torch.inference_mode(),
        mixed_precision(network.device, precision),
        fixed_parameters(network),
        fixed_parameters(ablated),
    ):
        for batch in scenes.batches(BATCH):
            recorder.write_labels(batch)
            cluttered, clean = (
                torch.from_numpy(each).to(network.device) for each in (batch.scenes, batch.clean)
            )
            category, horizontal, vertical = (
                torch.from_numpy(batch.labels[name].astype(np.int64)).to(network.device)
                for name in ("category", "location_horizontal", "location_vertical")
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
            shares.append(energy_outside(run, clean, horizontal, vertical).cpu())
            given.append(torch.stack([category, run.logits.argmax(1)], 1).cpu())
            answers.add(network, run, category)
            del run
            if lateral:
                right = _right(ablated(cluttered), category)
                correct["ablated"] += int(right.sum())
                correct["intact_only"] += int((intact & ~right).sum())
                correct["ablated_only"] += int((right & ~intact).sum())
            if progress.due():
                progress.show(batch.where.stop)
    energy = torch.cat(shares).double().numpy()
    categories = pd.DataFrame(torch.cat(given).numpy(), columns=["category", "answer"])
    numbered = categories.rename_axis("scene").reset_index()
    accuracy, ablation = _counted(correct, scenes.count, lateral)
    return Evaluation(
        accuracy,
        clutter_table(energy),
        ablation,
        answers.table(),
        numbered.assign(clutter_left=clutter_left(energy)),
    )


def _counted(correct: dict[str, int], n: int, lateral: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the tables ``accuracy`` and ``ablation`` from counts of right answers."""
    accuracy = [
        {"image": image, "n": n, "accuracy": correct[image] / n} for image in ("cluttered", "clean")
    ]
    ablation = {
        "n": n,
        "accuracy_intact": correct["cluttered"] / n,
        "accuracy_ablated": correct["ablated"] / n,
        "intact_only": correct["intact_only"],
        "ablated_only": correct["ablated_only"],
    }
    rows = [ablation] if lateral else []
    return pd.DataFrame(accuracy), pd.DataFrame(rows, columns=list(ablation))


def _right(trajectory: Trajectory, category: Tensor) -> Tensor:
    return trajectory.logits.argmax(1) == category

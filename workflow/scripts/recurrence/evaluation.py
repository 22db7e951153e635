"""Evaluate a trained network on the test scenes: accuracy, clutter at the input, removal of connections.

The trajectories are recorded at the same time (docs/experiment.md 4).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recurrence.ablation import AblationCounts
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
    """Six tables, without the columns that name the network.

    ``accuracy`` has image, n, accuracy; ``clutter`` is as :func:`recurrence.clutter.clutter_table` says;
    ``ablation`` and ``ablation_over_time`` as :class:`recurrence.ablation.AblationCounts`; ``answers`` as
    :meth:`recurrence.answers.AnswerCounts.table`;
    ``scenes`` has scene (its number), category, answer, clutter_left.
    """

    accuracy: pd.DataFrame
    clutter: pd.DataFrame
    ablation: pd.DataFrame
    ablation_over_time: pd.DataFrame
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
    correct = dict.fromkeys(("cluttered", "clean"), 0)
    answers, ablated, shares, given = AnswerCounts(), AblationCounts(network), [], []
    with (
        torch.inference_mode(),
        mixed_precision(network.device, precision),
        fixed_parameters(network),
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
            # At most two trajectories at a time, as they take most of the memory.
            run = network(clean)
            recorder.write("clean", batch.where, run)
            correct["clean"] += int(_right(run, category).sum())
            del run
            run = network(cluttered)
            recorder.write("cluttered", batch.where, run)
            correct["cluttered"] += int(_right(run, category).sum())
            shares.append(energy_outside(run, cluttered, clean, horizontal, vertical).cpu())
            given.append(torch.stack([category, run.logits.argmax(1)], 1).cpu())
            answers.add(network, run, category)
            ablated.add(cluttered, run, category)
            del run
            if progress.due():
                progress.show(batch.where.stop)
    energy = torch.cat(shares).double().numpy()
    categories = pd.DataFrame(torch.cat(given).numpy(), columns=["category", "answer"])
    numbered = categories.rename_axis("scene").reset_index()
    n = scenes.count
    return Evaluation(
        pd.DataFrame([{"image": k, "n": n, "accuracy": right / n} for k, right in correct.items()]),
        clutter_table(energy),
        ablated.table(),
        ablated.table_over_time(),
        answers.table(),
        numbered.assign(clutter_left=clutter_left(energy)),
    )


def _right(trajectory: Trajectory, category: Tensor) -> Tensor:
    return trajectory.logits.argmax(1) == category

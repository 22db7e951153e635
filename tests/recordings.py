"""Networks and recordings that several tests use."""

from pathlib import Path

import torch

from blocks import SMALL
from recurrence.evaluation import Evaluation, evaluate
from recurrence.job import Progress
from recurrence.network import RecurrentNetwork
from recurrence.recording import recorder
from recurrence.scene_reading import SceneSet

SHARD = 60  # scenes


def made(interaction: str) -> RecurrentNetwork:
    """A small network, always the same."""
    torch.manual_seed(1)
    return RecurrentNetwork(interaction, SMALL).eval()


def recorded(
    network: RecurrentNetwork,
    scenes: SceneSet,
    path: Path,
    precision: str = "float32",
    connections: bool = False,
) -> Evaluation:
    """Record and evaluate ``network``."""
    with recorder(path, network, scenes.count, connections, {"seed": "1"}) as recording:
        return evaluate(network, scenes, precision, recording, Progress("record", [], scenes.count))

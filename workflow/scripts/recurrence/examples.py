"""Example scenes and a network's input map over time, for the figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from recurrence.network import RecurrentNetwork
from recurrence.scene_reading import SceneSet
from recurrence.storage import create_hdf5, write_dataset

EXAMPLES = 12  # scenes


def write_examples(
    network: RecurrentNetwork, shard: str, path: str | Path, provenance: Mapping[str, Any]
) -> None:
    """Write the first :data:`EXAMPLES` test scenes of a shard, with the network's input map at each timestep."""
    batch = next(SceneSet([shard], EXAMPLES).batches(EXAMPLES))
    with torch.inference_mode():
        trajectory = network(torch.from_numpy(batch.scenes).to(network.device))
    maps = torch.stack([activity.maps["input"][:, 0] for activity in trajectory.activities], 1)
    plane = ("scene", "row", "column")
    with create_hdf5(path, provenance) as file:
        write_dataset(file, "scenes", batch.scenes[:, 0], plane)
        write_dataset(file, "clean", batch.clean[:, 0], plane)
        write_dataset(file, "input", maps.cpu(), ("scene", "timestep", "row", "column"))
        write_dataset(file, "prediction", trajectory.logits.argmax(1).cpu())
        for variable, values in batch.labels.items():
            write_dataset(file, f"labels/{variable}", values)

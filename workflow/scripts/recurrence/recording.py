"""Record a network's activations and recurrent flow on test scenes (docs/experiment.md 4), streamed to HDF5.

Maps are float16 with only :data:`MANTISSA` bits of mantissa, so that they compress to less than
half their size. Memory does not grow with the number of scenes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recurrence.names import FIRST_FLOW, FIRST_TIMESTEP, LAYERS
from recurrence.network import RecurrentNetwork, Trajectory
from recurrence.scene_reading import Batch
from recurrence.storage import create_hdf5, require_space, write_dataset
from recurrence.variables import VARIABLES

CHUNK = 25  # scenes
# Bits of mantissa that are kept. A value's rounding error is at most 1.6 % (activations) or 6.3 % (flow), independent
# of other values. Flow is most of a recording. Decoding accuracies change by 0.003 on average (docs/performance.md).
MANTISSA = {"activation": 5, "recurrent_flow": 3}
AXES = {"input": ("channel", "row", "column"), "fc": ("unit",)}


@contextmanager
def recorder(
    path: str | Path, network: RecurrentNetwork, count: int, provenance: Mapping[str, Any]
) -> Iterator["Recorder"]:
    """Record ``network`` on ``count`` scenes into the HDF5 file at ``path``; on an error there is no such file.

    Raises ``OSError`` if the disk is too small.
    """
    require_space(Path(path).parent, bytes_needed(network, count), "the recording")
    with create_hdf5(path, provenance) as file:
        yield Recorder(_create_datasets(file, network, count))


class Recorder:
    """Writes labels and trajectories to a recording; ``datasets`` has its datasets by path."""

    def __init__(self, datasets: Mapping[str, h5py.Dataset]) -> None:
        self._datasets = datasets

    def write_labels(self, batch: Batch) -> None:
        """Write the labels of a batch of scenes."""
        for variable, values in batch.labels.items():
            self._datasets[f"labels/{variable}"][batch.where] = values

    def write(self, image: str, where: slice, trajectory: Trajectory) -> None:
        """Write the trajectory of the scenes ``where``; ``image`` is cluttered, or clean (recorded without flow)."""
        group = "" if image == "cluttered" else f"{image}/"

        def put(quantity: str, layer: str, step: int, values: Tensor) -> None:
            if dataset := self._datasets.get(f"{group}{quantity}/{layer}"):
                dataset[where, step] = round_mantissa(values, MANTISSA[quantity])

        self._datasets[f"{group}logits"][where] = trajectory.logits.float().cpu().numpy()
        for t, activity in enumerate(trajectory.activities):
            for layer, output in activity.outputs.items():
                put("activation", layer, t, output)
            for layer, flow in trajectory.flows[t].items():
                put("recurrent_flow", layer, t + 1 - FIRST_FLOW, flow)


def _layout(network: RecurrentNetwork) -> dict[str, tuple[int, ...]]:
    """The path of each dataset of maps in a recording, and its shape for one scene."""
    steps = network.timesteps
    with_flow = {*network.lateral, *(name.split("_to_")[1] for name in network.topdown)}
    activations = {
        f"activation/{layer}": (steps, *network.output_shapes[layer]) for layer in LAYERS
    }
    flows = {
        f"recurrent_flow/{layer}": (steps + 1 - FIRST_FLOW, *network.shapes[layer])
        for layer in LAYERS
        if layer in with_flow
    }
    return activations | flows | {f"clean/{path}": shape for path, shape in activations.items()}


def _quantity(path: str) -> str:
    """Whether the dataset at ``path`` holds ``activation`` or ``recurrent_flow``."""
    return path.removeprefix("clean/").split("/")[0]


def bytes_needed(network: RecurrentNetwork, count: int) -> int:
    """An upper bound for the size of a recording: sign, exponent and kept mantissa of float16, uncompressed."""
    bits = 0
    for path, shape in _layout(network).items():
        bits += (6 + MANTISSA[_quantity(path)]) * count * int(np.prod(shape))
    return bits // 8


def _create_datasets(
    file: h5py.File, network: RecurrentNetwork, count: int
) -> dict[str, h5py.Dataset]:
    """Create all datasets of a recording, by path. They stay open, so that a failed write is an exception."""
    compression = hdf5plugin.Blosc2(cname="zstd", clevel=1, filters=hdf5plugin.Blosc2.BITSHUFFLE)
    datasets = {}
    for path, shape in _layout(network).items():
        chunks = (min(CHUNK, count), 1, *shape[1:])
        datasets[path] = file.create_dataset(
            path, (count, *shape), np.float16, chunks=chunks, compression=compression
        )
        axes = AXES.get(path.rsplit("/", 1)[-1], AXES["input"])
        for axis, label in enumerate(("scene", "timestep", *axes)):
            datasets[path].dims[axis].label = label
        datasets[path].attrs["first_timestep"] = FIRST_TIMESTEP[_quantity(path)]
    for variable in VARIABLES:
        path = f"labels/{variable}"
        datasets[path] = write_dataset(file, path, np.zeros(count, np.uint8))
    for path in ("logits", "clean/logits"):
        empty = np.zeros((count, network.readout.out_features), np.float32)
        datasets[path] = write_dataset(file, path, empty, ("scene", "category"))
    return datasets


def round_mantissa(values: Tensor, kept: int) -> npt.NDArray[np.float16]:
    """Round values to float16 with only the first ``kept`` bits of mantissa."""
    dropped = 10 - kept
    bits = values.to(torch.float16).cpu().numpy().view(np.uint16)
    rounded = (bits + np.uint16(1 << (dropped - 1))) & np.uint16(0xFFFF << dropped & 0xFFFF)
    return rounded.view(np.float16)

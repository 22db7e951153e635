"""Record a network's activations and recurrent flow on test scenes (docs/experiment.md 4), streamed to HDF5.

Maps are float16 with only :data:`MANTISSA` bits of mantissa, so that they compress to less than
half their size. Memory does not grow with the number of scenes. What each connection carries by
itself is recorded if it is asked for.
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
from recurrence.wiring import ends

CHUNK = 25  # scenes
# Bits of mantissa that are kept. A value's rounding error is at most 1.6 % (activations) or 6.3 % (flow), independent
# of other values. Flow is most of a recording. Decoding accuracies change by 0.003 on average (docs/performance.md).
MANTISSA = {"activation": 5, "recurrent_flow": 3}
LARGEST = 2**15  # rounded up, larger numbers could be infinite in float16
AXES = {1: ("unit",), 3: ("channel", "row", "column")}  # by their number


@contextmanager
def recorder(
    path: str | Path,
    network: RecurrentNetwork,
    count: int,
    connections: bool,
    provenance: Mapping[str, Any],
) -> Iterator["Recorder"]:
    """Record ``network`` on ``count`` scenes into the HDF5 file at ``path``; on an error there is no such file.

    ``connections``: whether to record the flow along each connection too. Raises ``OSError`` if the disk is too small.
    """
    shapes = layout(network, connections)
    require_space(Path(path).parent, bytes_needed(shapes, count))
    with create_hdf5(path, provenance) as file:
        datasets = _create_datasets(file, shapes, count, network.readout.out_features)
        yield Recorder(datasets, network if connections else None)


class Recorder:
    """Writes labels and trajectories to a recording; ``datasets`` has its datasets by path.

    ``network`` is given if the flow along each of its connections is recorded.
    """

    def __init__(
        self, datasets: Mapping[str, h5py.Dataset], network: RecurrentNetwork | None
    ) -> None:
        self._datasets, self._network = datasets, network

    def write_labels(self, batch: Batch) -> None:
        """Write the labels of a batch of scenes."""
        for variable, values in batch.labels.items():
            self._datasets[f"labels/{variable}"][batch.where] = values

    def write(self, image: str, where: slice, trajectory: Trajectory) -> None:
        """Write the trajectory of the scenes ``where``; ``image`` is cluttered, or clean (recorded without flow).

        Raises ``ValueError`` that names the layer if a value is not a number, or larger than :data:`LARGEST`.
        """
        group = "" if image == "cluttered" else f"{image}/"

        def put(path: str, step: int, values: Tensor) -> None:
            if dataset := self._datasets.get(group + path):
                largest = float(values.abs().max())
                if not largest <= LARGEST:  # or it is not a number
                    raise ValueError(
                        f"this network has {largest:g} in {group + path}: it cannot be recorded, at most {LARGEST} can"
                    )
                dataset[where, step] = round_mantissa(values, MANTISSA[_quantity(path)])

        self._datasets[f"{group}logits"][where] = trajectory.logits.float().cpu().numpy()
        for t, activity in enumerate(trajectory.activities):
            for layer, output in activity.outputs.items():
                put(f"activation/{layer}", t, output)
            for layer, flow in trajectory.flows[t].items():
                put(f"recurrent_flow/{layer}", t + 1 - FIRST_FLOW, flow)
        if self._network and image == "cluttered":
            # Computed again, one timestep at a time: a trajectory with all of it would be three times as large.
            for step, activity in enumerate(trajectory.activities[:-1]):
                for terms in self._network.terms(activity).values():
                    for name, term in terms.items():
                        put(f"connection_flow/{name}", step, term)


def layout(network: RecurrentNetwork, connections: bool) -> dict[str, tuple[int, ...]]:
    """The path of each dataset of maps in a recording, and its shape for one scene."""
    steps = network.timesteps
    targets = {name: ends(name)[1] for name in network.connections}
    activations = {
        f"activation/{layer}": (steps, *network.output_shapes[layer]) for layer in LAYERS
    }
    flows = {f"recurrent_flow/{layer}": layer for layer in LAYERS if layer in targets.values()}
    if connections:
        flows |= {f"connection_flow/{name}": layer for name, layer in targets.items()}
    return (
        activations
        | {path: (steps + 1 - FIRST_FLOW, *network.shapes[to]) for path, to in flows.items()}
        | {f"clean/{path}": shape for path, shape in activations.items()}
    )


def _quantity(path: str) -> str:
    """Whether the dataset at ``path`` holds ``activation`` or ``recurrent_flow`` (of all connections or of one)."""
    return "activation" if "activation/" in path else "recurrent_flow"


def bytes_needed(shapes: Mapping[str, tuple[int, ...]], count: int) -> int:
    """An upper bound for the size of a recording: sign, exponent and kept mantissa of float16, uncompressed."""
    bits = 0
    for path, shape in shapes.items():
        bits += (6 + MANTISSA[_quantity(path)]) * count * int(np.prod(shape))
    return bits // 8


def _create_datasets(
    file: h5py.File, shapes: Mapping[str, tuple[int, ...]], count: int, categories: int
) -> dict[str, h5py.Dataset]:
    """Create all datasets of a recording, by path. They stay open, so that a failed write is an exception."""
    compression = hdf5plugin.Blosc2(cname="zstd", clevel=1, filters=hdf5plugin.Blosc2.BITSHUFFLE)
    datasets = {}
    for path, shape in shapes.items():
        chunks = (min(CHUNK, count), 1, *shape[1:])
        datasets[path] = file.create_dataset(
            path, (count, *shape), np.float16, chunks=chunks, compression=compression
        )
        for axis, label in enumerate(("scene", "timestep", *AXES[len(shape) - 1])):
            datasets[path].dims[axis].label = label
        datasets[path].attrs["first_timestep"] = FIRST_TIMESTEP[_quantity(path)]
    for variable in VARIABLES:
        path = f"labels/{variable}"
        datasets[path] = write_dataset(file, path, np.zeros(count, np.uint8))
    for path in ("logits", "clean/logits"):
        empty = np.zeros((count, categories), np.float32)
        datasets[path] = write_dataset(file, path, empty, ("scene", "category"))
    return datasets


def round_mantissa(values: Tensor, kept: int) -> npt.NDArray[np.float16]:
    """Round values to float16 with only the first ``kept`` bits of mantissa."""
    dropped = 10 - kept
    bits = values.to(torch.float16).cpu().numpy().view(np.uint16)
    rounded = (bits + np.uint16(1 << (dropped - 1))) & np.uint16(0xFFFF << dropped & 0xFFFF)
    return rounded.view(np.float16)

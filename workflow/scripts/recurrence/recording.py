"""Record what a trained network does on the test scenes (SPEC 4): activations and recurrent flow, streamed to HDF5.

Maps are float16 with :data:`MANTISSA` bits of mantissa, which compress to less than half their
size; memory does not grow with the number of scenes.
"""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from recurrence.connections import fixed_parameters
from recurrence.names import FIRST_FLOW, FIRST_TIMESTEP, LABELS, LAYERS
from recurrence.network import RecurrentNetwork, Trajectory, mixed_precision
from recurrence.storage import create_hdf5, open_hdf5, require_space, write_dataset

if TYPE_CHECKING:
    from recurrence.job import Progress

BATCH = 50  # scenes
CHUNK = 25  # scenes
EXAMPLES = 12  # scenes whose input maps are kept for the figures
# Bits of mantissa that are kept. Rounding errors are independent over values, at most 1.6 % and 6.3 % of each; flows
# are most of a recording, and read-outs move by 0.003 in the mean (docs/performance.md).
MANTISSA = {"activation": 5, "recurrent_flow": 3}
TARGET_THRESHOLD = 0.1  # a pixel of the clean image above this is part of the target
AXES = {"input": ("channel", "row", "column"), "fc": ("unit",)}


def record(
    network: RecurrentNetwork,
    scene_files: list[str],
    count: int,
    precision: str,
    path: str | Path,
    attributes: Mapping[str, Any],
    progress: "Progress",
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Record the first ``count`` test scenes into the HDF5 file at ``path``, computed in ``precision``.

    Returns three tables without the columns that name the network: accuracy (image, n, accuracy),
    clutter (timestep, energy_outside, relative, n) and ablation (n, accuracy_intact,
    accuracy_ablated; without rows if there is no fc lateral connection). Raises ``OSError`` if the
    disk is too small.
    """
    require_space(Path(path).parent, bytes_needed(network, count), "the dump of activations")
    ablated = copy.deepcopy(network)
    lateral = "fc" in ablated.lateral
    if lateral:
        del ablated.lateral["fc"]
    correct = dict.fromkeys(("cluttered", "clean", "ablated"), 0)
    outside = np.zeros(network.timesteps)
    with (
        create_hdf5(path, attributes) as file,
        torch.inference_mode(),
        mixed_precision(network.device, precision),
        fixed_parameters(network),
        fixed_parameters(ablated),
    ):
        datasets = _create_datasets(file, network, count)
        for scenes, clean, labels, where in _batches(scene_files, count, network.device):
            for variable, values in labels.items():
                datasets[f"labels/{variable}"][where] = values
            category = torch.from_numpy(labels["category"].astype(np.int64)).to(network.device)
            # One trajectory at a time: they are most of the memory.
            run = network(clean)
            _store(datasets, "clean/", where, run)
            correct["clean"] += _hits(run, category)
            del run
            run = network(scenes)
            _store(datasets, "", where, run)
            correct["cluttered"] += _hits(run, category)
            outside += energy_outside(run, clean).sum(0).cpu().numpy()
            del run
            if lateral:
                correct["ablated"] += _hits(ablated(scenes), category)
            if progress.due():
                progress.show(where.stop)
    outside /= count
    accuracy = pd.DataFrame(
        [
            {"image": image, "n": count, "accuracy": correct[image] / count}
            for image in ("cluttered", "clean")
        ]
    )
    clutter = pd.DataFrame(
        {
            "timestep": range(1, network.timesteps + 1),
            "energy_outside": outside,
            "relative": outside / outside[0],
            "n": count,
        }
    )
    intact = [
        {
            "n": count,
            "accuracy_intact": correct["cluttered"] / count,
            "accuracy_ablated": correct["ablated"] / count,
        }
    ]
    ablation = pd.DataFrame(
        intact if lateral else [], columns=["n", "accuracy_intact", "accuracy_ablated"]
    )
    return accuracy, clutter, ablation


def _hits(trajectory: Trajectory, category: Tensor) -> int:
    return int((trajectory.logits.argmax(1) == category).sum())


def energy_outside(trajectory: Trajectory, clean: Tensor) -> Tensor:
    """The fraction of the input map's energy (sum of squares) outside of the target, (batch, timesteps)."""
    outside = clean <= TARGET_THRESHOLD
    energy = [activity.maps["input"].square() for activity in trajectory.activities]
    return torch.stack(
        [(e * outside).sum((1, 2, 3)) / e.sum((1, 2, 3)).clamp(min=1e-9) for e in energy], 1
    )


def _batches(
    scene_files: list[str], count: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor, dict[str, npt.NDArray[np.uint8]], slice]]:
    """Cluttered and clean scenes (b, 1, 100, 100), labels, and where in the recording they belong."""
    start = 0
    for name in scene_files:
        with open_hdf5(name) as file:
            here = min(len(file["scenes"]), count - start)
            for first in range(0, here, BATCH):
                part = slice(first, min(first + BATCH, here))
                scenes, clean = (
                    torch.from_numpy(file[kind][part])[:, None].to(device)
                    for kind in ("scenes", "clean")
                )
                labels = {variable: file[f"labels/{variable}"][part] for variable in LABELS}
                yield scenes, clean, labels, slice(start + part.start, start + part.stop)
        start += here


def _layout(network: RecurrentNetwork) -> dict[str, tuple[int, ...]]:
    """Every map dataset of a recording: its path and its shape for one scene."""
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
    """Activation or recurrent flow, by the path of its dataset."""
    return path.removeprefix("clean/").split("/")[0]


def bytes_needed(network: RecurrentNetwork, count: int) -> int:
    """An upper bound of a recording's size: sign, exponent and the kept mantissa of float16, uncompressed."""
    bits = 0
    for path, shape in _layout(network).items():
        bits += (6 + MANTISSA[_quantity(path)]) * count * int(np.prod(shape))
    return bits // 8


def _create_datasets(
    file: h5py.File, network: RecurrentNetwork, count: int
) -> dict[str, h5py.Dataset]:
    """All datasets of a recording, by path; they stay open, so that a failed write is an exception."""
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
    for variable in LABELS:
        path = f"labels/{variable}"
        datasets[path] = write_dataset(file, path, np.zeros(count, np.uint8))
    for path in ("logits", "clean/logits"):
        empty = np.zeros((count, network.readout.out_features), np.float32)
        datasets[path] = write_dataset(file, path, empty, ("scene", "category"))
    return datasets


def _store(
    datasets: dict[str, h5py.Dataset], group: str, where: slice, trajectory: Trajectory
) -> None:
    """Put a trajectory into the datasets of ``group`` that there are."""

    def put(kind: str, layer: str, step: int, values: Tensor) -> None:
        if dataset := datasets.get(f"{group}{kind}/{layer}"):
            dataset[where, step] = round_mantissa(values, MANTISSA[kind])

    datasets[f"{group}logits"][where] = trajectory.logits.float().cpu().numpy()
    for t, activity in enumerate(trajectory.activities):
        for layer, output in activity.outputs.items():
            put("activation", layer, t, output)
        for layer, flow in trajectory.flows[t].items():
            put("recurrent_flow", layer, t + 1 - FIRST_FLOW, flow)


def round_mantissa(values: Tensor, kept: int) -> npt.NDArray[np.float16]:
    """Float16 values with all but the first ``kept`` bits of their mantissas rounded away."""
    dropped = 10 - kept
    bits = values.to(torch.float16).cpu().numpy().view(np.uint16)
    rounded = (bits + np.uint16(1 << (dropped - 1))) & np.uint16(0xFFFF << dropped & 0xFFFF)
    return rounded.view(np.float16)


def write_examples(
    network: RecurrentNetwork,
    scene_file: str,
    path: str | Path,
    attributes: Mapping[str, Any],
) -> None:
    """Write the first :data:`EXAMPLES` test scenes and the network's input map at each timestep, for the figures."""
    scenes, clean, labels, _ = next(_batches([scene_file], EXAMPLES, network.device))
    with torch.inference_mode():
        trajectory = network(scenes)
    maps = torch.stack([activity.maps["input"][:, 0] for activity in trajectory.activities], 1)
    plane = ("scene", "row", "column")
    with create_hdf5(path, attributes) as file:
        write_dataset(file, "scenes", scenes[:, 0].cpu(), plane)
        write_dataset(file, "clean", clean[:, 0].cpu(), plane)
        write_dataset(file, "input", maps.cpu(), ("scene", "timestep", "row", "column"))
        write_dataset(file, "prediction", trajectory.logits.argmax(1).cpu())
        for variable, values in labels.items():
            write_dataset(file, f"labels/{variable}", values)

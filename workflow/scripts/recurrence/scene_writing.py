"""Write scenes: the shards of the test set, and the altered copies for a figure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurrence.names import ALTERATIONS
from recurrence.rendering import render
from recurrence.scenes import SceneDistribution, SourceImages, alter, sample
from recurrence.seeds import derive_seed
from recurrence.storage import create_hdf5, write_dataset
from recurrence.variables import labels

PLANE = ("scene", "row", "column")
VARIANTS = 2  # scenes whose altered copies are shown


def write_test_scenes(
    path: str | Path,
    sources: SourceImages,
    distribution: SceneDistribution,
    seed: int,
    indices: range,
    provenance: Mapping[str, Any],
) -> None:
    """Write the test scenes ``indices`` of the run with ``seed``, cluttered and clean, with their labels."""
    recipe = sample(sources, distribution, derive_seed(seed, "test scenes"), indices)
    with create_hdf5(path, provenance) as file:
        for name, each in (("scenes", recipe), ("clean", recipe.clean())):
            write_dataset(
                file,
                name,
                render(sources, each)[:, 0],
                PLANE,
                compression="gzip",
                compression_opts=1,
                fletcher32=True,  # a checksum that is verified when it is read
            )
        for variable, values in labels(recipe, sources).items():
            write_dataset(file, f"labels/{variable}", values, fletcher32=True)


def write_variants(
    path: str | Path,
    sources: SourceImages,
    distribution: SceneDistribution,
    seed: int,
    provenance: Mapping[str, Any],
) -> None:
    """Write :data:`VARIANTS` scenes of the run with ``seed`` and their altered copies, all with their labels."""
    recipe = sample(sources, distribution, derive_seed(seed, "variants"), range(VARIANTS))
    copies = {"original": recipe}
    for variable in ALTERATIONS:
        copies[f"altered/{variable}"] = alter(recipe, variable, "opposite", distribution)
    with create_hdf5(path, provenance) as file:
        for name, copy in copies.items():
            write_dataset(file, name, render(sources, copy)[:, 0], PLANE)
            for label, values in labels(copy, sources).items():
                write_dataset(file, f"labels/{name}/{label}", values)

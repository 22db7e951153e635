"""Rule scenes: one shard of the test set, cluttered and clean, with labels."""

import numpy as np

from recurrence.datasets import load_shard
from recurrence.job import logged
from recurrence.rendering import render
from recurrence.scenes import SceneDistribution, Sources, sample
from recurrence.seeds import derive_seed
from recurrence.storage import create_hdf5, provenance, write_dataset

with logged(snakemake.log[0]):
    block, seed, size = snakemake.params.scenes, snakemake.params.seed, snakemake.params.shard
    sources = Sources.join(load_shard(snakemake.input.mnist), load_shard(snakemake.input.fashion))
    first = int(snakemake.wildcards.number) * size
    stream = derive_seed(seed, "test scenes")
    recipe = sample(
        sources, SceneDistribution.from_config(block), stream, range(first, first + size)
    )
    with create_hdf5(snakemake.output[0], provenance(seed, scenes=block)) as file:
        for name, drawn in (("scenes", recipe), ("clean", recipe.clean())):
            images = render(sources, drawn)[:, 0]
            write_dataset(
                file,
                name,
                images,
                ("scene", "row", "column"),
                compression="gzip",
                compression_opts=1,
                fletcher32=True,  # a checksum, which reading verifies
            )
        for variable, values in recipe.labels(sources).items():
            write_dataset(file, f"labels/{variable}", values.astype(np.uint8), fletcher32=True)

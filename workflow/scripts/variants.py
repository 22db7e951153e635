"""Rule variants: two scenes and their six altered copies, for the figure that shows what is perturbed."""

from recurrence.datasets import load_shard
from recurrence.job import logged
from recurrence.names import ALTERATIONS
from recurrence.rendering import render
from recurrence.scenes import SceneDistribution, Sources, alter, sample
from recurrence.seeds import derive_seed
from recurrence.storage import create_hdf5, provenance, write_dataset

with logged(snakemake.log[0]):
    block, seed = snakemake.params.scenes, snakemake.params.seed
    sources = Sources.join(load_shard(snakemake.input.mnist), load_shard(snakemake.input.fashion))
    distribution = SceneDistribution.from_config(block)
    recipe = sample(sources, distribution, derive_seed(seed, "variants"), range(2))
    axes = ("scene", "row", "column")
    with create_hdf5(snakemake.output[0], provenance(seed, scenes=block)) as file:
        write_dataset(file, "original", render(sources, recipe)[:, 0], axes)
        for variable in ALTERATIONS:
            altered = alter(recipe, variable, "opposite", distribution)
            write_dataset(file, f"altered/{variable}", render(sources, altered)[:, 0], axes)

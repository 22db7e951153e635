"""Rule variants: two scenes and their six altered copies, for a figure."""

from recurrence.configuration.blocks import Distribution
from recurrence.datasets import load_shard
from recurrence.job import logged
from recurrence.origins import require
from recurrence.scene_writing import write_variants
from recurrence.scenes import SceneDistribution, Sources
from recurrence.storage import provenance

with logged(snakemake):
    files, parameters = snakemake.input, snakemake.params
    require(files, data=parameters.data)
    write_variants(
        snakemake.output[0],
        Sources.join(load_shard(files.mnist), load_shard(files.fashion)),
        SceneDistribution.of(Distribution(**parameters.scenes)),
        parameters.seed,
        provenance(parameters.seed, scenes=parameters.scenes, data=parameters.data),
    )

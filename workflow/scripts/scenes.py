"""Rule scenes: one shard of the test set, cluttered and clean, with labels."""

from recurrence.configuration.blocks import Distribution
from recurrence.job import logged
from recurrence.origins import require_images
from recurrence.scene_writing import write_test_scenes
from recurrence.scenes import SceneDistribution, SourceImages
from recurrence.storage import provenance

with logged(snakemake):
    files, parameters = snakemake.input, snakemake.params
    require_images(files, parameters.data, parameters.pair)
    first = int(snakemake.wildcards.number) * parameters.shard
    write_test_scenes(
        snakemake.output[0],
        SourceImages.read(files),
        SceneDistribution.of(Distribution(**parameters.scenes)),
        parameters.seed,
        range(first, first + parameters.shard),
        provenance(
            parameters.seed,
            scenes=parameters.scenes,
            data=parameters.data,
            pair=parameters.pair,
            shard=parameters.shard,
        ),
    )

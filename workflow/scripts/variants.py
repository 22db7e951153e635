"""Rule variants: two scenes and their six altered copies, for a figure."""

from recurrence.configuration.blocks import Distribution
from recurrence.job import logged
from recurrence.origins import require_images
from recurrence.scene_writing import write_variants
from recurrence.scenes import SceneDistribution, SourceImages
from recurrence.storage import provenance

with logged(snakemake):
    files, parameters = snakemake.input, snakemake.params
    require_images(files, parameters.data, parameters.pair)
    write_variants(
        snakemake.output[0],
        SourceImages.read(files),
        SceneDistribution.of(Distribution(**parameters.scenes)),
        parameters.seed,
        provenance(
            parameters.seed, scenes=parameters.scenes, data=parameters.data, pair=parameters.pair
        ),
    )

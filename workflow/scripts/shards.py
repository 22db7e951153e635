"""Rule shards: the source images of one dataset, verified and split."""

from recurrence.datasets import write_shards
from recurrence.job import logged

with logged(snakemake.log[0]):  # noqa: F821
    write_shards(
        snakemake.wildcards.dataset,  # noqa: F821
        dict(snakemake.output.items()),  # noqa: F821
        snakemake.params.source,  # noqa: F821
        snakemake.params.files,  # noqa: F821
        snakemake.params.validation,  # noqa: F821
    )

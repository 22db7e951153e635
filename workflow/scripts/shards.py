"""Rule shards: the source images of one dataset, checked and split."""

from recurrence.datasets import write_shards
from recurrence.job import logged

with logged(snakemake.log[0]):
    write_shards(
        snakemake.wildcards.dataset,
        dict(snakemake.output.items()),
        snakemake.params.source,
        snakemake.params.files,
        snakemake.params.validation,
    )

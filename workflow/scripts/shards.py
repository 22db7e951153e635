"""Rule shards: the source images of one dataset, checked and split."""

from recurrence.datasets import write_shards
from recurrence.job import logged

with logged(snakemake):
    write_shards(
        snakemake.wildcards.dataset,
        dict(snakemake.output.items()),
        snakemake.params.data["source"],
        snakemake.params.files,
        snakemake.params.data["validation"],
        snakemake.params.sha256,
    )

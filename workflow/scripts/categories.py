"""Rule categories: the names of the 20 categories, for figures and for people."""

from recurrence.categories import category_table
from recurrence.job import logged
from recurrence.storage import write_table

with logged(snakemake):
    write_table(snakemake.output[0], category_table(snakemake.params.datasets))

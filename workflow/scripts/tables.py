"""Rule tables: for each table, the rows of all networks in one file."""

from pathlib import Path

from recurrence.job import logged
from recurrence.statistics import concatenate
from recurrence.storage import write_table

with logged(snakemake):
    for name, path in snakemake.output.items():
        table = concatenate(snakemake.input[name])
        write_table(path, table)
        print(f"{Path(path).name}: {len(table)} rows")

"""Rule tables: for each table, the rows of all networks in one file; and what the compounded copies lose."""

from pathlib import Path

from recurrence.job import logged
from recurrence.renderings import importance_lost
from recurrence.statistics import concatenate
from recurrence.storage import write_table

with logged(snakemake):
    tables = {name: concatenate(paths) for name, paths in snakemake.input.items()}
    tables["renderings"] = importance_lost(tables["perturbation"])
    for name, path in snakemake.output.items():
        write_table(path, tables[name])
        print(f"{Path(path).name}: {len(tables[name])} rows")

"""Rule archive: a run in one zip file, with a description of what made which file."""

from pathlib import Path

from recurrence.archive import write
from recurrence.job import logged
from recurrence.storage import provenance

with logged(snakemake):
    files, parameters = snakemake.input, snakemake.params
    archive = Path(snakemake.output[0])
    count = write(
        archive,
        project=Path(files.snakefile).parent,
        run=archive.with_suffix(""),
        config=parameters.machine["config"],
        provenance=provenance(parameters.config["run"]["seed"]),
    )
    print(f"{count} files, {archive.stat().st_size / 1e6:.0f} MB")

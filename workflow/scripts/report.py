"""Rule report: the whole run on one page."""

from pathlib import Path

from recurrence.job import logged
from recurrence.report import render
from recurrence.statistics import load
from recurrence.storage import atomic, provenance, read_table

with logged(snakemake):
    config = snakemake.params.config
    page = render(
        template=Path(snakemake.input.template),
        ours=load(Path(snakemake.input.accuracy).parent),
        published=load(Path(snakemake.input.published_accuracy).parent),
        scorecard=read_table(snakemake.input.scorecard),
        distance=read_table(snakemake.input.distance),
        figures=[Path(path) for path in snakemake.input.figures],
        config=config,
        provenance=provenance(config["run"]["seed"]),
    )
    with atomic(snakemake.output[0]) as temporary:
        temporary.write_text(page, encoding="utf-8")

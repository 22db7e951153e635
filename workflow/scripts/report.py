"""Rule report: the whole run on one page, and how long its jobs took on another."""

from pathlib import Path

from recurrence.job import logged
from recurrence.report.durations import durations_page, finished_jobs
from recurrence.report.page import render
from recurrence.statistics import load
from recurrence.storage import provenance, read_table, write_text

with logged(snakemake):
    config, given = snakemake.params.config, snakemake.input
    page = render(
        template=Path(given.template),
        ours=load(Path(given.accuracy).parent),
        published=load(Path(given.published_accuracy).parent),
        scorecard=read_table(given.scorecard),
        distance=read_table(given.distance),
        figures=[Path(path) for path in given.figures],
        files={
            Path(path).name for path in given if Path(path).parent == Path(given.scorecard).parent
        },
        departures=snakemake.params.departures,
        config=config,
        provenance=provenance(config["run"]["seed"]),
    )
    jobs = finished_jobs(map(Path, snakemake.params.files))
    texts = {snakemake.output.page: page}
    texts[snakemake.output.durations] = durations_page(Path(given.durations_template), jobs)
    for path, text in texts.items():
        write_text(path, text)

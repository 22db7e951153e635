"""Rule scorecard: each claim of the paper with a verdict, and how far each network is from the published."""

from pathlib import Path

from recurrence.distance import distances
from recurrence.job import logged
from recurrence.scorecard import score, summary
from recurrence.statistics import load
from recurrence.storage import write_table, write_text

with logged(snakemake):
    ours = load(Path(snakemake.input.accuracy).parent)
    published = load(Path(snakemake.input.published_accuracy).parent)
    scenes = snakemake.params.scored, snakemake.params.perturbed
    departures = snakemake.params.departures
    distance = distances(ours, published, *scenes)
    write_table(snakemake.output.distance, distance.iloc[:0] if departures else distance)
    scorecard = score(ours, published, *scenes, comparable=not departures)
    write_table(snakemake.output.table, scorecard)
    text = summary(scorecard, ours.accuracy, snakemake.params.run, departures)
    write_text(snakemake.output.text, text)
    print(text)

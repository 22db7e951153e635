"""Rule scorecard: each claim of the paper, its published and reproduced value, and a verdict."""

from pathlib import Path

from recurrence.claims import score, summary
from recurrence.job import logged
from recurrence.statistics import load
from recurrence.storage import atomic, write_table

with logged(snakemake.log[0]):
    ours = load(Path(snakemake.input.accuracy).parent)
    published = load(Path(snakemake.input.published_accuracy).parent)
    scorecard = score(ours, published, snakemake.params.scored, snakemake.params.perturbed)
    write_table(snakemake.output.table, scorecard)
    text = summary(scorecard, ours.accuracy, snakemake.params.run)
    with atomic(snakemake.output.text) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)

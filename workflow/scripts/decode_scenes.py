"""Rule decode_scenes: decoding from the scenes themselves, which needs no network."""

from recurrence.configuration.blocks import ReadOuts
from recurrence.decoding import decode_scenes
from recurrence.job import logged
from recurrence.origins import require
from recurrence.storage import write_table

with logged(snakemake):
    parameters = snakemake.params
    require(snakemake.input, **parameters.test_scenes)
    table = decode_scenes(
        snakemake.input, ReadOuts(**parameters.decoding), parameters.repeats, parameters.seed
    )
    write_table(snakemake.output[0], table)

"""Rule decode_scenes: decoding from the scenes themselves, which needs no network."""

from recurrence.configuration.blocks import ReadOuts
from recurrence.decoding import decode_scenes
from recurrence.job import logged
from recurrence.storage import write_table

with logged(snakemake.log[0]):
    parameters = snakemake.params
    table = decode_scenes(
        snakemake.input, ReadOuts(**parameters.decoding), parameters.repeats, parameters.seed
    )
    write_table(snakemake.output[0], table)

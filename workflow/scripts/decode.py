"""Rule decode: linear read-outs from one network's activations and recurrent flow."""

from recurrence.decoding import decode
from recurrence.job import logged
from recurrence.storage import write_table

with logged(snakemake.log[0]):
    table = decode(
        snakemake.input[0],
        snakemake.params.decoding,
        interaction=snakemake.wildcards.interaction,
        instance=int(snakemake.wildcards.instance),
        seed=snakemake.params.seed,
    )
    write_table(snakemake.output[0], table)
    print(f"{len(table)} read-outs, {table.unconverged.sum()} stopped at max_iter")

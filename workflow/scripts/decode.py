"""Rule decode: linear read-outs from one network's activations and recurrent flow."""

from recurrence.decoding import decode
from recurrence.job import logged
from recurrence.storage import write_table

with logged(snakemake.log[0]):  # noqa: F821
    table = decode(
        snakemake.input[0],  # noqa: F821
        snakemake.params.decoding,  # noqa: F821
        interaction=snakemake.wildcards.interaction,  # noqa: F821
        instance=int(snakemake.wildcards.instance),  # noqa: F821
        seed=snakemake.params.seed,  # noqa: F821
    )
    write_table(snakemake.output[0], table)  # noqa: F821
    print(f"{len(table)} read-outs, {table.unconverged.sum()} stopped at max_iter")

"""Rule decode_network: decoding from one network's activations and recurrent flow."""

from recurrence import job
from recurrence.configuration.blocks import NetworkReadOuts
from recurrence.decoding import decode
from recurrence.storage import write_table

with job.logged(snakemake.log[0]):
    parameters, wildcards = snakemake.params, snakemake.wildcards
    progress = job.Progress(snakemake.rule, wildcards)
    table = decode(
        snakemake.input[0], NetworkReadOuts(**parameters.decoding), parameters.seed, progress
    )
    write_table(
        snakemake.output[0],
        table,
        interaction=wildcards.interaction,
        instance=int(wildcards.instance),
    )
    print(f"{len(table)} classifiers, {table.unconverged.sum()} stopped at max_iter")

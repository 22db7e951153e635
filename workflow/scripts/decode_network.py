"""Rule decode_network: decoding from one network's activations and recurrent flow."""

from recurrence import job
from recurrence.configuration.blocks import NetworkReadOuts
from recurrence.decoding import decode
from recurrence.origins import require
from recurrence.storage import write_table

with job.logged(snakemake):
    parameters, wildcards = snakemake.params, snakemake.wildcards
    names = {"interaction": wildcards.interaction, "instance": int(wildcards.instance)}
    expected = {key: parameters[key] for key in ("record", "test_scenes", "seed")}
    require(snakemake.input[0], **parameters.made_from, **expected, **names)
    progress = job.Progress(snakemake.rule, wildcards)
    table = decode(
        snakemake.input[0], NetworkReadOuts(**parameters.decoding), parameters.seed, progress
    )
    write_table(snakemake.output[0], table, **names)
    print(f"{len(table)} classifiers, {table.unconverged.sum()} stopped at max_iter")

"""Rule record_network: one network on the test scenes."""

from recurrence import job
from recurrence.devices import prepare_torch
from recurrence.network import load_network
from recurrence.recording import MANTISSA, record, write_examples
from recurrence.storage import provenance, write_table

with job.logged(snakemake.log[0]):
    parameters, wildcards, output = snakemake.params, snakemake.wildcards, snakemake.output
    device = prepare_torch(snakemake.resources.device, snakemake.threads)
    network = load_network(snakemake.input.model, device, wildcards.interaction, parameters.network)
    names = {"interaction": wildcards.interaction, "instance": int(wildcards.instance)}
    block = parameters.record
    about = provenance(parameters.seed, record={**block, "mantissa": MANTISSA}, **names)
    progress = job.Progress(snakemake.rule, wildcards, block["scenes"])
    tables = record(
        network,
        snakemake.input.scenes,
        block["scenes"],
        block["precision"],
        output.activations,
        about,
        progress,
    )
    for path, table in zip((output.accuracy, output.clutter, output.ablation), tables, strict=True):
        write_table(path, table, **names)
    write_examples(network, snakemake.input.scenes[0], output.examples, about)

"""Rule import_network: one network with the authors' released weights."""

import pandas as pd

from recurrence import job, storage
from recurrence.checkpoints import CURVE, import_checkpoint
from recurrence.configuration.blocks import Network
from recurrence.network import save_network

with job.logged(snakemake):
    parameters, wildcards, file = snakemake.params, snakemake.wildcards, snakemake.input[0]
    shape = Network(**parameters.network)
    network = import_checkpoint(file, wildcards.interaction, shape)
    provenance = storage.provenance(parameters.seed, checkpoint=parameters.checkpoint)
    provenance["instance"] = int(wildcards.instance)
    save_network(snakemake.output.model, network, shape, **provenance)
    storage.write_table(snakemake.output.curve, pd.DataFrame(columns=CURVE))
    print(f"imported {file} (sha256 {parameters.checkpoint['sha256']})")

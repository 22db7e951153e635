"""Rule import_network: one network with the authors' released weights."""

import hashlib
from pathlib import Path

import pandas as pd

from recurrence import job, storage
from recurrence.checkpoints import CURVE, import_checkpoint
from recurrence.configuration.blocks import Network
from recurrence.network import save_network

with job.logged(snakemake):
    parameters, checkpoint = snakemake.params, Path(snakemake.input[0])
    network = import_checkpoint(
        checkpoint, snakemake.wildcards.interaction, Network(**parameters.network)
    )
    sha256 = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    provenance = storage.provenance(
        parameters.seed, checkpoint={"file": checkpoint.name, "sha256": sha256}
    )
    provenance["instance"] = int(snakemake.wildcards.instance)
    save_network(snakemake.output.model, network, Network(**parameters.network), **provenance)
    storage.write_table(snakemake.output.curve, pd.DataFrame(columns=CURVE))
    print(f"imported {checkpoint} (sha256 {sha256})")

"""Rule train_network: train one network from its seed."""

from pathlib import Path

import torch

from recurrence import job, storage, training
from recurrence.configuration.blocks import Distribution, Network, Training
from recurrence.datasets import load_shard, shard_digest
from recurrence.devices import prepare_torch
from recurrence.network import RecurrentNetwork, save_network
from recurrence.scenes import SceneDistribution, Sources
from recurrence.seeds import derive_seed

with job.logged(snakemake.log[0]):
    parameters, wildcards, files = snakemake.params, snakemake.wildcards, snakemake.input
    seed = derive_seed(parameters.seed, wildcards.interaction, wildcards.instance)
    device = prepare_torch(snakemake.resources.device, snakemake.threads)
    block, shape = Training(**parameters.training), Network(**parameters.network)
    progress = job.Progress(snakemake.rule, wildcards, block.iterations)
    torch.manual_seed(seed)
    network = RecurrentNetwork(wildcards.interaction, shape, block.initialisation).to(device)
    folder = Path(snakemake.output.model).parent / ".training"
    images = {name: shard_digest(path) for name, path in files.items()}
    state = training.state_file(folder, {**dict(parameters.items()), "images": images})
    streams = training.Streams(
        Sources.join(load_shard(files.mnist_train), load_shard(files.fashion_train)),
        Sources.join(load_shard(files.mnist_validation), load_shard(files.fashion_validation)),
        SceneDistribution.of(Distribution(**parameters.scenes)),
        seed,
    )
    curve, precision = training.train(network, streams, block, state, progress)
    provenance = storage.provenance(
        parameters.seed,
        training=parameters.training,
        scenes=parameters.scenes,
        precision=precision,
    )
    save_network(snakemake.output.model, network, shape, **provenance)
    storage.write_table(snakemake.output.curve, curve)

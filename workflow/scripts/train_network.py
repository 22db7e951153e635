"""Rule train_network: train one network from its seed."""

from pathlib import Path

import torch

from recurrence import job, messages, states, storage, training
from recurrence.configuration.blocks import Distribution, Network, Training
from recurrence.devices import prepare_torch
from recurrence.network import RecurrentNetwork, save_network
from recurrence.origins import require_images
from recurrence.scenes import SceneDistribution, SourceImages
from recurrence.seeds import derive_seed

with job.logged(snakemake):
    parameters, wildcards, files = snakemake.params, snakemake.wildcards, snakemake.input
    seed = derive_seed(parameters.seed, wildcards.interaction, wildcards.instance)
    device = prepare_torch(snakemake.resources.device, snakemake.threads)
    block = Training(**parameters.training, **parameters.machine["validation"])
    shape = Network(**parameters.network)
    progress = job.Progress(snakemake.rule, wildcards, block.iterations)
    print(messages.network_size(wildcards.interaction, shape))
    torch.manual_seed(seed)
    network = RecurrentNetwork(wildcards.interaction, shape, block.initialisation).to(device)
    folder = Path(snakemake.output.model).parent / ".training"
    made_from = {key: parameters[key] for key in ("data", "pair", "scenes", "training", "seed")}
    made_from |= {"validation": parameters.machine["validation"]}
    made_from |= {"instance": int(wildcards.instance)}
    for split in (files.train, files.validation):
        require_images(split, parameters.data, parameters.pair)
    own = {"interaction": wildcards.interaction, "network": parameters.network}
    state = states.state_file(folder, files, **made_from, **own, code=parameters.code)
    streams = training.Streams(
        SourceImages.read(files.train),
        SourceImages.read(files.validation),
        SceneDistribution.of(Distribution(**parameters.scenes)),
        seed,
    )
    every = parameters.machine["checkpoint_every"]
    curve, precision = training.train(network, streams, block, state, every, progress)
    provenance = storage.provenance(**made_from, precision=precision)
    save_network(snakemake.output.model, network, shape, **provenance)
    storage.write_table(snakemake.output.curve, curve)
    states.keep_newest(folder)

"""Rule perturb_network: functional importance in one network, and an example of a perturbation."""

from recurrence import job, storage
from recurrence.configuration.blocks import Distribution, Perturbation
from recurrence.devices import prepare_torch, resolve_precision
from recurrence.network import load_network
from recurrence.origins import require, require_images
from recurrence.perturbation import Experiment, perturb, write_example
from recurrence.scenes import SceneDistribution, SourceImages

with job.logged(snakemake):
    parameters, wildcards, files = snakemake.params, snakemake.wildcards, snakemake.input
    device = prepare_torch(snakemake.resources.device, snakemake.threads)
    names = {"interaction": wildcards.interaction, "instance": int(wildcards.instance)}
    require_images(files.sources, parameters.data, parameters.pair)
    require(files.model, **parameters.made_from, seed=parameters.seed, **names)
    block = Perturbation(**parameters.perturbation)
    experiment = Experiment(
        load_network(files.model).to(device),
        SourceImages.read(files.sources),
        SceneDistribution.of(Distribution(**parameters.perturbed)),
        parameters.seed,
    )
    progress = job.Progress(snakemake.rule, wildcards, block.repeats * block.scenes)
    precision = resolve_precision(block.precision, device)
    print(f"computing in {precision} on {device}")
    table = perturb(experiment, block, progress)
    storage.write_table(snakemake.output.table, table, **names)
    perturbed = {"perturbation": parameters.perturbation, "perturbed": parameters.perturbed}
    made_from = {**parameters.made_from, **perturbed, "table_precision": precision}
    provenance = storage.provenance(parameters.seed, **made_from, **names)
    write_example(experiment, snakemake.output.example, provenance)

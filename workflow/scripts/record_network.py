"""Rule record_network: one network on the test scenes."""

from recurrence import job, storage
from recurrence.configuration.blocks import Network, Recording
from recurrence.devices import prepare_torch, resolve_precision
from recurrence.evaluation import evaluate
from recurrence.examples import write_examples
from recurrence.network import load_network
from recurrence.recording import MANTISSA, recorder
from recurrence.scene_reading import SceneSet

with job.logged(snakemake.log[0]):
    parameters, wildcards, output = snakemake.params, snakemake.wildcards, snakemake.output
    device = prepare_torch(snakemake.resources.device, snakemake.threads)
    network = load_network(
        snakemake.input.model, device, wildcards.interaction, Network(**parameters.network)
    )
    names = {"interaction": wildcards.interaction, "instance": int(wildcards.instance)}
    block = Recording(**parameters.record)
    recorded = {**block.plain(), "mantissa": MANTISSA}
    precision = resolve_precision(block.precision, device)
    print(f"computing in {precision} on {device}")
    provenance = storage.provenance(parameters.seed, record=recorded, precision=precision, **names)
    progress = job.Progress(snakemake.rule, wildcards, block.scenes)
    scenes = SceneSet(snakemake.input.scenes, block.scenes)
    with recorder(output.activations, network, scenes.count, provenance) as recording:
        evaluation = evaluate(network, scenes, precision, recording, progress)
    for name, table in vars(evaluation).items():
        storage.write_table(output[name], table, **names)
    write_examples(network, scenes.shards[0], output.examples, provenance)

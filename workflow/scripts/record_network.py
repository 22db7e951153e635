"""Rule record_network: one network on the test scenes."""

from recurrence import job, storage
from recurrence.configuration.blocks import FlowRecording
from recurrence.devices import prepare_torch, resolve_precision
from recurrence.evaluation import evaluate
from recurrence.network import load_network
from recurrence.origins import require
from recurrence.recording import MANTISSA, recorder
from recurrence.scene_reading import SceneSet

with job.logged(snakemake):
    parameters, wildcards, output = snakemake.params, snakemake.wildcards, snakemake.output
    device = prepare_torch(snakemake.resources.device, snakemake.threads)
    names = {"interaction": wildcards.interaction, "instance": int(wildcards.instance)}
    require(snakemake.input.model, **parameters.made_from, seed=parameters.seed, **names)
    require(snakemake.input.scenes, **parameters.test_scenes)
    network = load_network(snakemake.input.model).to(device)
    block = FlowRecording(**parameters.record)
    recorded = {**block.plain(), "mantissa": MANTISSA}
    precision = resolve_precision(block.precision, device)
    print(f"computing in {precision} on {device}")
    made_from = {**parameters.made_from, "test_scenes": parameters.test_scenes}
    made_from |= {"record": recorded, "precision": precision}
    provenance = storage.provenance(parameters.seed, **made_from, **names)
    progress = job.Progress(snakemake.rule, wildcards, block.scenes)
    scenes = SceneSet(snakemake.input.scenes, block.scenes)
    wanted = (network, scenes.count, block.connections)
    with recorder(output.activations, *wanted, provenance) as recording:
        evaluation = evaluate(network, scenes, precision, recording, progress)
    for name, table in vars(evaluation).items():
        storage.write_table(output[name], table, **names)

"""Rule examples: the scenes in the figures of input maps, and the networks' input maps over time."""

from recurrence import job, storage
from recurrence.devices import prepare_torch
from recurrence.examples import EXAMPLES, typical_scenes, write_examples
from recurrence.network import load_network
from recurrence.origins import require
from recurrence.scene_reading import SceneSet

with job.logged(snakemake):
    parameters, files = snakemake.params, snakemake.input
    device = prepare_torch(snakemake.resources.device, snakemake.threads)
    require(files.test_scenes, **parameters.test_scenes)
    networks = {}
    for interaction, made_from in parameters.networks.items():
        names = {"interaction": interaction, "instance": 1, "seed": parameters.seed}
        require(files[interaction], **made_from, **names)
        networks[interaction] = load_network(files[interaction]).to(device)
    count = parameters.record["scenes"]
    tables = [storage.read_table(path) for path in files.answers]
    chosen = typical_scenes(tables, EXAMPLES)
    print(f"scenes {chosen} of {count}")
    made_from = {key: parameters[key] for key in ("networks", "test_scenes", "record")}
    provenance = storage.provenance(parameters.seed, **made_from)
    scenes = SceneSet(files.test_scenes, count)
    write_examples(networks, scenes, chosen, snakemake.output[0], provenance)

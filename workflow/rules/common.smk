# The checked configuration, the paths of files, and helpers for all rules.

import hashlib
import os
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from snakemake.logging import logger

HERE = Path(os.path.relpath(workflow.basedir))  # the project, from the working directory
SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))
# Jobs take the package from here too, even if their Python knows another copy of this project (envs/install.py).
known = filter(None, [os.getenv("PYTHONPATH")])
STARTUP = SCRIPTS.parent / "startup"  # what Python runs first in a job
os.environ.update(
    PYTHONPATH=os.pathsep.join([str(SCRIPTS), str(STARTUP), *known]),
    MPLBACKEND="agg",  # matplotlib cannot be imported with the name of a backend that it no longer has
)

from recurrence.comparison.runs import RunError, runs_of
from recurrence.configuration.problems import ConfigurationError, check, from_command_line
from recurrence.configuration.problems import overlaid, require_plain_paths, require_writable
from recurrence.design import departures
from recurrence.figure_list import FIGURES
from recurrence.fingerprints import fingerprint
from recurrence.interactions import interactions
from recurrence.names import PUBLISHED_INTERACTIONS
from recurrence.records import problems
from recurrence.source_files import watched_files
from recurrence.terminal import JobLines
from recurrence.work import mean_work

try:
    require_plain_paths(sys.executable, Path.cwd())
    require_writable(".snakemake")  # Snakemake's own
    config = overlaid(config, from_command_line(workflow.config_settings.config))
    config = check(config, workflow.configfiles).plain()
except ConfigurationError as error:
    raise WorkflowError(str(error)) from None

RUN = f"results/{config['run']['name']}"
DATA = config["data"]["folder"]
SCENES = f"{DATA}/scenes/{config['scenes']['set']}"
NETWORK = f"{RUN}/{{interaction}}/instance{{instance}}"
SEED = config["run"]["seed"]
THREADS = config["compute"]["threads"]
MEMORY = 2500  # MB for a job of one network, enough for the preset paper (docs/reliability.md)
DECODING = {key: value for key, value in config["decoding"].items() if key != "scene_repeats"}
SCENE_REPEATS = config["decoding"]["scene_repeats"]
EARLY = 1  # priority of figures and of what needs no training, to look at first
POSES = ("scale", "orientation", "location")
DISTRIBUTION = {key: config["scenes"][key] for key in ("clutter", *POSES)}
PERTURBED = {"clutter": config["scenes"]["clutter"]} | {
    key: config["perturbation"][key] for key in POSES
}
IMAGES = {key: config["data"][key] for key in ("source", "validation")}
# What can be drawn, by the dataset's place in the pair. The names of classes are in figures alone.
PAIR = {
    place: {key: dataset[key] for key in ("name", "sha256")}
    for place, dataset in config["data"]["pair"].items()
}
DATASETS = {dataset["name"]: dataset["sha256"] for dataset in PAIR.values()}
TEST_SCENES = {"shard": config["scenes"]["shard"], "scenes": DISTRIBUTION, "seed": SEED}
TEST_SCENES |= {"data": IMAGES, "pair": PAIR}
VALIDATION = {key: config["training"][key] for key in ("validate_every", "validation_scenes")}
TRAINING = {key: value for key, value in config["training"].items() if key not in VALIDATION}
RECORDING = {key: config["record"][key] for key in ("scenes", "precision")}
RECORDING["connections"] = config["decoding"]["connections"]
WHOLE = "--allowed-rules" not in sys.argv  # as in make compare, for runs of any configuration
# The interactions in the figures of input maps, with their first networks.
SHOWN = [name for name in PUBLISHED_INTERACTIONS if name in config["run"]["interactions"]]
DEPARTURES = departures(config)  # from the paper's design
# The configuration in the report, without the keys that change no number.
REPORTED = {block: config[block] for block in sorted(config) if block != "compute"}
REPORTED["data"] = {key: value for key, value in config["data"].items() if key != "files"}
INTERACTIONS = sorted(config["run"]["interactions"], key=interactions().index)
FIRST = INTERACTIONS[0]  # feedforward comes last


wildcard_constraints:
    interaction="|".join(interactions()),
    instance=r"[1-9]\d*",


def code(script):
    """A hash of all the code that a rule's script runs. It is a parameter of the rule, so that an edit reruns it."""
    return fingerprint(SCRIPTS / f"{script}.py")


@cache
def checksum(file):
    """The SHA-256 of a file; none if it is missing, which Snakemake reports."""
    if Path(file).is_file():
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def checkpoint(wildcards):
    """The file of an imported network: another one may have its name, or its date."""
    file = config["run"]["checkpoints"][wildcards.interaction][int(wildcards.instance) - 1]
    return {"file": Path(file).name, "sha256": checksum(file)}


def made_from(wildcards):
    """What a network is made from, besides the seed."""
    if config["run"]["checkpoints"].get(wildcards.interaction):
        return {"network": config["network"], "checkpoint": checkpoint(wildcards)}
    return {
        "data": IMAGES,
        "pair": PAIR,
        "scenes": DISTRIBUTION,
        "network": config["network"],
        "training": TRAINING,
    }


def networks_shown():
    """What the networks in the figures of input maps are made from, by interaction."""
    return {name: made_from(SimpleNamespace(interaction=name, instance="1")) for name in SHOWN}


def instances(file):
    """The paths of one file for every network of the run."""
    return expand(
        f"{NETWORK}/{file}",
        interaction=config["run"]["interactions"],
        instance=range(1, config["run"]["instances"] + 1),
    )


def kept_recordings():
    """The recordings that the run keeps. Others are deleted after decoding."""
    return instances("activations.h5") if config["record"]["keep"] else []


def shards(split):
    """The source images of both datasets, in order, of one split."""
    return [f"{DATA}/shards/{dataset}-{split}.h5" for dataset in DATASETS]


def own_images(wildcards):
    """The files of a dataset that are watched. Of those with a checksum the content is verified instead."""
    if IMAGES["source"] == "sample":
        return []
    return watched_files(wildcards.dataset, config["data"]["files"], DATASETS[wildcards.dataset])


def test_scenes(count):
    """The shards that hold the first ``count`` test scenes."""
    shards = -(-count // config["scenes"]["shard"])
    return [f"{SCENES}/test-{number:02d}.h5" for number in range(shards)]


def figure_files(wildcards):
    """What a figure is drawn from. If the run lacks its interaction, it gets no files of networks and says so."""
    figure = FIGURES[wildcards.figure]
    interaction = figure.options.get("interaction", FIRST)
    files = dict(RUN_FILES)
    if interaction in config["run"]["interactions"]:
        folder = f"{RUN}/{interaction}/instance1"
        files |= {name: f"{folder}/{file}" for name, file in NETWORK_FILES.items()}
    return {name: files[name] for name in figure.files if name in files}


def figure_origins(wildcards):
    """What the files of a figure are made from, by their names in the rule."""
    figure = FIGURES[wildcards.figure]
    interaction = figure.options.get("interaction", FIRST)
    names = {"interaction": interaction, "instance": 1, "seed": SEED}
    if interaction in config["run"]["interactions"]:
        names |= made_from(SimpleNamespace(interaction=interaction, instance="1"))
    perturbed = {"perturbation": config["perturbation"], "perturbed": PERTURBED}
    origins = {
        "variants": {"data": IMAGES, "pair": PAIR, "scenes": PERTURBED, "seed": SEED},
        "examples": {
            "networks": networks_shown(),
            "test_scenes": TEST_SCENES,
            "record": RECORDING,
            "seed": SEED,
        },
        "perturbation_example": names | perturbed,
    }
    return {name: origins[name] for name in figure.files if name in origins}


def compared_files(wildcards):
    """The files of all runs in a comparison's name. A run is not made for it: it must be finished."""
    try:
        return [str(path) for run in runs_of(wildcards.runs) for path in run]
    except RunError as error:
        raise WorkflowError(str(error)) from None


def known_problems():
    """Files that were made elsewhere, or for another run, from other values than the configuration has."""

    def wanted(name, wildcards):
        interaction = wildcards.get("interaction", FIRST)
        maker = {"train_network": TRAINED, "import_network": IMPORTED}
        number = int(wildcards.get("instance", 1))
        return (
            interaction in maker.get(name, config["run"]["interactions"])
            and interaction in config["run"]["interactions"]
            and number <= config["run"]["instances"]
            and {wildcards.get("dataset")} <= {None, *DATASETS}
        )

    parameters = {
        each.name: dict(each.params.items()) for each in workflow.rules if each.params.keys()
    }
    folders = (DATA, SCENES, RUN)
    return [*problems(folders, parameters, config["run"]["name"], VALIDATION, wanted)]


def written_folders():
    """Those of the run's and the data's folders in which a planned job writes."""
    files = [Path(file) for job in workflow.dag.needrun_jobs() for file in job.output]
    return [place for place in (RUN, DATA) if any(file.is_relative_to(place) for file in files)]


def show_one_line_a_job(workflow):
    """Show only short messages in the terminal. Snakemake's log file has all of them."""
    _, counts = workflow.dag.stats()
    parallel = max(1, (workflow.cores or 1) // THREADS)
    for handler in logger.handlers:
        if getattr(handler, "stream", None) in (sys.stderr, sys.stdout):
            handler.addFilter(JobLines(handler, counts, mean_work(config), parallel))

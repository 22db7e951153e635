# The validated configuration, the shape of paths, and the helpers that all rules use.

import ast
import hashlib
import sys
from pathlib import Path

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

from recurrence.configuration import ConfigurationError, check, require_writable

try:
    check(config)
except ConfigurationError as error:
    raise WorkflowError(str(error)) from None

RUN = f"results/{config['run']['name']}"
DATA = config["data"]["folder"]
SCENES = f"{DATA}/scenes/{config['scenes']['set']}"
NETWORK = f"{RUN}/{{interaction}}/instance{{instance}}"
SEED = config["run"]["seed"]
THREADS = config["compute"]["threads"]
DECODING = {key: value for key, value in config["decoding"].items() if key != "scene_repeats"}
SCENE_REPEATS = config["decoding"]["scene_repeats"]
POSES = ("scale", "orientation", "location")
DISTRIBUTION = {key: config["scenes"][key] for key in ("clutter", *POSES)}
PERTURBED = {"clutter": config["scenes"]["clutter"]} | {
    key: config["perturbation"][key] for key in POSES
}


wildcard_constraints:
    interaction="multiplicative|additive|feedforward",
    instance=r"[1-9]\d*",


def fingerprint(*names):
    """A hash of the code in the named scripts and package modules; comments, docstrings and layout do not count."""
    digest = hashlib.sha256()
    for name in sorted(names):
        for path in (SCRIPTS / f"{name}.py", SCRIPTS / "recurrence" / f"{name}.py"):
            if path.exists():
                tree = ast.parse(path.read_text())
                for node in ast.walk(tree):
                    match node:
                        case (
                            ast.Module(body=body)
                            | ast.ClassDef(body=body)
                            | ast.FunctionDef(body=body)
                        ):
                            match body:
                                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                                    node.body = rest
                digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:16]


def instances(file):
    """The paths of one file of every network of the run."""
    return expand(
        f"{NETWORK}/{file}",
        interaction=config["run"]["interactions"],
        instance=range(1, config["run"]["instances"] + 1),
    )


def kept_recordings():
    """The recordings that a run is asked to keep: without that they go when they are decoded."""
    return instances("activations.h5") if config["record"]["keep"] else []


def shards(split):
    """The source images of both datasets, of one split."""
    return {dataset: f"{DATA}/shards/{dataset}-{split}.h5" for dataset in ("mnist", "fashion")}


def test_scenes(count):
    """The shards that hold the first ``count`` test scenes."""
    shards = -(-count // config["scenes"]["shard"])
    return [f"{SCENES}/test-{number:02d}.h5" for number in range(shards)]

"""Finished runs made up for tests of comparisons and archives: tables, weights and records, without any training."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from safetensors.numpy import save_file

from recurrence.configuration.problems import check, overlaid
from recurrence.names import ALTERATIONS, LAYERS
from recurrence.records import FORM
from recurrence.storage import write_table
from recurrence.variables import VARIABLES
from study import ROOT

PACKAGES = {"torch": "2.14.1", "numpy": "2.4.6"}
SOURCES = (("activation", 1), ("recurrent_flow", 2))


def configuration(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The default configuration under another name, with ``changes``, such as ``{"network": {"timesteps": 3}}``."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    values = overlaid(values, {"run": {"name": name, "instances": 3}})
    return check(overlaid(values, changes)).plain()


def decoding_rows(config: Mapping[str, Any], interaction: str, k: int, effect: float) -> Any:
    """Accuracies that grow over time; ``effect`` is added to each."""
    rng = np.random.default_rng(k)
    for repeat in range(1, config["decoding"]["repeats"] + 1):
        for source, first in SOURCES:
            if interaction == "feedforward" and source == "recurrent_flow":
                continue
            for layer in LAYERS:
                for t in range(first, config["network"]["timesteps"] + 1):
                    for variable in VARIABLES:
                        chance = 0.1 if variable == "category" else 0.55
                        value = chance + 0.05 * t + effect + 0.01 * rng.standard_normal()
                        yield (repeat, source, layer, t, "cluttered", variable, round(value, 4))


def perturbation_rows(config: Mapping[str, Any], k: int, effect: float) -> Any:
    """Importances, the same in all layers and timesteps but for noise; ``effect`` is added to each."""
    rng = np.random.default_rng(100 + k)
    n = config["perturbation"]["scenes"]
    for rendering in config["perturbation"]["renderings"]:
        for layer in LAYERS:
            for t in range(2, config["network"]["timesteps"] + 1):
                for variable in ALTERATIONS:
                    lost = 0.1 + effect + 0.01 * rng.standard_normal()
                    control = 0.55
                    counts = (n, round(0.6 * lost * n) + 2, 2, round(0.6 * lost * n) + 2, 2)
                    yield (
                        *(1, rendering, layer, t, variable, 0.6, control - 0.6 * lost, control),
                        *(lost, *counts),
                    )


def write_run(
    results: Path,
    name: str,
    changes: Mapping[str, Any] | None = None,
    effect: float = 0.0,
    of: Mapping[str, float] | None = None,
    checkpoints: Sequence[str] = (),
) -> Path:
    """Write a finished run.

    ``effect`` is added to all that it measures, and ``of`` to the test accuracies of single networks. With
    ``checkpoints`` its networks are imported from files with these hashes.
    """
    config, folder = configuration(name, changes or {}), results / name
    tables: dict[str, list[Any]] = {"accuracy": [], "decoding": [], "perturbation": []}
    for interaction in config["run"]["interactions"]:
        for k in range(1, config["run"]["instances"] + 1):
            head = (interaction, k)
            accuracy = 0.6 + 0.01 * k + effect + (of or {}).get(f"{interaction} {k}", 0)
            for image, more in (("cluttered", 0), ("clean", 0.2)):
                n = config["record"]["scenes"]
                tables["accuracy"].append((*head, image, n, round(accuracy + more, 4)))
            rows = decoding_rows(config, interaction, k, effect)
            tables["decoding"] += [(*head, *row) for row in rows]
            if interaction != "feedforward":
                rows = perturbation_rows(config, k, effect)
                tables["perturbation"] += [(*head, *row) for row in rows]
            write_network(folder, config, interaction, k, checkpoints[k - 1] if checkpoints else "")
    for table, columns in COLUMNS.items():
        path = folder / "tables" / f"{table}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, pd.DataFrame(tables[table], columns=columns.split()))
        split_table(path)
    (folder / "report.html").write_text("<title>report</title>")
    return folder


def split_table(path: Path) -> None:
    """Write the rows of a table in a file for each network too."""
    table = pd.read_csv(path)
    for network in path.parents[1].glob("*/instance*"):
        of = (network.parent.name, int(network.name.removeprefix("instance")))
        mine = (table["interaction"] == of[0]) & (table["instance"] == of[1])
        write_table(network / path.name, table[mine])


# The record of a job, with nothing in it.
RECORD: dict[str, Any] = {name: kind() for name, kind in FORM.items()}
COLUMNS = {
    "accuracy": "interaction instance image n accuracy",
    "decoding": "interaction instance repeat source layer timestep image variable accuracy",
    "perturbation": "interaction instance repeat rendering layer timestep variable "
    "accuracy_original accuracy_systematic accuracy_control functional_importance "
    "n control_only systematic_only control_only_original systematic_only_original",
}


def write_network(
    folder: Path, config: Mapping[str, Any], interaction: str, k: int, checkpoint: str = ""
) -> None:
    """The weights of a network with their origin, and the records of its jobs."""
    seen = ("validate_every", "validation_scenes")
    training = {key: value for key, value in config["training"].items() if key not in seen}
    scenes = {k: v for k, v in config["scenes"].items() if k not in ("set", "shard")}
    images = {key: config["data"][key] for key in ("source", "validation")}
    seed = config["run"]["seed"]
    trained = {"network": config["network"], "training": training, "scenes": scenes}
    trained |= {"data": images, "seed": seed}
    if checkpoint:
        file = {"file": f"{checkpoint}.pth"}
        trained = {"network": config["network"], "seed": seed, "checkpoint": file}
    about = trained | {
        "validation": {key: config["training"][key] for key in seen},
        "interaction": interaction,
        "instance": k,
        "git_commit": "0123abc",
        "packages": PACKAGES,
        "precision": "float32",
    }
    if checkpoint:
        about = trained | {"interaction": interaction, "instance": k, "git_commit": "0123abc"}
        about |= {"checkpoint": {**file, "sha256": checkpoint}, "packages": PACKAGES}
    network = folder / interaction / f"instance{k}" / "model.safetensors"
    network.parent.mkdir(parents=True, exist_ok=True)
    save_file({"w": np.zeros(1)}, network, {"provenance": json.dumps(about)})
    shard = config["scenes"]["shard"]
    tested = {"data": images, "scenes": scenes, "seed": seed, "shard": shard}
    recorded = {key: config["record"][key] for key in ("scenes", "precision")}
    decoding = {key: v for key, v in config["decoding"].items() if key != "scene_repeats"}
    stages: dict[str, dict[str, Any]] = {
        "record": {"record": recorded, "test_scenes": tested},
        "decode": {"record": recorded, "test_scenes": tested, "decoding": decoding},
        "perturb": {"perturbation": config["perturbation"]},
    }
    for stage, made_from in stages.items():
        path = folder / "logs" / stage / f"{interaction}-{k}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        made: dict[str, Any] = {"rule": f"{stage}_network", "made from": trained | made_from}
        made["wildcards"] = {"instance": str(k), "interaction": interaction}
        table = {"record": "accuracy", "decode": "decoding", "perturb": "perturbation"}[stage]
        made["output"] = [f"{interaction}/instance{k}/{table}.csv"]
        path.write_text(json.dumps({**RECORD, **made}))
        benchmark = folder / "benchmarks" / stage / f"{interaction}-{k}.tsv"
        benchmark.parent.mkdir(parents=True, exist_ok=True)
        benchmark.write_text("s\th:m:s\n75.5\t0:01:15\n")

"""About how long a run takes on this machine: a few seconds of its work are timed and multiplied.

    python workflow/scripts/estimate.py [--cores N] config.yaml [workflow/presets/NAME.yaml]

It is rough, perhaps a third off: jobs that run side by side slow each other down, and the costs of
all but the training are known only in multiples of a forward pass.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import yaml

from recurrence.configuration import ConfigurationError, check
from recurrence.job import duration, prepare_torch
from recurrence.network import CATEGORIES, RecurrentNetwork, mixed_precision
from recurrence.scenes import CANVAS

FILES = {  # of each network: what is there when a job is done
    "train": "model.safetensors",
    "record": "accuracy.csv",
    "decode": "decoding.csv",
    "perturb": "perturbation.csv",
}
PASSES = {
    "record": 4.5,
    "perturbation": 45,
}  # what a scene (and rendering) costs, in forward passes
DECODING = 31  # seconds: a repeat of 1,000 scenes, all features and variables, on one core
JOB = 8  # seconds: a job's start
REST = 120  # seconds: source images, scenes and their read-outs, tables, figures and the report
TIMED = 1.0  # seconds, of each measurement
SMALL = 25  # scenes in a batch that is not trained on


def overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """``below`` with the values of ``above`` where both have one, block by block."""
    merged = dict(below)
    for key, value in above.items():
        inner = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = overlay(below[key], value) if inner else value
    return merged


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long ``work`` takes: the mean over about ``TIMED`` seconds, once it is warm."""
    work()
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + TIMED:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        count += 1
    return (time.perf_counter() - start) / count


def jobs(interaction: str, config: dict[str, Any], device: torch.device) -> dict[str, float]:
    """Seconds of each job of one network."""
    network = RecurrentNetwork(interaction, config["network"]).to(device)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    batch, precision = config["training"]["batch"], config["training"]["precision"]
    images = torch.rand(batch, 1, CANVAS, CANVAS, device=device)
    categories = torch.randint(CATEGORIES, (batch,), device=device)

    def iteration() -> None:
        optimizer.zero_grad()
        with mixed_precision(device, precision):
            logits = network(images).logits
        F.cross_entropy(logits.float(), categories).backward()
        optimizer.step()

    def passes(stage: str) -> float:
        """Seconds of a scene in a stage that is made of forward passes."""

        @torch.inference_mode()
        def forward() -> None:
            with mixed_precision(device, config[stage]["precision"]):
                network(images[:SMALL])

        return PASSES[stage] * seconds(forward, device) / len(images[:SMALL])

    decoding, perturbation = config["decoding"], config["perturbation"]
    perturbed = perturbation["repeats"] * perturbation["scenes"] * len(perturbation["renderings"])
    recurrent = interaction != "feedforward"
    imported = bool(config["run"]["checkpoints"].get(interaction))
    return {
        "train": 0 if imported else config["training"]["iterations"] * seconds(iteration, device),
        "record": config["record"]["scenes"] * passes("record"),
        "decode": decoding["repeats"] * decoding["scenes"] / 1000 * DECODING,
        "perturb": perturbed * passes("perturbation") * recurrent,
    }


def main() -> None:
    """Print the estimate, as far as files of the run are not there already."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", default="all", help="as for snakemake: a number or all")
    parser.add_argument("files", nargs="+", type=Path, help="config files, later over earlier")
    asked = parser.parse_args()
    config: dict[str, Any] = {}
    for file in asked.files:
        config = overlay(config, yaml.safe_load(file.read_text()))
    try:
        check(config)
    except ConfigurationError:
        return  # Snakemake, which is started next, says what is wrong
    run, threads = config["run"], config["compute"]["threads"]
    iterations = config["training"]["iterations"]
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = (available or 1) if asked.cores == "all" else int(asked.cores)
    device = prepare_torch(config["compute"]["device"], threads)

    total = longest = 0.0
    left = 0
    for interaction in run["interactions"]:
        cost = jobs(interaction, config, device)
        for instance in range(1, run["instances"] + 1):
            folder = Path("results", run["name"], interaction, f"instance{instance}")
            todo = [cost[job] + JOB for job, file in FILES.items() if not (folder / file).exists()]
            left += bool(todo)
            total += sum(todo)
            longest = max(longest, sum(todo))
    parallel = 1 if device.type == "cuda" else max(1, cores // threads)
    about = duration(max(longest, total / parallel) + REST)
    networks = len(run["interactions"]) * run["instances"]
    print(
        f"Run {run['name']}: about {about} on this machine ({cores} cores, {device.type}):", end=" "
    )
    print(f"{left} of {networks} networks to do, {iterations} iterations each")


if __name__ == "__main__":
    main()

"""About how long what is left of a run takes on this machine.

python workflow/scripts/estimate.py [--cores N] config.yaml [workflow/presets/NAME.yaml]
"""

import argparse
import os
from pathlib import Path
from typing import Any

import yaml

from recurrence.configuration import ConfigurationError, check, overlaid
from recurrence.estimation import JOB, REST, jobs
from recurrence.job import duration, prepare_torch

FILES = {  # of each network: what is there when a job is done
    "train": "model.safetensors",
    "record": "accuracy.csv",
    "decode": "decoding.csv",
    "perturb": "perturbation.csv",
}


def main() -> None:
    """Print the estimate, as far as files of the run are not there already."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", default="all", help="as for snakemake: a number or all")
    parser.add_argument("files", nargs="+", type=Path, help="config files, later over earlier")
    asked = parser.parse_args()
    config: dict[str, Any] = {}
    for file in asked.files:
        config = overlaid(config, yaml.safe_load(file.read_text()))
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

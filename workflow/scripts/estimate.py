"""About how long what is left of a run takes on this machine.

python workflow/scripts/estimate.py [--cores N] config.yaml [workflow/presets/NAME.yaml]
"""

import argparse
import os
from pathlib import Path
from typing import Any

import yaml

from recurrence.configuration.problems import ConfigurationError, check, overlaid
from recurrence.devices import prepare_torch
from recurrence.estimation import REST, remaining
from recurrence.job import duration


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

    left = remaining(config, device)
    parallel = 1 if device.type == "cuda" else max(1, cores // threads)
    about = duration(max(*left, sum(left) / parallel) + REST)
    print(
        f"Run {run['name']}: about {about} on this machine ({cores} cores, {device.type}):", end=" "
    )
    to_do = sum(seconds > 0 for seconds in left)
    print(f"{to_do} of {len(left)} networks to do, {iterations} iterations each")


if __name__ == "__main__":
    main()

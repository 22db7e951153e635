"""Estimate how long the jobs of a run take on this machine: time iterations and forward passes for a second each.

The estimate is rough and may be a third off: jobs that run side by side slow each other down, recording and
perturbation are counted in forward passes (:mod:`recurrence.work`), and the time of all else is not measured here.

    python -m recurrence.estimation [--cores N] config.yaml [mine.yaml ...]
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F

from recurrence import machine
from recurrence.configuration.blocks import Configuration
from recurrence.configuration.problems import ConfigurationError, check, layered
from recurrence.devices import prepare_torch
from recurrence.job import duration
from recurrence.names import CANVAS, CATEGORIES
from recurrence.network import RecurrentNetwork, mixed_precision
from recurrence.states import reached
from recurrence.work import work

DECODING_PASS = 1.3e-3  # seconds for as much decoding as a forward pass is, on one core: the device does not matter
JOB = 8  # seconds: the start of a job
FILES = {  # of each network, by the job that makes it
    "train": "model.safetensors",
    "record": "accuracy.csv",
    "decode": "decoding.csv",
    "perturb": "perturbation.csv",
}
REST = 120  # seconds: source images, scenes and decoding from them, tables, figures and the report
TIMED = 1.0  # seconds for each measurement
SMALL = 25  # scenes in a batch that is not for training


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that ``work`` takes: the mean over about ``TIMED`` seconds, after a first run."""
    work()
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + TIMED:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        count += 1
    return (time.perf_counter() - start) / count


def jobs(interaction: str, config: Configuration, device: torch.device) -> dict[str, float]:
    """Seconds for each job of one network."""
    network = RecurrentNetwork(interaction, config.network).to(device)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    batch, precision = config.training.batch, config.training.precision
    images = torch.rand(batch, 1, CANVAS, CANVAS, device=device)
    categories = torch.randint(CATEGORIES, (batch,), device=device)

    def iteration() -> None:
        optimizer.zero_grad()
        with mixed_precision(device, precision):
            logits = network(images).logits
        F.cross_entropy(logits.float(), categories).backward()
        optimizer.step()

    def forward(precision: str) -> float:
        """Seconds for a scene in a forward pass."""

        @torch.inference_mode()
        def run() -> None:
            with mixed_precision(device, precision):
                network(images[:SMALL])

        return seconds(run, device) / len(images[:SMALL])

    imported = bool(getattr(config.run.checkpoints, interaction, []))
    passes = work(config.plain(), interaction)
    return {
        "train": 0 if imported else config.training.iterations * seconds(iteration, device),
        "record": passes["record_network"] * forward(config.record.precision),
        "decode": passes["decode_network"] * DECODING_PASS,
        "perturb": passes["perturb_network"] * forward(config.perturbation.precision),
    }


def remaining(config: Configuration, device: torch.device) -> list[float]:
    """Seconds left for each network, by the files that are missing in its folder and the state of its training."""
    run, plain, left = config.run, config.plain(), []
    for interaction in run.interactions:
        folder = Path("results", run.name, interaction)
        folders = [folder / f"instance{instance}" for instance in range(1, run.instances + 1)]
        missing = [[job for job, file in FILES.items() if not (f / file).exists()] for f in folders]
        cost = jobs(interaction, config, device) if any(missing) else {}
        for place, each in zip(folders, missing, strict=True):
            left.append(sum(cost[job] + JOB for job in each))
            if "train" in each:
                left[-1] -= cost["train"] * reached(place, plain) / config.training.iterations
    return left


def estimate(files: Sequence[Path], cores: str) -> str:
    """A line that says how long the rest of a run will take.

    ``files`` are its config files, later over earlier; ``cores`` is a number or ``all``, as for snakemake. Wrong files
    and values raise exceptions of many types.
    """
    config = check(layered(files))
    threads = config.compute.threads
    count = machine.cores() if cores == "all" else int(cores)
    device = prepare_torch(config.compute.device, threads)

    left = remaining(config, device)
    parallel = 1 if device.type == "cuda" else max(1, count // threads)
    time_left = duration(max(*left, sum(left) / parallel) + REST)
    to_do = sum(seconds > 0 for seconds in left)
    return (
        f"Run {config.run.name}: about {time_left} on this machine ({count} cores, {device.type}): "
        f"{to_do} of {len(left)} networks to do, {config.training.iterations} iterations each"
    )


def main() -> None:
    """Print the estimate. No error here stops a run: Snakemake, which starts next, reports what is wrong."""
    parser = argparse.ArgumentParser(description="Estimate how long a run takes.")
    parser.add_argument("--cores", default="all", help="as for snakemake: a number or all")
    parser.add_argument("files", nargs="+", type=Path, help="config files, later over earlier")
    arguments = parser.parse_args()
    try:
        print(estimate(arguments.files, arguments.cores))
    except ConfigurationError:
        pass
    except Exception as error:
        print(f"No estimate of the time: {error}")


if __name__ == "__main__":
    main()

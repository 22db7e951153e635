"""Fast paths beside their plain counterparts, in one run on one machine: `make benchmark`.

    python tests/benchmark.py results/quick/multiplicative/instance1/model.safetensors results/benchmark

Each task does the same work both ways, in turn, several times; medians are written to benchmark.csv (task,
plain_seconds, fast_seconds, ratio, unit) and drawn in benchmark.png. It wants a quiet machine, a trained network and
the test scenes of its run.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
import yaml

from plain import PlainNetwork, paint, read_out
from recurrence import decoding
from recurrence.datasets import load_shard
from recurrence.job import keep_freed_memory
from recurrence.network import LAYERS, RecurrentNetwork, load_network, mixed_precision
from recurrence.perturbation import Experiment, perturb
from recurrence.recording import MANTISSA, round_mantissa
from recurrence.rendering import render
from recurrence.scenes import ALTERATIONS, SceneDistribution, Sources, alter, sample
from recurrence.training import draw

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
BATCH = CONFIG["training"]["batch"]
PERTURBED = 20  # scenes of the perturbation task
DISTRIBUTION = SceneDistribution()
UNJITTERED = SceneDistribution(7, 0.8, 1.6, 0, 35, 0, 0)


class Silent:
    """A job that tells nothing of its progress."""

    total = 0

    def due(self) -> bool:
        return False


def in_turn(
    plain: Callable[[], float | None], fast: Callable[[], float | None], repeats: int
) -> tuple[float, float]:
    """Median seconds of the two, run in turn. A function may give its seconds itself."""

    def seconds(work: Callable[[], float | None]) -> float:
        start = time.perf_counter()
        told = work()
        return told if told is not None else time.perf_counter() - start

    times = [(seconds(plain), seconds(fast)) for _ in range(repeats)]
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)


def training(sources: Sources, fast: bool) -> Callable[[], None]:
    """One iteration with its scenes, warmed up."""
    network: Any = RecurrentNetwork("multiplicative", CONFIG["network"])
    if not fast:
        network = PlainNetwork("multiplicative", CONFIG["network"], network.shapes)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=fast or None)
    number = 0

    def iteration() -> None:
        nonlocal number
        indices = range(number * BATCH, (number + 1) * BATCH)
        number += 1
        optimizer.zero_grad()
        if fast:
            images, labels = draw(paint, sources, DISTRIBUTION, 1, indices)
            with mixed_precision(torch.device("cpu"), "bfloat16"):
                logits = network(images).logits
        else:
            recipe = sample(sources, DISTRIBUTION, 1, indices)
            scenes = np.stack([paint(sources, recipe, n) for n in range(BATCH)])
            images = torch.from_numpy(scenes.astype(np.float32))[:, None]
            labels = torch.from_numpy(recipe.labels(sources)["category"])
            logits = network(images)[0]
        F.cross_entropy(logits.float(), labels).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    for _ in range(3):
        iteration()
    return iteration


def _train_beside(folder: Path, barrier: Any, times: Any) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    iteration = training(load_sources(folder, "test"), fast=True)
    barrier.wait()
    start = time.perf_counter()
    for _ in range(20):
        iteration()
    times.put((time.perf_counter() - start) / 20)


def side_by_side(folder: Path) -> float:
    """Seconds an iteration, of two networks that train at the same time on a core each."""
    context = multiprocessing.get_context("spawn")
    barrier, times = context.Barrier(2), context.Queue()
    both = [context.Process(target=_train_beside, args=(folder, barrier, times)) for _ in range(2)]
    for process in both:
        process.start()
    each = [times.get() for _ in both]
    for process in both:
        process.join()
    return 1 / sum(1 / seconds for seconds in each)


def load_sources(folder: Path, split: str) -> Sources:
    """The source images below a data folder."""
    return Sources.join(
        *(load_shard(folder / f"shards/{d}-{split}.h5") for d in ("mnist", "fashion"))
    )


def main() -> None:
    """Measure all tasks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model.safetensors of a trained network")
    parser.add_argument("output", type=Path, help="a folder")
    asked = parser.parse_args()
    keep_freed_memory()
    data = Path(CONFIG["data"]["folder"])
    sources = load_sources(data, "test")
    fast = load_network(asked.model, torch.device("cpu"))
    plain = PlainNetwork(fast.interaction, CONFIG["network"], fast.shapes).eval()
    plain.copy_weights(fast)
    rows: list[dict[str, Any]] = []

    def report(task: str, seconds: tuple[float, float], unit: str) -> None:
        ratio = seconds[0] / seconds[1]
        rows.append(
            dict(
                zip(
                    ("task", "plain_seconds", "fast_seconds", "ratio", "unit"),
                    (task, *seconds, ratio, unit),
                    strict=True,
                )
            )
        )
        print(
            f"{task:<60} {seconds[0]:10.4g} s {seconds[1]:10.4g} s {ratio:7.1f} x   {unit}",
            flush=True,
        )

    torch.set_num_threads(1)
    recipe = sample(sources, DISTRIBUTION, 2, range(64))
    render(sources, recipe)  # compiles

    def paint_all() -> None:
        for n in range(len(recipe)):
            paint(sources, recipe, n)

    def render_all() -> None:
        render(sources, sample(sources, DISTRIBUTION, 2, range(64)))

    report("scenes, 1 core", in_turn(paint_all, render_all, 7), "64 scenes")

    torch.set_num_threads(2)
    iterations = training(sources, fast=False), training(sources, fast=True)
    report(
        "training iteration with its scenes, 2 cores", in_turn(*iterations, 7), f"batch of {BATCH}"
    )
    plain_iteration = iterations[0]
    report(
        "two networks side by side, 1 core each",
        in_turn(plain_iteration, lambda: side_by_side(data), 3),
        "iteration (of one plain network on 2 cores)",
    )

    with h5py.File(data / "scenes/standard/test-00.h5") as file:
        scenes, clean_scenes = (
            torch.from_numpy(file[name][:])[:, None] for name in ("scenes", "clean")
        )
        labels = {name: file[f"labels/{name}"][:] for name in CONFIG["decoding"]["variables"]}

    def infer(network: Any) -> None:
        with torch.inference_mode():
            for batch in scenes[:200].split(50):
                network(batch)

    infer(fast)
    report(
        "inference for recording, 2 cores",
        in_turn(lambda: infer(plain), lambda: infer(fast), 5),
        "200 scenes",
    )

    experiment = Experiment(fast, sources, UNJITTERED, 1)

    def perturb_plainly() -> None:
        recipe = experiment.recipe(range(PERTURBED))
        images, permutations = experiment.paint(recipe), experiment.permutations(range(PERTURBED))
        with torch.inference_mode():
            _, flows = plain(images)
            for variable in ALTERATIONS:
                altered = experiment.paint(alter(recipe, variable, "opposite", UNJITTERED))
                for t, here in enumerate(flows):
                    for layer, flow in here.items():
                        for kind in ("systematic", "control"):
                            other = plain(altered)[1][t][layer]
                            if kind == "control":
                                change = (other - flow).flatten(1).gather(1, permutations[layer])
                                other = flow + change.view(flow.shape)
                            plain(images, (layer, t + 1, other))

    def perturb_fast() -> None:
        perturb(
            experiment, {"renderings": ["opposite"], "repeats": 1, "scenes": PERTURBED}, Silent()
        )  # type: ignore[arg-type]

    report(
        "perturbation, all 72 x 2, 2 cores",
        in_turn(perturb_plainly, perturb_fast, 1),
        f"{PERTURBED} scenes",
    )

    torch.set_num_threads(1)

    with torch.inference_mode():
        runs = [fast(batch) for batch in scenes.split(100)]
        clean = [fast(batch) for batch in clean_scenes.split(100)]

    def stored(kind: str, parts: list[torch.Tensor]) -> Any:
        return round_mantissa(torch.cat(parts).flatten(1), MANTISSA[kind])

    sets = [
        stored("activation", [run.activities[t].outputs[layer] for run in passes])
        for passes in (runs, clean)
        for t in range(fast.timesteps)
        for layer in LAYERS
    ]
    sets += [
        stored("recurrent_flow", [run.flows[t][layer] for run in runs])
        for t in range(1, fast.timesteps)
        for layer in LAYERS
    ]
    del runs, clean
    block = CONFIG["decoding"]

    def decode_plainly() -> None:
        for values in sets:
            for variable in block["variables"]:
                read_out(values.astype(np.float64), labels[variable], block["fit"], 0)

    def decode_fast() -> None:
        for values in sets:
            factor = decoding.gram_factor(values)
            for variable in block["variables"]:
                decoding.read_out(factor, labels[variable], block["fit"], 0, block["max_iter"])

    report(
        f"decoding, {len(sets)} feature sets x {len(block['variables'])} variables, 1 core",
        in_turn(decode_plainly, decode_fast, 1),
        "repeat of 1,000 scenes",
    )

    asked.output.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows)
    table.to_csv(asked.output / "benchmark.csv", index=False, float_format="%.4g")
    figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
    axes.barh(table.task[::-1], table.ratio[::-1], color="#0072B2")
    axes.bar_label(axes.containers[0], fmt="%.1f x", padding=3)  # type: ignore[arg-type]
    axes.set_xlabel("times as fast as the plain path")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(asked.output / "benchmark.png", dpi=150)


if __name__ == "__main__":
    main()

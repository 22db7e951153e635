"""Fast paths beside their plain counterparts, in one run on one machine: `make benchmark`.

    python tests/benchmark.py results/quick/multiplicative/instance1/model.safetensors results/benchmark

Each task does the same work both ways, in turn, several times; medians are written to benchmark.csv (task,
plain_seconds, fast_seconds, ratio, unit) and drawn in benchmark.png. rates.csv says how fast the arithmetic is beside a
large matrix product; growth.csv and growth.png say how time grows with the work. It wants a quiet machine, a trained
network and the test scenes of its run, and a quarter of an hour, most of it for the plain read-outs.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import torch.nn.functional as F
import yaml
from threadpoolctl import threadpool_limits
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from plain import PlainNetwork, paint, read_out
from recurrence import decoding
from recurrence.connections import RowConvolution, UpConvolution
from recurrence.datasets import load_shard
from recurrence.device_rendering import renderer
from recurrence.job import keep_freed_memory
from recurrence.network import LAYERS, RecurrentNetwork, load_network, mixed_precision
from recurrence.perturbation import Experiment, perturb
from recurrence.recording import BATCH, MANTISSA, round_mantissa
from recurrence.rendering import render
from recurrence.scenes import ALTERATIONS, SceneDistribution, Sources, alter, sample
from recurrence.training import draw

CONFIG = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())
CPU = torch.device("cpu")
DATA = Path(CONFIG["data"]["folder"])
DISTRIBUTION = SceneDistribution()
UNJITTERED = SceneDistribution(7, 0.8, 1.6, 0, 35, 0, 0)
BLUE = "#0072B2"
Work = Callable[[], object]


@dataclass(frozen=True)
class Task:
    """The same work, ``plain`` and ``fast``; one of them may give the seconds itself."""

    name: str
    unit: str
    threads: int
    repeats: int
    plain: Work
    fast: Work

    def measure(self) -> dict[str, Any]:
        """A row of benchmark.csv: medians of runs in turn."""
        with threads(self.threads):
            times = [(seconds(self.plain), seconds(self.fast)) for _ in range(self.repeats)]
        plain, fast = (statistics.median(each) for each in zip(*times, strict=True))
        task = f"{self.name}, {self.threads} thread{'s' * (self.threads > 1)}"
        row = {"task": task, "plain_seconds": plain, "fast_seconds": fast, "ratio": plain / fast}
        print(
            f"{task:<52} {plain:9.4g} s {fast:9.4g} s {plain / fast:6.1f} x   {self.unit}",
            flush=True,
        )
        return row | {"unit": self.unit}


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Work with so many threads, of PyTorch and of numpy's BLAS."""
    torch.set_num_threads(count)
    with threadpool_limits(count):
        yield


def seconds(work: Work) -> float:
    """How long ``work`` takes, or what it says."""
    start = time.perf_counter()
    told = work()
    return told if isinstance(told, float) else time.perf_counter() - start


class Silent:
    """A job that tells nothing of its progress."""

    def due(self) -> bool:
        return False


def load_sources(split: str) -> Sources:
    """The source images of one split."""
    return Sources.join(
        *(load_shard(DATA / f"shards/{d}-{split}.h5") for d in ("mnist", "fashion"))
    )


def plain_iteration(sources: Sources) -> Work:
    """One training iteration with its scenes: scipy, eager float32, both interactions present."""
    network = PlainNetwork(
        "multiplicative", CONFIG["network"], RecurrentNetwork("additive", CONFIG["network"]).shapes
    )

    def batch(indices: range) -> tuple[torch.Tensor, torch.Tensor]:
        recipe = sample(sources, DISTRIBUTION, 1, indices)
        scenes = np.stack([paint(sources, recipe, n) for n in range(len(recipe))])
        images = torch.from_numpy(scenes.astype(np.float32))[:, None]
        return images, torch.from_numpy(recipe.labels(sources)["category"])

    return iterations(network, lambda images: network(images)[0], batch, fused=False)


def fast_iteration(
    sources: Sources,
    timesteps: int = CONFIG["network"]["timesteps"],
    size: int = CONFIG["training"]["batch"],
) -> Work:
    """One training iteration with its scenes as the workflow does it, which paints the next ones meanwhile."""
    network = RecurrentNetwork("multiplicative", {**CONFIG["network"], "timesteps": timesteps})
    batch = partial(draw, renderer(sources, CPU), sources, DISTRIBUTION, 1)

    def logits(images: torch.Tensor) -> torch.Tensor:
        with mixed_precision(CPU, CONFIG["training"]["precision"]):
            return network(images).logits.float()

    return iterations(network, logits, batch, fused=True, size=size)


def iterations(
    network: torch.nn.Module,
    logits: Callable[[torch.Tensor], torch.Tensor],
    batch: Callable[[range], tuple[torch.Tensor, torch.Tensor]],
    fused: bool,
    size: int = CONFIG["training"]["batch"],
) -> Work:
    """A function that does one iteration more each time it is called."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=fused)
    done = 0

    def iteration() -> None:
        nonlocal done
        images, labels = batch(range(done * size, (done + 1) * size))
        done += 1
        optimizer.zero_grad()
        F.cross_entropy(logits(images), labels).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    for _ in range(3):  # warms up
        iteration()
    return iteration


def _train_beside(barrier: Any, times: Any) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    iteration = fast_iteration(load_sources("test"))

    def twenty() -> None:
        for _ in range(20):
            iteration()

    barrier.wait(timeout=300)
    times.put(seconds(twenty) / 20)


def side_by_side() -> float:
    """Seconds an iteration, of two networks that train at the same time on a core each."""
    context = multiprocessing.get_context("spawn")
    barrier, times = context.Barrier(2), context.Queue()
    both = [context.Process(target=_train_beside, args=(barrier, times)) for _ in range(2)]
    for process in both:
        process.start()
    each = [times.get(timeout=300) for _ in both]
    for process in both:
        process.join()
    return 1 / sum(1 / taken for taken in each)


@dataclass(frozen=True)
class Subject:
    """A trained network, its plain counterpart and what they are measured on."""

    model: Path

    @cached_property
    def fast(self) -> RecurrentNetwork:
        return load_network(self.model, CPU, "multiplicative", CONFIG["network"])

    @cached_property
    def plain(self) -> PlainNetwork:
        plain = PlainNetwork(self.fast.interaction, CONFIG["network"], self.fast.shapes).eval()
        plain.copy_weights(self.fast)
        return plain

    @cached_property
    def sources(self) -> Sources:
        return load_sources("test")

    @cached_property
    def scenes(self) -> dict[str, torch.Tensor]:
        """1,000 test scenes, cluttered and clean, (1000, 1, 100, 100)."""
        with h5py.File(DATA / "scenes/standard/test-00.h5") as file:
            return {name: torch.from_numpy(file[name][:])[:, None] for name in ("scenes", "clean")}

    @cached_property
    def labels(self) -> dict[str, npt.NDArray[np.uint8]]:
        with h5py.File(DATA / "scenes/standard/test-00.h5") as file:
            return {name: file[f"labels/{name}"][:] for name in CONFIG["decoding"]["variables"]}

    def infer(self, network: Any, precision: str, count: int = 200) -> None:
        with torch.inference_mode(), mixed_precision(CPU, precision):
            for batch in self.scenes["scenes"][:count].split(BATCH):
                network(batch)

    def perturb(self, scenes: int) -> None:
        block = CONFIG["perturbation"] | {
            "renderings": ["opposite"],
            "repeats": 1,
            "scenes": scenes,
        }
        perturb(Experiment(self.fast, self.sources, UNJITTERED, 1), block, Silent())  # type: ignore[arg-type]

    @torch.inference_mode()
    def perturb_plainly(self, scenes: int) -> None:
        """Two full passes for every variable, layer, timestep and kind."""
        experiment = Experiment(self.fast, self.sources, UNJITTERED, 1)
        recipe, permutations = (
            experiment.recipe(range(scenes)),
            experiment.permutations(range(scenes)),
        )
        images = experiment.paint(recipe)
        _, flows = self.plain(images)
        for variable in ALTERATIONS:
            altered = experiment.paint(alter(recipe, variable, "opposite", UNJITTERED))
            for t, here in enumerate(flows):
                for layer, flow in here.items():
                    for kind in ("systematic", "control"):
                        other = self.plain(altered)[1][t][layer]
                        if kind == "control":
                            change = (other - flow).flatten(1).gather(1, permutations[layer])
                            other = flow + change.view(flow.shape)
                        self.plain(images, (layer, t + 1, other))

    @cached_property
    def feature_sets(self) -> dict[tuple[object, ...], npt.NDArray[np.float16]]:
        """All that is read out from 1,000 scenes: activations and flows, by (kind, image, t from 0 on, layer)."""
        sets: dict[tuple[object, ...], list[npt.NDArray[np.float16]]] = {}
        for image, scenes in self.scenes.items():
            for batch in scenes.split(BATCH):
                with torch.inference_mode():
                    run = self.fast(batch)
                for t in range(self.fast.timesteps):
                    kinds = {"activation": run.activities[t].outputs}
                    if image == "scenes" and t:
                        kinds["recurrent_flow"] = run.flows[t]
                    for kind, maps in kinds.items():
                        for layer in LAYERS:
                            rounded = round_mantissa(maps[layer].flatten(1), MANTISSA[kind])
                            sets.setdefault((kind, image, t, layer), []).append(rounded)
        return {name: np.concatenate(parts) for name, parts in sets.items()}

    def decode_plainly(self) -> None:
        for values in self.feature_sets.values():
            for labels in self.labels.values():
                read_out(values.astype(np.float64), labels, CONFIG["decoding"]["fit"], 0)

    def decode(self) -> None:
        block = CONFIG["decoding"]
        for values in self.feature_sets.values():
            factor = decoding.gram_factor(values)
            for labels in self.labels.values():
                decoding.read_out(factor, labels, block["fit"], 0, block["max_iter"])


def tasks(subject: Subject) -> Iterator[Task]:
    """The table of ratios, the quick ones first."""
    sources, recipe = subject.sources, sample(subject.sources, DISTRIBUTION, 2, range(128))
    render(sources, recipe)  # compiles

    def paint_all() -> None:
        for n in range(len(recipe)):
            paint(sources, recipe, n)

    yield Task(
        "scenes", "128 scenes", 1, 15,
        paint_all, lambda: render(sources, sample(sources, DISTRIBUTION, 2, range(128))),
    )  # fmt: skip
    iteration = f"iteration, batch of {CONFIG['training']['batch']}"
    plain = plain_iteration(sources)
    yield Task("training with its scenes", iteration, 2, 9, plain, fast_iteration(sources))
    yield Task(
        "two networks side by side, a core each, against one plain",
        iteration, 2, 3, plain, side_by_side,
    )  # fmt: skip
    infer, precision = subject.infer, CONFIG["record"]["precision"]
    infer(subject.fast, precision)
    yield Task(
        "inference for recording", "200 scenes", 2, 9,
        lambda: infer(subject.plain, "float32"), lambda: infer(subject.fast, precision),
    )  # fmt: skip
    yield Task(
        "perturbation, all 72 x 2", "25 scenes", 2, 2,
        lambda: subject.perturb_plainly(25), lambda: subject.perturb(25),
    )  # fmt: skip
    sets = subject.feature_sets
    yield Task(
        f"decoding, {len(sets)} feature sets x {len(subject.labels)} variables",
        "repeat of 1,000 scenes", 1, 1, subject.decode_plainly, subject.decode,
    )  # fmt: skip


def peak(arithmetic: str) -> float:
    """GFLOP/s of a large matrix product on one core, in the library that computes in this arithmetic."""
    side = 2048
    a: Any = np.random.default_rng(0).random((side, side))
    if arithmetic != "float64":
        a = torch.from_numpy(a).to(getattr(torch, arithmetic))
    a @ a
    return 2 * side**3 / min(seconds(lambda: a @ a) for _ in range(5)) / 1e9


def rates(subject: Subject) -> pd.DataFrame:
    """How fast the arithmetic of each stage is on one core, with all that is around it, against a large matrix product.

    Counted is what plain layers compute: not the zeros that folded weights hold.
    """
    peaks = {name: peak(name) for name in ("bfloat16", "float32", "float64")}
    iteration = fast_iteration(subject.sources)
    precision = CONFIG["record"]["precision"]
    work: dict[str, tuple[str, Work]] = {
        "training iteration": (CONFIG["training"]["precision"], iteration),
        "inference, 100 scenes": (precision, lambda: subject.infer(subject.fast, precision, 100)),
        "perturbation, 25 scenes": (
            CONFIG["perturbation"]["precision"],
            lambda: subject.perturb(25),
        ),
    }
    rows = []
    for stage, (kind, run) in work.items():
        with (
            FlopCounterMode(display=False) as counter,
            patch.object(RowConvolution, "forward", nn.Conv2d.forward),
            patch.object(UpConvolution, "forward", nn.ConvTranspose2d.forward),
        ):
            run()
        rows.append(
            (
                stage,
                kind,
                counter.get_total_flops() / 1e9,
                statistics.median(seconds(run) for _ in range(5)),
            )
        )
    values = subject.feature_sets["recurrent_flow", "scenes", 1, "conv1"]
    gram = statistics.median(seconds(lambda: decoding.gram_factor(values)) for _ in range(3))
    rows.append(
        (
            "Gram matrix, flow to conv1",
            "float64",
            len(values) ** 2 * values.shape[1] / 1e9,
            gram,
        )
    )
    table = pd.DataFrame(rows, columns=["stage", "arithmetic", "gflop", "seconds"])
    table["gflop_per_second"] = table.gflop / table.seconds
    table["peak"] = table.arithmetic.map(peaks)
    table["share_of_peak"] = table.gflop_per_second / table.peak
    return table


def growth(subject: Subject) -> pd.DataFrame:
    """Seconds of each stage against the amount of its work, on one core."""
    sources, rows = subject.sources, []

    def take(what: str, amount: int, work: Work) -> None:
        work()
        rows.append((what, amount, statistics.median(seconds(work) for _ in range(5))))

    for count in (32, 64, 128, 256, 512):
        take(
            "rendering: scenes",
            count,
            lambda n=count: render(sources, sample(sources, DISTRIBUTION, 1, range(n))),
        )
    for size in (8, 16, 32, 64):
        take("training: batch", size, fast_iteration(sources, size=size))
    for timesteps in (2, 4, 6, 8):
        take("training: timesteps", timesteps, fast_iteration(sources, timesteps=timesteps))
    precision = CONFIG["record"]["precision"]
    for count in (50, 100, 200, 400):
        take("inference: scenes", count, lambda n=count: subject.infer(subject.fast, precision, n))
    for count in (25, 50, 100):
        take("perturbation: scenes", count, lambda n=count: subject.perturb(n))
    values = subject.feature_sets["recurrent_flow", "scenes", 1, "conv1"]  # the largest map
    for features in (2_000, 4_000, 16_000, 64_000):
        take(
            "Gram factor: features",
            features,
            lambda f=features: decoding.gram_factor(values[:, :f]),
        )
    for scenes in (250, 500, 1_000):
        take(
            "Gram factor: scenes",
            scenes,
            lambda n=scenes: decoding.gram_factor(values[:n, :16_000]),
        )
    return pd.DataFrame(rows, columns=["what", "amount", "seconds"])


def draw_ratios(table: pd.DataFrame, path: Path) -> None:
    """Bars of the ratios."""
    figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
    axes.barh(table.task[::-1], table.ratio[::-1], color=BLUE)
    axes.bar_label(axes.containers[0], fmt="%.1f x", padding=3)  # type: ignore[arg-type]
    axes.set_xlabel("times as fast as the plain path")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def draw_growth(table: pd.DataFrame, path: Path) -> None:
    """Time against work, with a line through the origin and the largest amount."""
    groups = list(table.groupby("what", sort=False))
    figure, panels = plt.subplots(2, -(-len(groups) // 2), figsize=(9, 4), layout="constrained")
    for axes, (what, rows) in zip(panels.flat, groups, strict=False):
        axes.plot(rows.amount, rows.seconds, "o-", color=BLUE)
        last = rows.iloc[-1]
        axes.plot([0, last.amount], [0, last.seconds], ":", color="grey")
        stage, unit = str(what).split(": ")
        axes.set(title=stage, xlabel=unit, ylabel="seconds", xlim=(0, None), ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels.flat[len(groups) :]:
        axes.set_axis_off()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "model", type=Path, help="model.safetensors of a trained multiplicative network"
    )
    parser.add_argument("output", type=Path, help="a folder")
    asked = parser.parse_args()
    keep_freed_memory()
    asked.output.mkdir(parents=True, exist_ok=True)
    subject = Subject(asked.model)

    def write(name: str, table: pd.DataFrame) -> pd.DataFrame:
        table.to_csv(asked.output / f"{name}.csv", index=False, float_format="%.4g")
        return table

    with threads(1):
        print(
            write("rates", rates(subject)).to_string(index=False, float_format="%.3g"), flush=True
        )
        draw_growth(write("growth", growth(subject)), asked.output / "growth.png")
    ratios = pd.DataFrame([task.measure() for task in tasks(subject)])
    draw_ratios(write("benchmark", ratios), asked.output / "benchmark.png")


if __name__ == "__main__":
    main()

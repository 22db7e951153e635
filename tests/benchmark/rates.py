"""Where the time goes on one core: rates of arithmetic, the parts of an iteration, and growth with the work."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmark.ratios import BLUE
from benchmark.work import CONFIG, CPU, DISTRIBUTION, Subject, Work
from recurrence import decoding
from recurrence.connections import RowConvolution, UpConvolution, fixed_parameters
from recurrence.devices import resolve_precision
from recurrence.names import IMAGE, POOL
from recurrence.network import RecurrentNetwork, mixed_precision
from recurrence.scenes import sample

TRAINING = CONFIG.training.precision


def seconds(work: Callable[[], object], runs: int = 5) -> float:
    """Median time of several runs, after a first one that does not count."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def arithmetic(work: Callable[[], object]) -> float:
    """GFLOP that PyTorch's own layers would need for ``work``: without the zeros in folded weights."""
    with (
        FlopCounterMode(display=False) as counter,
        patch.object(RowConvolution, "forward", nn.Conv2d.forward),
        patch.object(UpConvolution, "forward", nn.ConvTranspose2d.forward),
    ):
        work()
    return counter.get_total_flops() / 1e9


def matrix_product(kind: str) -> tuple[float, float]:
    """GFLOP of a large matrix product and its seconds: NumPy for float64, else PyTorch."""
    side = 2048
    a: Any = np.random.default_rng(0).random((side, side))
    if kind != "float64":
        a = torch.from_numpy(a).to(getattr(torch, kind))
    return 2 * side**3 / 1e9, seconds(lambda: a @ a)


def rates(subject: Subject) -> pd.DataFrame:
    """The rate of each stage's arithmetic, overhead included, compared with a large matrix product."""
    kinds = ("bfloat16", "float32", "float64")
    rows = [(f"matrix product, {kind}", kind, *matrix_product(kind)) for kind in kinds]
    peaks = {kind: gflop / taken for _, kind, gflop, taken in rows}
    for stage, block, work in (
        ("training iteration", "training", subject.train(1)),
        ("forward passes, 100 scenes", "record", subject.infer(100)),
        ("perturbation, 25 scenes", "perturbation", subject.perturb(25)),
    ):
        precision = resolve_precision(getattr(CONFIG, block).precision, CPU)
        rows.append((stage, precision, arithmetic(work), seconds(work)))
    recipe = sample(subject.sources, DISTRIBUTION, 2, range(128))
    sides = np.rint(IMAGE * recipe.factor[recipe.present])
    # Two matrix products give the coefficients; each pixel is a weighted sum of 4 x 4 of them.
    operations = 2 * sides * IMAGE * (IMAGE + sides) + 2 * 4 * 5 * sides**2
    rows.append(("scenes, 128", "float32", operations.sum() / 1e9, seconds(subject.paint(128))))
    sets = list(subject.feature_sets.values())
    n = len(sets[0])
    products = sum(n**2 * d for _, d in (values.shape for values in sets) if d > n) / 1e9
    gram = seconds(lambda: [decoding.gram_factor(values) for values in sets], 1)
    rows.append(("decoding, one repeat: Gram matrices and factors", "float64", products, gram))
    fits = seconds(subject.decode(), 1) - gram
    rows.append(("decoding, one repeat: the solver of LinearSVC", "float64", np.nan, fits))
    table = pd.DataFrame(rows, columns=["stage", "arithmetic", "gflop", "seconds"])
    table["gflop_per_second"] = table.gflop / table.seconds
    table["share_of_matrix_product"] = table.gflop_per_second / table.arithmetic.map(peaks)
    return table


def parts(subject: Subject) -> pd.DataFrame:
    """The parts of a training iteration, each measured alone: forward and backward, all timesteps."""
    network = RecurrentNetwork("multiplicative", CONFIG.network)
    images = torch.rand(CONFIG.training.batch, 1, 100, 100)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    connections = {
        "output" if name == "readout" else name.replace(".", " ").replace("_", " "): module
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
    }
    inputs: dict[str, list[Tensor]] = defaultdict(list)
    for name, module in connections.items():
        module.register_forward_hook(lambda _, given, __, name=name: inputs[name].append(given[0]))
    with mixed_precision(CPU, TRAINING):
        run = network(images)

    def both_ways(module: nn.Module, given: list[Tensor]) -> None:
        with mixed_precision(CPU, TRAINING), fixed_parameters(module):
            outputs = [module(each) for each in given]
        torch.autograd.backward(outputs, [torch.ones_like(each) for each in outputs])
        for leaf in (*module.parameters(), *given):
            leaf.grad = None

    rows: list[tuple[str, float, float, float]] = []
    for name, module in connections.items():
        module._forward_hooks.clear()
        given = [each.detach().requires_grad_(each.requires_grad) for each in inputs[name]]
        work = partial(both_ways, module, given)
        rows.append((name, len(given), arithmetic(work), seconds(work)))
    maps = [
        activity.maps[layer].detach().requires_grad_()
        for activity in run.activities
        for layer in ("conv1", "conv2")
    ]
    pool = partial(both_ways, nn.MaxPool2d(POOL), maps)
    rows.append(("pooling", len(maps), np.nan, seconds(pool)))

    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    rows.append(("Adam, clipping", 1, np.nan, seconds(update)))
    scenes = seconds(subject.paint(CONFIG.training.batch))
    rows.append(("scenes", 1, np.nan, scenes))
    whole = seconds(subject.train(1), 15)
    rest = whole - sum(taken for *_, taken in rows)
    rows.append(("interaction, sums, everything else", np.nan, np.nan, rest))
    rows.append(("iteration", 1, np.nan, whole))
    table = pd.DataFrame(rows, columns=["part", "uses", "gflop", "seconds"])
    table["gflop_per_second"] = table.gflop / table.seconds
    return table


def growth(subject: Subject) -> pd.DataFrame:
    """Seconds of each stage for different amounts of work."""
    rows = []

    def take(what: str, amount: int, work: Callable[[], object]) -> None:
        rows.append((what, amount, seconds(work)))

    for count in (32, 64, 128, 256, 512):
        take("rendering: scenes", count, subject.paint(count))
    for size in (8, 16, 32, 64):
        take("training: batch", size, subject.train(1, size=size))
    for timesteps in (2, 4, 6, 8):
        take("training: timesteps", timesteps, subject.train(1, timesteps=timesteps))
    for count in (1, 2, 4):
        networks = [subject.train(1) for _ in range(count)]
        take("training: networks", count, partial(_each, networks))
    for count in (50, 100, 200, 400):
        take("forward passes: scenes", count, subject.infer(count))
    for count in (25, 50, 100):
        take("perturbation: scenes", count, subject.perturb(count))
    values = subject.feature_sets["recurrent_flow", "scenes", 1, "conv1"]  # the largest map
    for features in (2_000, 4_000, 16_000, 64_000):
        few = values[:, :features]
        take("Gram factor: features", features, partial(decoding.gram_factor, few))
    for scenes in (250, 500, 1_000):
        few = values[:scenes, :16_000]
        take("Gram factor: scenes", scenes, partial(decoding.gram_factor, few))
    return pd.DataFrame(rows, columns=["what", "amount", "seconds"])


def _each(works: list[Work]) -> None:
    for work in works:
        work()


def draw_growth(table: pd.DataFrame, path: Path) -> None:
    """Draw time against work, with a line from the origin to the largest amount."""
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

"""How much faster than plain code each task is: both sides run in turn, in processes of their own."""

import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from benchmark.work import CONFIG, Subject, Work
from recurrence.devices import keep_freed_memory

BLUE = "#0072B2"


@dataclass(frozen=True)
class Side:
    """One way to do a task: ``processes`` at a time do the work of ``make``, each ``runs`` times."""

    make: Callable[[Subject], Work]
    runs: int
    threads: int = 1
    processes: int = 1


@dataclass(frozen=True)
class Task:
    """The same work with plain and with fast code."""

    name: str
    unit: str
    plain: Side
    fast: Side


_BATCH = f"batch of {CONFIG.training.batch}"
# Quick tasks first.
TASKS = [
    Task(
        "scenes, 1 thread",
        "128 scenes",
        Side(lambda subject: subject.paint_plainly(128), 15),
        Side(lambda subject: subject.paint(128), 15),
    ),
    Task(
        "training with its scenes, 2 threads",
        f"iteration, {_BATCH}",
        Side(lambda subject: subject.train_plainly(1), 9, threads=2),
        Side(lambda subject: subject.train(1), 9, threads=2),
    ),
    Task(
        "two networks side by side, 1 thread each, against one plain, 2 threads",
        f"10 iterations of one network, {_BATCH}",
        Side(lambda subject: subject.train_plainly(10), 5, threads=2),
        Side(lambda subject: subject.train(10), 5, processes=2),
    ),
    Task(
        "forward passes for recording, 2 threads",
        "200 scenes",
        Side(lambda subject: subject.infer_plainly(200), 9, threads=2),
        Side(lambda subject: subject.infer(200), 9, threads=2),
    ),
    Task(
        "perturbation, 2 threads",
        "25 scenes",
        Side(lambda subject: subject.perturb_plainly(25), 3, threads=2),
        Side(lambda subject: subject.perturb(25), 3, threads=2),
    ),
    Task(
        "decoding, 1 thread",
        "repeat of 1,000 scenes",
        Side(Subject.decode_plainly, 1),
        Side(Subject.decode, 3),
    ),
]


@dataclass
class Processes:
    """Processes that are ready to do the work of one side, and the times of their runs so far."""

    ends: list[Connection]
    seconds: list[float] = field(default_factory=list)
    result: Any = None

    def run(self) -> None:
        """Do the work again. With n processes side by side, the time for one is divided by n."""
        for end in self.ends:
            end.send("go")
        taken, results = zip(*(end.recv() for end in self.ends), strict=True)
        self.seconds.append(max(taken) / len(taken))
        self.result = results[0]


@contextmanager
def processes(number: int, name: str, subject: Subject) -> Iterator[Processes]:
    """Start the processes of side ``name`` of task ``number``, let them warm up, and stop them at the end."""
    context = multiprocessing.get_context("spawn")
    side: Side = getattr(TASKS[number], name)
    ends, started = [], []
    for first in range(0, side.processes * side.threads, side.threads):
        ours, theirs = context.Pipe()
        cores = range(first, first + side.threads)
        process = context.Process(
            target=serve, args=(number, name, subject, theirs, cores), daemon=True
        )
        process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        ends.append(ours)
        started.append(process)
    for end in ends:
        end.recv()
    yield Processes(ends)
    for end in ends:
        end.close()
    for process in started:
        process.join()


def serve(number: int, name: str, subject: Subject, end: Connection, cores: range) -> None:
    """Do the work of a side on ``cores`` whenever ``end`` asks for it; send the seconds and the result."""
    pin(cores)
    task = TASKS[number]
    side: Side = getattr(task, name)
    if side is task.fast:  # the allocator's settings are part of the fast code
        keep_freed_memory()
    with threads(side.threads):
        work = side.make(subject)
        if side.runs > 1:
            work()  # compiles and fills caches
        end.send("ready")
        try:
            while end.recv():
                start = time.perf_counter()
                result = work()
                end.send((time.perf_counter() - start, result))
        except EOFError:
            return


def pin(cores: range) -> None:
    """Keep this process and its threads on these of the cores that it may use (on Linux only)."""
    if sys.platform == "linux":
        usable = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {usable[core % len(usable)] for core in cores})


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Use ``count`` threads in PyTorch and in NumPy's BLAS."""
    torch.set_num_threads(count)
    with threadpool_limits(count):
        yield


def measure(number: int, subject: Subject) -> dict[str, Any]:
    """Measure a row of benchmark.csv, and print how much the results of both sides differ."""
    task = TASKS[number]
    with ExitStack() as stack:
        plain, fast = (
            stack.enter_context(processes(number, name, subject)) for name in ("plain", "fast")
        )
        for turn in range(max(task.plain.runs, task.fast.runs)):
            if turn < task.plain.runs:
                plain.run()
            if turn < task.fast.runs:
                fast.run()
    took = {
        "plain_seconds": statistics.median(plain.seconds),
        "fast_seconds": statistics.median(fast.seconds),
    }
    ratio = took["plain_seconds"] / took["fast_seconds"]
    print(
        f"{task.name}: {took['plain_seconds']:.4g} s in {task.plain.runs} runs, "
        f"{took['fast_seconds']:.4g} s in {task.fast.runs} runs, {ratio:.1f} x ({task.unit})"
    )
    if plain.result is not None:
        apart = np.abs(plain.result - fast.result)
        print(
            f"    results: {apart.size} numbers, which differ by {apart.max():.2g} at most "
            f"and {apart.mean():.2g} on average",
            flush=True,
        )
    return {"task": task.name, **took, "ratio": ratio, "unit": task.unit}


def draw_ratios(table: pd.DataFrame, path: Path) -> None:
    """Draw the ratios as bars."""
    figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
    axes.barh(table.task[::-1], table.ratio[::-1], color=BLUE)
    axes.bar_label(axes.containers[0], fmt="%.1f x", padding=3)  # type: ignore[arg-type]
    axes.set_xlabel("times as fast as plain code")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)

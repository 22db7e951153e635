"""Measure everything: `make benchmark`.

    python -m benchmark results/quick/multiplicative/instance1/model.safetensors data results/benchmark

Each task does the same work both ways, in turn; medians are written to benchmark.csv (task, plain_seconds,
fast_seconds, ratio, unit) and drawn in benchmark.png. rates.csv says how fast the arithmetic is beside a large matrix
product, parts.csv what an iteration takes its time for; growth.csv and growth.png say how time grows with the work. It
wants a quiet machine, a trained network and the test scenes of its run, and about twenty minutes, most of it for the
plain read-outs.
"""

import argparse
from pathlib import Path

import pandas as pd

from benchmark.rates import draw_growth, growth, parts, rates
from benchmark.ratios import TASKS, draw_ratios, measure, pin, threads
from benchmark.work import Subject
from recurrence.job import keep_freed_memory


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmark", description="fast paths beside plain ones")
    parser.add_argument("model", type=Path, help="model.safetensors of a multiplicative network")
    parser.add_argument("data", type=Path, help="the folder with source images and test scenes")
    parser.add_argument("output", type=Path, help="a folder")
    asked = parser.parse_args()
    if not asked.model.exists():
        parser.error(f"{asked.model} is not there yet: make reproduce trains it")
    asked.output.mkdir(parents=True, exist_ok=True)
    subject = Subject(asked.model, asked.data)

    def write(name: str, table: pd.DataFrame) -> pd.DataFrame:
        table.to_csv(asked.output / f"{name}.csv", index=False, float_format="%.4g")
        return table

    ratios = pd.DataFrame([measure(number, subject) for number in range(len(TASKS))])
    draw_ratios(write("benchmark", ratios), asked.output / "benchmark.png")
    keep_freed_memory()
    pin(range(1))
    with threads(1):
        for name, table in (("rates", rates), ("parts", parts)):
            print(write(name, table(subject)).to_string(index=False, float_format="%.3g"))
        draw_growth(write("growth", growth(subject)), asked.output / "growth.png")


if __name__ == "__main__":
    main()

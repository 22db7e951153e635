"""Measure everything: `make benchmark`.

    python -m benchmark results/quick/multiplicative/instance1/model.safetensors data results/benchmark

Each task does the same work with plain and with fast code, in turn. benchmark.csv has the medians (task,
plain_seconds, fast_seconds, ratio, unit), and benchmark.png draws them. rates.csv compares the rate of each stage's
arithmetic with that of a large matrix product. parts.csv has the parts of a training iteration. growth.csv and
growth.png show how time grows with the work. All this needs a quiet machine, a trained network with the test scenes of
its run, and about twenty minutes, mostly for plain decoding.
"""

import argparse
from pathlib import Path

import pandas as pd

from benchmark.rates import draw_growth, growth, parts, rates
from benchmark.ratios import TASKS, draw_ratios, measure, pin, threads
from benchmark.work import Subject
from recurrence.devices import keep_freed_memory


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmark", description="compare fast code with plain code"
    )
    parser.add_argument("model", type=Path, help="model.safetensors of a multiplicative network")
    parser.add_argument("data", type=Path, help="folder of source images and test scenes")
    parser.add_argument("output", type=Path, help="folder for the results")
    asked = parser.parse_args()
    if not asked.model.exists():
        parser.error(f"{asked.model} does not exist yet: make reproduce trains it")
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

"""How long the jobs of a run took, and on what machine: a page of its own, since no two runs take the same time.

The report shows it where it lies beside the report, so that the report itself can be compared byte for byte. Durations
are from the files of Snakemake's ``benchmark:``, machines from the records that jobs leave beside their logs.
Imports no torch.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recurrence.job import duration
from recurrence.pages import NONE, Cell, Table, columns, filled, text_cell
from recurrence.records import read
from recurrence.storage import read_benchmark

THIS = "report"  # the rule that shows the durations has none yet
UNKNOWN = "a machine that was not recorded"


@dataclass(frozen=True)
class Job:
    """A finished job: its rule, machine, seconds, seconds of processor time, and largest memory in MB."""

    rule: str
    machine: str
    seconds: float
    cpu: float
    memory: float


def finished_jobs(folders: Iterable[Path]) -> list[Job]:
    """The jobs whose files are in ``<folder>/benchmarks`` and ``<folder>/logs``, in the order of their paths."""
    jobs = []
    for folder in folders:
        for path in sorted((folder / "benchmarks").rglob("*.tsv")):
            place = path.relative_to(folder / "benchmarks").with_suffix(".json")
            record = read(folder / "logs" / place)
            rule = record.get("rule", place.parts[0].removesuffix(".json"))
            if rule != THIS:
                machine = record.get("machine", UNKNOWN)
                if not pd.isna((numbers := read_benchmark(path))["s"]):
                    jobs.append(Job(rule, machine, *numbers))
    return jobs


def durations_table(jobs: Sequence[Job]) -> Table:
    """A row for each rule, the longest first."""
    rules: dict[str, list[Job]] = {}
    for job in jobs:
        rules.setdefault(job.rule, []).append(job)
    rows = []
    for rule, group in rules.items():
        total, longest = sum(job.seconds for job in group), max(job.seconds for job in group)
        memory = max((job.memory for job in group if not pd.isna(job.memory)), default=None)
        size = Cell(NONE, "") if memory is None else Cell(f"{memory:,.0f} MB", memory)
        times = Cell(duration(total), total), Cell(duration(longest), longest)
        rows.append((total, [text_cell(rule), text_cell(len(group)), *times, size]))
    return Table(
        title="Time of each stage",
        note="",
        columns=columns(["stage"], ["jobs", "all jobs", "longest job", "largest memory"]),
        rows=[cells for _, cells in sorted(rows, key=lambda row: -row[0])],
    )


def durations_page(template: Path, jobs: Sequence[Job]) -> str:
    """The page with the machines and the durations, as HTML text."""
    return filled(
        template,
        machines=Counter(job.machine for job in jobs).most_common(),
        total=duration(sum(job.seconds for job in jobs)),
        cpu=duration(sum(job.cpu for job in jobs if not pd.isna(job.cpu))),
        table_of_rules=durations_table(jobs),
    )

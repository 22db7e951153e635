"""The terminal during a run: one line for each job, percent, time left, and one line when it is stopped."""

import io
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from recurrence import terminal
from recurrence.names import RENDERINGS
from recurrence.terminal import STOPPED, JobLines
from recurrence.work import mean_work, work
from study import Study

WORKS = {"train_network": 100.0, "record_network": 10.0}


class Snakemake:
    """Logs like Snakemake, at times set by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, counts: dict[str, int]) -> None:
        self.now, self.stream = 0.0, io.StringIO()
        monkeypatch.setattr(terminal.time, "monotonic", lambda: self.now)
        self.logger = logging.Logger("test")
        handler = logging.StreamHandler(self.stream)
        handler.addFilter(JobLines(handler, counts, WORKS, parallel=2))
        self.logger.addHandler(handler)
        self.total = sum(counts.values())

    def log(self, event: str, message: str = "", **facts: Any) -> None:
        self.logger.info(message, extra={"event": SimpleNamespace(name=event), **facts})

    def begin(self, job: int, rule: str) -> None:
        self.logger.info("Select jobs to execute...")
        self.log("JOB_INFO", jobid=job, rule_name=rule, rule_msg=f"{rule} {job}")

    def end(self, job: int, done: int) -> None:
        self.log("JOB_FINISHED", f"Finished jobid: {job}", job_id=job)
        self.log("PROGRESS", done=done, total=self.total)

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_each_job_is_one_line_with_percent_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Snakemake(monkeypatch, {"figure": 1, "train_network": 2, "record_network": 2})
    for job, rule in enumerate(("figure", "train_network", "train_network")):
        run.begin(job, rule)
    run.now = 5
    run.end(0, 1)
    run.now = 1000
    run.end(1, 2)  # left: the other training, nearly done, and two recordings of 100 s
    run.end(2, 3)
    run.begin(3, "record_network")
    run.begin(4, "record_network")
    run.now = 1060
    run.end(3, 4)  # left: one that has run for 60 s, like this one
    run.end(4, 5)
    assert run.lines() == [
        "[ 20 %] figure 0: 5 s",
        "[ 40 %] train_network 1: 17 min; 2 min left in all",
        "[ 60 %] train_network 2: 17 min; 2 min left in all",
        "[ 80 %] record_network 3: 60 s",
        "[100 %] record_network 4: 60 s",
    ]


def test_a_stopped_run_says_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Snakemake(monkeypatch, {"train_network": 1})
    run.begin(0, "train_network")
    run.logger.warning("Terminating processes on user request, this might take some time.")
    run.log("JOB_ERROR", "Error in rule train_network:")
    run.logger.error("RuleException: CalledProcessError in file train.smk")
    run.logger.warning("Complete log(s): a.log")
    assert run.lines() == [STOPPED, "Complete log(s): a.log"]


def test_other_messages_and_errors_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Snakemake(monkeypatch, {"train_network": 1})
    run.logger.info("Building DAG of jobs...")
    run.log("JOB_ERROR", "Error in rule train_network:")
    assert run.lines() == ["Building DAG of jobs...", "Error in rule train_network:"]


def test_a_run_prints_one_line_a_job_and_logs_everything(finished: Study) -> None:
    model = finished.folder / "results/tiny/figures/fig1.png"
    kept = model.read_bytes()
    model.unlink()
    printed = finished.snakemake("--", "figures").stderr
    assert model.read_bytes() == kept
    assert "[ 50 %] figure 1: " in printed and "Finished jobid" not in printed
    log = printed.split("Complete log(s): ")[1].split()[0]
    with open(log) as file:
        assert "Finished jobid" in file.read()


NUMBERS = {
    "iterations": 1,
    "batch": 1,
    "repeats": 1,
    "scenes": 1,
    "renderings": [0],
    "connections": True,
}
BLOCKS = dict.fromkeys(("training", "record", "decoding", "perturbation"), NUMBERS)


def test_work_names_rules_about_networks(finished: Study) -> None:
    assert work(BLOCKS, "additive").keys() <= finished.planned("--forceall").keys()


def test_work_is_that_of_the_mean_network() -> None:
    recurrent, feedforward = work(BLOCKS, "additive"), work(BLOCKS, "feedforward")
    assert feedforward["perturb_network"] == 0
    assert feedforward["record_network"] < recurrent["record_network"]
    assert feedforward["train_network"] == recurrent["train_network"]  # in passes of its own
    mean = mean_work(BLOCKS | {"run": {"interactions": ["additive", "feedforward"]}})
    assert mean == {rule: (recurrent[rule] + feedforward[rule]) / 2 for rule in recurrent}


def test_work_counts_the_altered_copies_of_a_scene() -> None:
    """Six, and two more if scale and orientation are rendered in both ways."""
    one, both = (
        work(BLOCKS | {"perturbation": NUMBERS | {"renderings": names}}, "additive")
        for names in (RENDERINGS[:1], RENDERINGS)
    )
    assert one["perturb_network"] * 8 == both["perturb_network"] * 6


def test_no_time_left_is_told_from_jobs_without_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feedforward network has nothing to perturb."""
    monkeypatch.setitem(WORKS, "perturb_network", 0.0)
    run = Snakemake(monkeypatch, {"perturb_network": 1, "record_network": 1})
    run.begin(0, "perturb_network")
    run.end(0, 1)
    assert run.lines() == ["[ 50 %] perturb_network 0: 0 s"]

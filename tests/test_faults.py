"""Faults: killed jobs, a killed Snakemake, a full disk. What was finished stays, and the results are the same."""

import os
import random
import resource
import signal
import subprocess
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from test_workflow import TINY, Study

ONE: dict[str, Any] = TINY | {
    "run": {"name": "tiny", "interactions": ["multiplicative"], "instances": 1},
    "training": TINY["training"] | {"iterations": 150, "cooldown": 50, "checkpoint_every": 10},
    "perturbation": {"repeats": 3, "scenes": 40},
}
STAGES = ("train", "record", "decode", "perturb")
FINISHED = {".h5", ".safetensors", ".csv", ".png", ".svg", ".pdf", ".html", ".txt"}
NETWORK = Path("results/tiny/multiplicative/instance1")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("undisturbed"), ONE)
    told = study.snakemake()
    assert told.returncode == 0, told.stderr
    return study


def started(study: Study) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        study.command(),
        cwd=study.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def seconds_of(stage: str, study: Study) -> float:
    """How long the job of a stage took."""
    measured = study.folder / f"results/tiny/benchmarks/{stage}/multiplicative-1.tsv"
    return float(pd.read_csv(measured, sep="\t").s[0])


def jobs_of(snakemake: subprocess.Popen[bytes]) -> dict[str, psutil.Process]:
    """The running job of each stage, once it has come so far as to run Python."""
    jobs = {}
    with suppress(psutil.Error):  # of one that has just ended
        for process in psutil.Process(snakemake.pid).children(recursive=True):
            words = process.cmdline()
            for stage in STAGES:
                if words and "python" in words[0] and words[-1].endswith(f"{stage}_network.py"):
                    jobs[stage] = process
    return jobs


def kill(victim: str, snakemake: subprocess.Popen[bytes], delays: Mapping[str, float]) -> set[str]:
    """Kill the job of each stage, or Snakemake with all its jobs, so many seconds after the job is seen to run.

    Returns the stages whose jobs were killed.
    """
    moments: dict[str, float] = {}
    killed: set[str] = set()
    while snakemake.poll() is None:
        jobs, now = jobs_of(snakemake), time.monotonic()
        for stage in (delays.keys() & jobs.keys()) - killed:
            if now < moments.setdefault(stage, now + delays[stage]):
                continue
            if victim == "snakemake":
                os.killpg(snakemake.pid, signal.SIGKILL)
                snakemake.wait()
                return set(jobs)
            jobs[stage].kill()
            killed.add(stage)
        time.sleep(0.02)
    return killed


def finished_files(study: Study) -> dict[Path, int]:
    """When each file that is whole in Snakemake's eyes was made."""
    marks = (study.folder / ".snakemake/incomplete").rglob("*")
    incomplete = {b64decode(mark.name).decode() for mark in marks if mark.is_file()}
    files = [
        path for part in ("data/sample", "results") for path in study.folder.glob(f"{part}/**/*.*")
    ]
    return {
        path: path.stat().st_mtime_ns
        for path in files
        if path.suffix in FINISHED
        and path.name != "activations.h5"  # goes when it has been decoded
        and not path.name.startswith(".")
        and str(path.relative_to(study.folder)) not in incomplete
    }


def assert_same_results(study: Study, other: Study) -> None:
    one, two = (s.folder / "results/tiny" for s in (study, other))
    models = [folder / "multiplicative/instance1/model.safetensors" for folder in (one, two)]
    assert models[0].read_bytes() == models[1].read_bytes()
    tables = [sorted(path.relative_to(f) for path in f.rglob("*.csv")) for f in (one, two)]
    assert tables[0] == tables[1] and len(tables[0]) >= 12
    for table in tables[0]:
        contents = [
            pd.read_csv(folder / table).drop(columns="scenes_per_second", errors="ignore")
            for folder in (one, two)
        ]
        pd.testing.assert_frame_equal(*contents, check_exact=True, obj=str(table))


@pytest.mark.parametrize("victim", ["job", "snakemake"])
def test_killed_runs_end_in_the_same_results(
    undisturbed: Study, tmp_path: Path, victim: str
) -> None:
    """Each stage is killed once; for a long test, up to as often as KILLS in the environment says."""
    study, moments = Study(tmp_path, ONE), random.Random(victim)
    left = Counter(dict.fromkeys(STAGES, int(os.environ.get("KILLS", "1"))))
    kills: Counter[str] = Counter()
    while left.total():
        delays = {stage: moments.uniform(0, 0.6) * seconds_of(stage, undisturbed) for stage in left}
        before = finished_files(study)
        killed = Counter(kill(victim, started(study), delays))
        if victim == "snakemake":
            study.snakemake("--unlock")
        for path, made in before.items():
            assert path.stat().st_mtime_ns == made, f"{path} was made again"
        if not killed:  # the job that was left ended before its moment
            break
        left -= killed
        kills += killed
    print("kills:", dict(kills))
    assert set(kills) == set(STAGES)
    told = study.snakemake()
    assert told.returncode == 0, told.stderr
    assert_same_results(study, undisturbed)


def test_a_disk_that_fills_up_is_told_and_leaves_nothing_behind(
    undisturbed: Study, tmp_path: Path
) -> None:
    study = Study(tmp_path, ONE)
    assert study.snakemake("--until", "train_network").returncode == 0

    def small_files() -> None:  # stands for a full disk: writing on gives an error
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    told = study.snakemake("--until", "record_network", preexec_fn=small_files)
    assert told.returncode != 0
    log = (study.folder / "results/tiny/logs/record/multiplicative-1.log").read_text()
    assert "activations.h5 cannot be written (is the disk full?)" in log
    folder = study.folder / NETWORK
    assert (folder / "model.safetensors").exists()
    assert not (folder / "activations.h5").exists()
    assert not list(folder.glob(".*.partial*"))
    assert study.snakemake().returncode == 0
    assert_same_results(study, undisturbed)


@pytest.mark.skipif(not Path("/sys/fs").exists(), reason="needs a folder in which nobody can write")
def test_a_folder_that_cannot_be_written_is_told_before_any_job(tmp_path: Path) -> None:
    study = Study(tmp_path, ONE)
    results = study.folder / "results"
    results.symlink_to("/sys/fs")  # kernel files: not even root can add one
    told = study.snakemake()
    assert told.returncode != 0
    assert "nothing can be written in the folder results/tiny" in told.stderr
    assert "make it writable, or run a copy of the project elsewhere" in told.stderr
    assert not list(study.folder.glob("data/**/*.h5"))
    results.unlink()
    assert study.snakemake("--", "data").returncode == 0

"""Killed jobs, a killed Snakemake, a full disk: finished files stay, and the results are the same."""

import itertools
import os
import random
import resource
import shutil
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

from study import STAGES, TINY, WHOLE_FLOWS, Study, assert_same_tables

ONE: dict[str, Any] = TINY | {
    "run": {"name": "tiny", "interactions": ["multiplicative"], "instances": 1},
    "training": TINY["training"] | {"iterations": 150, "cooldown": 50},
    "decoding": WHOLE_FLOWS["decoding"],
    "compute": {"checkpoint_every": 10},
    "perturbation": {"repeats": 3, "scenes": 40},
}
FINISHED = {".h5", ".safetensors", ".csv", ".png", ".svg", ".pdf", ".html", ".txt"}
NETWORK = Path("results/tiny/multiplicative/instance1")
MODEL = NETWORK / "model.safetensors"
TARGETS = ("--", str(NETWORK / "decoding.csv"), str(NETWORK / "perturbation.csv"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("undisturbed"), ONE)
    result = study.snakemake(*TARGETS)
    assert result.returncode == 0, result.stderr
    return study


@pytest.fixture
def finished_copy(undisturbed: Study, tmp_path: Path) -> Study:
    shutil.copytree(undisturbed.folder, tmp_path / "copy", symlinks=True)
    return Study.there(tmp_path / "copy")


def started(study: Study, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        study.command(*words, *TARGETS),
        cwd=study.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def seconds_of(stage: str, study: Study) -> float:
    """The time that the job of a stage took."""
    measured = study.folder / f"results/tiny/benchmarks/{stage}/multiplicative-1.tsv"
    return float(pd.read_csv(measured, sep="\t").s[0])


def jobs_of(study: Study, snakemake: subprocess.Popen[bytes]) -> dict[str, psutil.Process]:
    """The running job of each stage: once it runs Python, and training once it has a checkpoint."""
    jobs = {}
    with suppress(psutil.Error):  # a process may just have ended
        for process in psutil.Process(snakemake.pid).children(recursive=True):
            words = process.cmdline()
            for stage in STAGES:
                if words and "python" in words[0] and words[-1].endswith(f"{stage}_network.py"):
                    jobs[stage] = process
    if not list((study.folder / NETWORK).glob(".training/*.pt")):
        jobs.pop("train", None)
    return jobs


def wait_for(stage: str, study: Study, snakemake: subprocess.Popen[bytes]) -> psutil.Process:
    """Wait for the job of a stage and return it."""
    while stage not in (jobs := jobs_of(study, snakemake)):
        assert snakemake.poll() is None, f"it ended without a job of {stage}"
        time.sleep(0.02)
    return jobs[stage]


def wait_for_file(pattern: str, study: Study, job: psutil.Process) -> None:
    """Wait until the job has made a file of its network."""
    runs = True
    while not list((study.folder / NETWORK).glob(pattern)):
        assert runs, f"the job ended without a file {pattern}"
        runs = job.is_running() and job.status() != psutil.STATUS_ZOMBIE
        time.sleep(0.005)


def kill(
    victim: str, study: Study, snakemake: subprocess.Popen[bytes], delays: Mapping[str, float]
) -> set[str]:
    """Kill the job of each stage, or Snakemake with all its jobs, some seconds (``delays``) after the job started.

    Returns the stages whose jobs were killed.
    """
    moments: dict[str, float] = {}
    killed: set[str] = set()
    while snakemake.poll() is None:
        jobs, now = jobs_of(study, snakemake), time.monotonic()
        for stage in (delays.keys() & jobs.keys()) - killed:
            if now < moments.setdefault(stage, now + delays[stage]):
                continue
            if victim == "snakemake":
                os.killpg(snakemake.pid, signal.SIGKILL)
                snakemake.wait()
                return set(jobs)
            with suppress(psutil.NoSuchProcess):
                jobs[stage].kill()
                killed.add(stage)
        time.sleep(0.02)
    return killed


def training_log(study: Study) -> str:
    path = study.folder / "results/tiny/logs/train/multiplicative-1.log"
    return path.read_text() if path.exists() else ""


def finished_files(study: Study) -> dict[Path, int]:
    """When each file that Snakemake takes for complete was made."""
    marks = (study.folder / ".snakemake/incomplete").rglob("*")
    incomplete = {b64decode(mark.name).decode() for mark in marks if mark.is_file()}
    files = [
        path for part in ("data/sample", "results") for path in study.folder.glob(f"{part}/**/*.*")
    ]
    return {
        path: path.stat().st_mtime_ns
        for path in files
        if path.suffix in FINISHED
        and path.name != "activations.h5"  # deleted after decoding
        and not path.name.startswith(".")
        and str(path.relative_to(study.folder)) not in incomplete
    }


def assert_same_results(study: Study, other: Study) -> None:
    assert (study.folder / MODEL).read_bytes() == (other.folder / MODEL).read_bytes()
    assert_same_tables(*(s.folder / "results/tiny" for s in (study, other)))


@pytest.mark.kills
def test_killed_runs_end_in_the_same_results(undisturbed: Study, tmp_path: Path) -> None:
    """Each stage is killed once, or up to KILLS times, an environment variable: its job and Snakemake by turns."""
    seed = random.randrange(10**6)
    study, moments = Study(tmp_path, ONE), random.Random(seed)
    left = Counter(dict.fromkeys(STAGES, int(os.environ.get("KILLS", "1"))))
    kills: Counter[str] = Counter()
    victims = itertools.cycle(moments.sample(["job", "snakemake"], 2))
    while left.total():
        victim = next(victims)
        share = {stage: moments.uniform(0, 0.3 if stage == "train" else 0.6) for stage in left}
        delays = {stage: part * seconds_of(stage, undisturbed) for stage, part in share.items()}
        before = finished_files(study)
        killed = Counter(kill(victim, study, started(study), delays))
        if victim == "snakemake":
            study.snakemake("--unlock")
        for path, made in before.items():
            assert path.stat().st_mtime_ns == made, f"{path} was made again"
        if not killed:  # the last job ended before it could be killed
            break
        left -= killed
        kills += killed
    result = study.snakemake(*TARGETS)
    assert result.returncode == 0, result.stderr
    print("seed:", seed, "kills:", dict(kills))
    assert set(kills) == set(STAGES)
    assert "going on after iteration" in training_log(study)
    assert_same_results(study, undisturbed)


def test_a_training_killed_after_its_end_is_not_repeated(
    undisturbed: Study, tmp_path: Path
) -> None:
    study = Study(tmp_path, ONE)
    run = started(study)
    job = wait_for("train", study, run)
    wait_for_file(MODEL.name, study, job)
    job.kill()
    run.wait()
    assert not (study.folder / MODEL).exists()  # Snakemake removes the files of a failed job
    result = study.snakemake("--", str(MODEL))
    assert result.returncode == 0, result.stderr
    assert "going on after iteration 150 of 150" in training_log(study)
    assert (study.folder / MODEL).read_bytes() == (undisturbed.folder / MODEL).read_bytes()


def test_a_job_that_outlives_snakemake_is_not_done_twice(
    undisturbed: Study, finished_copy: Study
) -> None:
    study = finished_copy
    run = started(study, "--forcerun", "record_network")
    orphan = wait_for("record", study, run)
    wait_for_file(".activations*", study, orphan)
    orphan.suspend()
    run.kill()
    run.wait()
    study.snakemake("--unlock")
    result = study.snakemake("--until", "record_network")
    assert result.returncode != 0
    assert "another process still does this job" in result.stderr
    orphan.resume()
    orphan.wait(60)
    result = study.snakemake(*TARGETS)
    assert result.returncode == 0, result.stderr
    assert_same_results(study, undisturbed)


def test_a_full_disk_is_reported_and_leaves_no_partial_file(
    undisturbed: Study, finished_copy: Study
) -> None:
    study = finished_copy
    trained = (study.folder / MODEL).stat().st_mtime_ns

    def small_files() -> None:  # like a full disk: writing more is an error
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    again = ("--forcerun", "record_network", *TARGETS)
    result = study.snakemake("--until", "record_network", *again, preexec_fn=small_files)
    assert result.returncode != 0
    log = (study.folder / "results/tiny/logs/record/multiplicative-1.log").read_text()
    assert "activations.h5 cannot be written (is the disk full?)" in log
    folder = study.folder / NETWORK
    assert not (folder / "activations.h5").exists()
    assert not list(folder.glob(".*.partial*"))
    assert study.snakemake(*again).returncode == 0
    assert (study.folder / MODEL).stat().st_mtime_ns == trained
    assert_same_results(study, undisturbed)


@pytest.mark.skipif(not Path("/sys/fs").exists(), reason="needs a folder in which nobody can write")
@pytest.mark.parametrize(
    ("place", "named"), [("results", "results/tiny"), ("data/sample", "data/sample")]
)
def test_a_folder_without_write_access_is_reported_before_any_job(
    tmp_path: Path, place: str, named: str
) -> None:
    study = Study(tmp_path, ONE)
    (study.folder / place).symlink_to("/sys/fs")  # not even root can make a file there
    result = study.snakemake()
    assert result.returncode != 0
    assert f"no file can be written in the folder {named}" in result.stderr
    assert "make it writable, or run a copy of the project elsewhere" in result.stderr
    assert not list(study.folder.glob("data/**/*.h5"))
    if place != "results":  # a shared folder of data, in which this run has nothing to make
        assert study.snakemake("--", "configuration").returncode == 0
    (study.folder / place).unlink()
    assert study.snakemake("--", "data").returncode == 0

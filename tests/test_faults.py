"""Faults: killed jobs, a killed Snakemake, a full disk. What was finished stays, and the results are the same."""

import os
import random
import resource
import signal
import subprocess
import time
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


def job_of(stage: str, snakemake: subprocess.Popen[bytes]) -> psutil.Process | None:
    """The running job of a stage, once it has come so far as to run Python."""
    for process in psutil.Process(snakemake.pid).children(recursive=True):
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if words and "python" in words[0] and words[-1].endswith(f"{stage}_network.py"):
            return process
    return None


def wait_for(stage: str, snakemake: subprocess.Popen[bytes]) -> psutil.Process | None:
    """The job of a stage, or nothing if Snakemake ends without one: it goes on beside a killed job."""
    while snakemake.poll() is None:
        if job := job_of(stage, snakemake):
            return job
        time.sleep(0.05)
    return None


def assert_same_results(study: Study, other: Study) -> None:
    one, two = (s.folder / NETWORK for s in (study, other))
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()
    for name in ("accuracy", "clutter", "ablation", "decoding", "perturbation"):
        assert (one / f"{name}.csv").read_text() == (two / f"{name}.csv").read_text(), name
    drop = {"columns": "scenes_per_second"}
    curves = [pd.read_csv(folder / "training.csv").drop(**drop) for folder in (one, two)]
    pd.testing.assert_frame_equal(*curves)


@pytest.mark.parametrize("victim", ["job", "snakemake"])
def test_killed_runs_end_in_the_same_results(
    undisturbed: Study, tmp_path: Path, victim: str
) -> None:
    study, moments = Study(tmp_path, ONE), random.Random(victim)
    finished: dict[Path, float] = {}
    killed = 0
    for stage in ("train", *STAGES):
        run = started(study)
        job = wait_for(stage, run)
        time.sleep(moments.uniform(0, 6))
        if victim == "job" and job and job.is_running():
            job.kill()
            killed += 1
        elif victim == "snakemake" and run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            killed += 1
        run.wait(timeout=300)
        if victim == "snakemake":
            study.snakemake("--unlock")
        for path, changed in finished.items():
            assert path.stat().st_mtime == changed, f"{path} was made again"
        model = study.folder / NETWORK / "model.safetensors"
        if model.exists():
            finished[model] = model.stat().st_mtime
    assert killed >= 2
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

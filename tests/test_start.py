"""What a person sees before a run: refused configurations, the estimate, the status."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from recurrence import estimation
from recurrence.configuration.problems import check, layered
from recurrence.fingerprints import fingerprint
from recurrence.states import SCRIPT, note, state_file
from study import ROOT, TINY, Study, overlay_of


def test_without_docstrings_and_asserts_a_wrong_configuration_is_reported(tmp_path: Path) -> None:
    study = Study(tmp_path, overlay_of("network.timestep", 4))
    result = study.snakemake("--dry-run", env=os.environ | {"PYTHONOPTIMIZE": "2"})
    assert result.returncode != 0
    assert (
        "network.timestep: there is no such key: did you mean network.timesteps?"
        in result.stdout + result.stderr
    )


def test_status_counts_what_is_made_and_left(finished: Study) -> None:
    path = finished.folder / "results/tiny/report.html"
    kept = path.read_bytes()
    path.unlink()
    words = [f"BIN={Path(sys.executable).parent}", "INSTALLED=", "CONFIG=tiny.yaml"]
    try:
        result = subprocess.run(
            ["make", "-f", ROOT / "Makefile", "status", *words],
            cwd=finished.folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    finally:
        path.write_bytes(kept)
    assert re.search(r"^train_network +12 +0$", result, re.MULTILINE)
    assert re.search(r"^report +0 +2$", result, re.MULTILINE)
    assert set(re.findall(r"^(\w+) +\d", result, re.MULTILINE)) == set(
        finished.planned("--forceall")
    )


def test_the_estimate_counts_what_is_left(finished: Study) -> None:
    (finished.folder / "other.yaml").write_text(
        "run: {name: other, interactions: [additive], instances: 4}\n"
    )
    for overlay, left in (("tiny.yaml", "0 of 6"), ("other.yaml", "4 of 4")):
        result = subprocess.run(
            [sys.executable, "-m", "recurrence.estimation", "--cores", "2", "config.yaml", overlay],
            cwd=finished.folder,
            env=os.environ | {"PYTHONPATH": str(finished.folder / "workflow/scripts")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert re.match(
            r"Run (tiny|other): about \d+(\.\d+)? (s|min|h) on this machine \(2 cores, (cpu|cuda)\): ",
            result,
        )
        assert f"{left} networks to do" in result


def test_the_estimate_counts_from_the_state_of_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimation, "jobs", lambda *_: dict.fromkeys(estimation.FILES, 300.0))
    config = check(layered([ROOT / "config.yaml"]))
    whole = estimation.remaining(config, torch.device("cpu"))
    folder = tmp_path / "results/quick/additive/instance2/.training"
    state = state_file(folder, (), seed=config.run.seed, code=fingerprint(SCRIPT))
    state.touch()
    note(state, iteration=config.training.iterations // 3)
    left = estimation.remaining(config, torch.device("cpu"))
    assert [a - b for a, b in zip(whole, left, strict=True)] == [0.0] * 6 + [100.0] + [0.0] * 3


@pytest.mark.parametrize(
    ("overlay", "cores", "said", "environment"),
    [
        ("run:\n\tname: a\n", "2", "", {}),
        ("network: {timestep: 4}\n", "2", "", {}),
        ("run: {}\n", "half", "No estimate of the time: ", {"PYTHONOPTIMIZE": "2"}),
    ],
)
def test_the_estimate_stops_no_run(
    tmp_path: Path, overlay: str, cores: str, said: str, environment: dict[str, str]
) -> None:
    (tmp_path / "overlay.yaml").write_text(overlay)
    files = (ROOT / "config.yaml", tmp_path / "overlay.yaml")
    result = subprocess.run(
        [sys.executable, "-m", "recurrence.estimation", "--cores", cores, *files],
        cwd=ROOT / "workflow/scripts",
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | environment,
    )
    assert result.stdout.startswith(said) and bool(result.stdout) == bool(said)
    assert "Traceback" not in result.stderr


def test_a_bad_configuration_stops_before_any_job(tmp_path: Path) -> None:
    study = Study(tmp_path, overlay_of("network.timestep", 4))
    result = study.snakemake()
    assert result.returncode != 0
    assert (
        "network.timestep: there is no such key: did you mean network.timesteps?" in result.stderr
    )
    assert not list(tmp_path.rglob("*.h5"))


def test_a_key_given_twice_is_refused_in_every_file(tmp_path: Path) -> None:
    study = Study(tmp_path, TINY)
    with (tmp_path / "config.yaml").open("a") as file:
        file.write("figures: {published: true, examples: 1, dpi: 40}\n")
    (tmp_path / "other.yaml").write_text(
        "training:\n  batch: 4\nrecord: {scenes: 40}\n\ntraining: {}\n"
    )
    result = study.snakemake("other.yaml", "--dry-run")  # two files after --configfile
    assert result.returncode != 0
    line = (tmp_path / "config.yaml").read_text().splitlines().index("figures:") + 1
    last = len((tmp_path / "config.yaml").read_text().splitlines())
    assert f"figures: is given twice in config.yaml, in lines {line} and {last}: " in result.stdout
    assert re.search(
        r"training: is given twice in \S+other.yaml, in lines 1 and 5: ", result.stdout
    )


def test_values_on_the_command_line_are_as_in_a_file(tmp_path: Path) -> None:
    study = Study(tmp_path, TINY)
    words = ("training={iterations: 7, clip_norm: null}", "run={name: 2024, instances: 1}")
    planned = study.planned("--config", *words)
    assert planned["train_network"] == 3
    result = study.snakemake("--dry-run", "--config", "training={learning_rate: 1e-3}")
    assert (
        "training.learning_rate: got '1e-3': should be a valid number (to YAML this is text: write "
        "1.0e-3" in result.stdout
    )


def test_a_call_from_another_folder_says_where_to_call(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    elsewhere.mkdir()
    study = Study(project, TINY)
    shutil.copy(project / "tiny.yaml", elsewhere)
    snakemake = study.command("--dry-run", "--snakefile", str(project / "Snakefile"))
    bare = [word for word in snakemake if word not in ("--configfile", "tiny.yaml")]
    for command in (snakemake, bare):
        how: dict[str, Any] = {"cwd": elsewhere, "capture_output": True, "text": True}
        result = subprocess.run(command, check=False, **how)
        assert result.returncode != 0
        assert f"there is no config.yaml in this folder ({elsewhere})" in result.stdout
        assert str(project) in result.stdout and "is missing" not in result.stdout
        advised = subprocess.run([*command, "--directory", str(project)], check=False, **how)
        assert advised.returncode == 0, advised.stdout


def test_a_folder_where_nothing_can_be_written_is_refused_by_name(tmp_path: Path) -> None:
    study = Study(tmp_path, TINY)
    (tmp_path / ".snakemake").touch()  # a file, so that even root can write nothing inside
    result = study.snakemake("--dry-run")
    assert result.returncode != 0
    assert "no file can be written in the folder .snakemake (File exists)" in result.stdout
    assert "run a copy of the project elsewhere" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_jobs_run_the_code_of_their_own_project(tmp_path: Path) -> None:
    """Not that of another copy, which their Python finds first."""
    study, other = Study(tmp_path / "project", TINY), tmp_path / "other" / "recurrence"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise ImportError('another copy')\n")
    result = study.snakemake("--", "categories", env=os.environ | {"PYTHONPATH": str(other.parent)})
    assert result.returncode == 0, result.stdout + result.stderr

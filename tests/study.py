"""A small study in its own folder, for tests that run the workflow, and checks of its results."""

import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "workflow/scripts"
RULES = {path.stem for path in SCRIPTS.glob("*.py")}
PROJECT = (
    "Snakefile",
    "Makefile",
    "config.yaml",
    "workflow",
    "profiles",
    "envs",
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "pyproject.toml",
    "data/published",
    "tests/sample",
)
TINY: dict[str, Any] = {
    "run": {
        "name": "tiny",
        "interactions": ["multiplicative", "additive", "feedforward"],
        "instances": 2,
    },
    "data": {"source": "sample", "folder": "data/sample", "validation": 100},
    "scenes": {"shard": 30},
    "network": {"timesteps": 3, "channels": {"conv1": 2, "conv2": 3}, "units": 8},
    "training": {
        "iterations": 6,
        "batch": 4,
        "warmup": 2,
        "cooldown": 2,
        "curriculum": 2,
        "validation_scenes": 10,
        "validate_every": 3,
    },
    "record": {"scenes": 40},
    "decoding": {"repeats": 1, "scenes": 40, "scene_repeats": 1, "fit": 30, "connections": True},
    "perturbation": {"repeats": 1, "scenes": 3, "connections": True},
    "figures": {"dpi": 40},
    "compute": {"checkpoint_every": 2},
}
WHOLE_FLOWS = {  # the tiny configuration without read-outs and perturbations of single connections
    block: {**TINY[block], "connections": False} for block in ("decoding", "perturbation")
}
CHECKPOINTS = ["one.pth", "two.pth"]  # empty files in `finished`, as they are only planned with
STAGES = ("train", "record", "decode", "perturb")
TRAINED = {f"{stage}_network" for stage in STAGES}


def overlay_of(key: str, value: Any) -> dict[str, Any]:
    """The tiny configuration with one value changed."""
    changed = json.loads(json.dumps(TINY))
    *blocks, last = key.split(".")
    inner = changed
    for block in blocks:
        inner = inner.setdefault(block, {})
    inner[last] = value
    if key.startswith("data.pair.") and last == "name":
        changed["data"]["source"] = "full"  # the sample is of one pair only
    if key == "decoding.repeats":
        changed["record"]["scenes"] = 80
    return changed


FORKS = multiprocessing.get_context("forkserver")
# What Snakemake imports only later is named too.
FORKS.set_forkserver_preload(
    ["snakemake.cli", "snakemake.report.html_reporter", "smart_open", "yte", "pydantic"]
)


def _snakemake(words: list[str], folder: Path, said: Path) -> None:
    """Run Snakemake in a folder, in this process; write what it prints to a file."""
    from snakemake import cli

    with said.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(folder)
    cli.main(words)


class Study:
    """A copy of the project in its own folder."""

    def __init__(self, folder: Path, overlay: dict[str, Any]) -> None:
        self.folder = folder
        for name in PROJECT:
            source, target = ROOT / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, target)
        self.configure(overlay)

    @classmethod
    def there(cls, folder: Path) -> "Study":
        """The study in a folder, as it is."""
        study = cls.__new__(cls)
        study.folder = folder
        return study

    def configure(self, overlay: dict[str, Any]) -> None:
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(overlay))

    def command(self, *words: str) -> list[str]:
        """The command that starts Snakemake; --cores in ``words`` replaces the default."""
        cores = () if "--cores" in words else ("--cores", "2")
        return [sys.executable, "-m", "snakemake", *cores, "--configfile", "tiny.yaml", *words]

    def snakemake(self, *words: str, **how: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **how,
        )

    def dry_run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A dry run, in a process that has imported Snakemake already: tests make hundreds of them."""
        said = self.folder.parent / f"{self.folder.name}.dry-run"
        command = self.command("--dry-run", *words)
        process = FORKS.Process(target=_snakemake, args=(command[3:], self.folder, said))
        process.start()
        process.join()
        assert process.exitcode is not None
        return subprocess.CompletedProcess(command, process.exitcode, said.read_text(), "")

    def planned(self, *words: str) -> dict[str, int]:
        """How many jobs of each rule would run now, without the target ``all``."""
        result = self.dry_run(*words)
        assert result.returncode == 0, result.stdout + result.stderr
        stats = re.findall(r"^(\w+) +(\d+)$", result.stdout, re.MULTILINE)
        return {rule: int(count) for rule, count in stats if rule not in ("total", "all")}


def assert_same_tables(*runs: Path) -> None:
    """Check that all tables below two folders are the same to the last digit."""
    names = [sorted(path.relative_to(run) for path in run.rglob("*.csv")) for run in runs]
    assert names[0] == names[1] and len(names[0]) >= 6
    for name in names[0]:
        speed = {"columns": "scenes_per_second", "errors": "ignore"}
        tables = [pd.read_csv(run / name).drop(**speed) for run in runs]
        pd.testing.assert_frame_equal(*tables, check_exact=True, obj=str(name))

"""The commands of the Makefile on a user's own configuration files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from study import ROOT, Study

BIN = Path(sys.executable).parent
FILES = {
    "empty.yaml": "",
    "list.yaml": "- run\n",
    "tabs.yaml": "run:\n\tname: a\n",
    "typing.yaml": "network: {timestep: 3}\n",
    "one.yaml": "run: {name: one, seed: 7}\n",
    "two.yaml": "run: {name: two}\n",
}


def make(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-f", ROOT / "Makefile", f"BIN={BIN}", "INSTALLED=", *words],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name in ("config.yaml", "Snakefile"):
        shutil.copy(ROOT / name, folder)
    (folder / "workflow").symlink_to(ROOT / "workflow")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("target", ["reproduce", "status", "clean-states"])
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ("one.yaml none.yaml", "There is no file none.yaml, which CONFIG or SWEEP names"),
        ("one.yaml empty.yaml", "empty.yaml has no keys: write some"),
        ("list.yaml", "list.yaml has no keys: write some"),
        ("tabs.yaml", "tabs.yaml is not YAML (are there tabs?): "),
        ("workflow", "workflow cannot be read: Is a directory"),
        ("typing.yaml two.yaml", "network.timestep: there is no such key: did you mean network.t"),
    ],
)
def test_wrong_files_are_refused_by_name_before_anything_starts(
    project: Path, target: str, files: str, said: str
) -> None:
    result = make(project, target, f"CONFIG={files}")
    assert result.returncode != 0 and not result.stdout
    assert result.stderr.count(said) == 1 and "Traceback" not in result.stderr


def test_packages_are_those_of_the_environment(project: Path, tmp_path: Path) -> None:
    """Not others that the user has loaded, as on many clusters."""
    (tmp_path / "yaml.py").write_text("raise RuntimeError('another yaml')")
    result = make(project, "status", "CONFIG=typing.yaml", PYTHONPATH=str(tmp_path))
    assert "did you mean network.timesteps?" in result.stderr and "another" not in result.stderr


def test_later_files_come_over_earlier_ones_and_the_preset(project: Path) -> None:
    commands = make(project, "-n", "reproduce", "PRESET=smoke", "CONFIG=one.yaml two.yaml").stdout
    files = "workflow/presets/smoke.yaml one.yaml two.yaml"
    assert f"snakemake --configfile {files} --cores all" in commands
    for order, name in (("one.yaml two.yaml", "two"), ("two.yaml one.yaml config.yaml", "one")):
        commands = make(project, "-n", "reproduce", "PRESET=smoke", f"CONFIG={order}").stdout
        ask = next(line for line in commands.splitlines() if "recurrence.configuration" in line)
        told = subprocess.run(
            ask.replace("> /dev/null", ""), cwd=project, shell=True, text=True, capture_output=True
        )
        assert told.stdout == f"{name}\n"


def test_a_users_file_does_all_that_a_preset_does(finished: Study) -> None:
    result = make(finished.folder, "reproduce", "CONFIG=tiny.yaml")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Run tiny: about ")
    assert (finished.folder / "results/tiny/scorecard.txt").read_text() in result.stdout
    assert "The report, with the figures: results/tiny/report.html\n" in result.stdout

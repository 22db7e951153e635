"""The lock, the conda environment and pyproject.toml agree; profiles name real rules."""

import os
import re
import runpy
import subprocess
import tomllib
import venv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[1]
LOCK = (PROJECT / "envs/requirements.lock").read_text()
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text())
DEPENDENCIES = DECLARED["project"]["dependencies"]


def entries(lock: str) -> list[str]:
    """The requirements of a lock file, each on one line with all its hashes."""
    return lock.replace("\\\n", " ").splitlines()


PINS = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, re.MULTILINE))


def name(requirement: str) -> str:
    """The name of a requirement's package in lower case, without extras and version."""
    return re.split(r"[\[<>=~! ;]", requirement)[0].lower()


def conda_pins() -> dict[str, str]:
    environment = yaml.safe_load((PROJECT / "envs/recurrence.yaml").read_text())
    requirements = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    return {name(pin): pin.split("==")[1] for pin in requirements}


@pytest.mark.parametrize("entry", entries(LOCK), ids=name)
def test_each_locked_requirement_has_a_version_and_hashes(entry: str) -> None:
    pin, *hashes = re.split(r"\s+--hash=", entry.strip())
    assert re.fullmatch(r"[a-z0-9-]+==[0-9][\w.+]*( ; .+)?", pin)
    assert hashes
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes)


def test_the_lock_names_each_package_once_and_no_place_to_get_it_from() -> None:
    assert len(PINS) == len(entries(LOCK))
    assert not re.search(r"://|^\s*-(?!-hash)|@", LOCK, re.MULTILINE)


def test_the_lock_pins_all_that_is_declared() -> None:
    assert {name(d) for d in DEPENDENCIES + DECLARED["dependency-groups"]["dev"]} <= PINS.keys()


@pytest.mark.parametrize("dependency", DEPENDENCIES)
def test_pins_are_not_below_the_declared_bounds(dependency: str) -> None:
    bound = dependency.split(">=")[1]
    pinned = PINS[name(dependency)]
    assert [int(n) for n in pinned.split(".")] >= [int(n) for n in bound.split(".")]


def test_the_conda_environment_has_the_locked_versions() -> None:
    assert conda_pins() == {name(d): PINS[name(d)] for d in DEPENDENCIES}


def rules() -> set[str]:
    files = [PROJECT / "Snakefile", *(PROJECT / "workflow/rules").glob("*.smk")]
    return set(re.findall(r"^rule (\w+):", "\n".join(f.read_text() for f in files), re.MULTILINE))


@pytest.mark.parametrize("profile", ["slurm", "cluster-generic"])
def test_cluster_profiles_name_rules_and_keep_the_default_triggers(profile: str) -> None:
    default = yaml.safe_load((PROJECT / "profiles/default/config.yaml").read_text())
    settings = yaml.safe_load((PROJECT / "profiles" / profile / "config.yaml").read_text())
    assert settings["set-resources"].keys() <= rules()
    assert default.items() <= settings.items()


def installer() -> Any:
    return SimpleNamespace(**runpy.run_path(str(PROJECT / "envs/install.py")))


def test_an_environment_lies_where_snakemake_can_start_its_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, drive = installer().place, tmp_path / "My Drive \u00fc"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert place(tmp_path) == tmp_path / ".venv"
    assert place(drive).parent == tmp_path / "cache"
    assert place(drive) != place(tmp_path / "Another Drive")
    monkeypatch.setenv("XDG_CACHE_HOME", str(drive))
    with pytest.raises(SystemExit, match="set XDG_CACHE_HOME to a folder with a plain path"):
        place(drive)
    with pytest.raises(SystemExit, match=r"rename the folder without \{ and \}"):
        place(tmp_path / "{a}")


def test_pytorch_for_cpus_leaves_cuda_away_and_nothing_else() -> None:
    lock, pins = installer().without_cuda(LOCK)
    assert pins == [f"{each}=={PINS[each]}" for each in ("torch", "torchvision")]
    rest = {name(entry) for entry in entries(lock)}
    gone = PINS.keys() - rest
    assert {"torch", "torchvision", "triton", "nvidia-cublas", "cuda-toolkit"} <= gone
    assert all(re.match("torch|triton|nvidia-|cuda-", each) for each in gone)
    assert all("--hash=sha256:" in entry for entry in entries(lock))


def test_the_package_can_be_imported_from_any_folder(tmp_path: Path) -> None:
    """Of several clones that link to one environment, each gets its own package; nothing is hidden by its scripts."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    for clone in ("one", "two"):
        package = tmp_path / clone / "workflow/scripts/recurrence"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (tmp_path / clone / ".venv").symlink_to(environment)
    [packages] = environment.glob("lib/python*/site-packages")
    installer().make_importable(tmp_path / "one", packages, tmp_path / "one/.venv")
    code = "import recurrence, sys; print(recurrence.__file__); print(*sys.path, sep=chr(10))"

    def imported(python: Path) -> list[str]:
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        words = [python / "bin/python", "-c", code]
        how = {"cwd": tmp_path, "env": environ, "capture_output": True, "text": True}
        return subprocess.run(words, check=True, **how).stdout.splitlines()

    for clone in ("one", "two"):
        file, *path = imported(tmp_path / clone / ".venv")
        assert Path(file) == tmp_path / clone / "workflow/scripts/recurrence/__init__.py"
        assert str(packages.relative_to(environment)) in path[-2] + path[-3]  # before the scripts
    assert Path(imported(environment)[0]).parts[-5] == "one"
    (tmp_path / "one").rename(tmp_path / "renamed")
    assert Path(imported(tmp_path / "renamed/.venv")[0]).parts[-5] == "renamed"


@pytest.mark.parametrize("recipe", ["Dockerfile", "apptainer.def"])
def test_containers_install_the_lock_with_the_python_of_the_conda_environment(recipe: str) -> None:
    text = (PROJECT / "envs" / recipe).read_text("utf-8")
    environment = yaml.safe_load((PROJECT / "envs/recurrence.yaml").read_text())
    python = next(d for d in environment["dependencies"] if str(d).startswith("python="))
    assert re.search(rf"(?i)^from:? python:{re.escape(python.split('=')[1])}-", text, re.MULTILINE)
    assert re.search(
        r"pip install .*--require-hashes -r /opt/requirements.lock$", text, re.MULTILINE
    )
    assert "untried" in text.lower()

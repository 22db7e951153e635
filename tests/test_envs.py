"""The lock, the conda environment and pyproject.toml agree; profiles name real rules."""

import re
import tomllib
from pathlib import Path

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

"""The lock, the conda environment and pyproject.toml agree; profiles name real rules."""

import functools
import hashlib
import http.server
import os
import re
import runpy
import shutil
import subprocess
import sys
import threading
import tomllib
import venv
import zipfile
from collections.abc import Iterator
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
    with pytest.raises(SystemExit, match=r"rename the folder without \{, \} and :"):
        place(tmp_path / "{a}")
    for folder, cache in ((tmp_path / "a:b", tmp_path), (drive, tmp_path / "a:b")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        with pytest.raises(SystemExit, match=r"rename the folder|set XDG_CACHE_HOME"):
            place(folder)


def test_pytorch_for_cpus_leaves_cuda_away_and_nothing_else() -> None:
    lock, pins = installer().without_cuda(LOCK)
    assert pins == [f"{each}=={PINS[each]}" for each in ("torch", "torchvision")]
    rest = {name(entry) for entry in entries(lock)}
    gone = PINS.keys() - rest
    assert {"torch", "torchvision", "triton", "nvidia-cublas", "cuda-toolkit"} <= gone
    assert all(re.match("torch|triton|nvidia-|cuda-", each) for each in gone)
    assert all("--hash=sha256:" in entry for entry in entries(lock))


def wheel(index: Path, package: str, version: str) -> str:
    """Write an empty package into a package index, and return the SHA-256 of its file."""
    folder = index / package
    folder.mkdir(parents=True)
    file, info = folder / f"{package}-{version}-py3-none-any.whl", f"{package}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{info}/{each},,\n" for each in ("METADATA", "WHEEL", "RECORD"))
    with zipfile.ZipFile(file, "w") as archive:
        for each, text in (("METADATA", metadata), ("WHEEL", tag), ("RECORD", record)):
            archive.writestr(f"{info}/{each}", text)
    (folder / "index.html").write_text(f'<a href="{file.name}">{file.name}</a>')
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address at which a server on this machine offers the files of the test."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_pytorch_comes_from_the_index_that_is_named(
    tmp_path: Path, address: str, tool: str
) -> None:
    """Builds for CPUs have the version of the lock with a suffix, and hashes that the lock does not have."""
    if tool == "uv" and not shutil.which("uv"):
        pytest.skip("uv is not installed")
    project = tmp_path / "project"
    (project / "envs").mkdir(parents=True)
    shutil.copy(PROJECT / "envs/install.py", project / "envs")
    digests = {"six": wheel(tmp_path / "usual", "six", "1.0")}
    for package in ("torch", "torchvision"):
        digests[package] = "0" * 64
        wheel(tmp_path / "cpu", package, PINS[package] + "+cpu")
    versions = PINS | {"six": "1.0"}
    lock = "".join(
        f"{package}=={versions[package]} \\\n    --hash=sha256:{digests.get(package, '0' * 64)}\n"
        for package in ("nvidia-cublas", "six", "torch", "torchvision", "triton")
    )
    (project / "envs/requirements.lock").write_text(lock)
    usual = {"PIP_INDEX_URL": f"{address}/usual", "UV_DEFAULT_INDEX": f"{address}/usual"}
    words = [sys.executable, "envs/install.py", "--torch", f"{address}/cpu"]
    subprocess.run(
        [*words, "--pip"] if tool == "pip" else words,
        cwd=project,
        env=os.environ | usual | {"PIP_NO_CACHE_DIR": "1", "UV_NO_CACHE": "1", "PIP_USER": "1"},
        check=True,
    )
    [packages] = project.glob(".venv/lib/python*/site-packages")
    installed = {each.stem for each in packages.glob("*.dist-info")}
    expected = {f"{each}-{PINS[each]}+cpu" for each in ("torch", "torchvision")} | {"six-1.0"}
    assert {each for each in installed if not each.startswith(("pip-", "setuptools-"))} == expected


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

"""What several tests use: the project's sample of real digits and clothes, a small run, and an editor of the code."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from recordings import SHARD
from recurrence import SourceImages, fingerprints, sample_sources
from recurrence.fingerprints import fingerprint
from recurrence.scene_writing import write_test_scenes
from recurrence.scenes import SceneDistribution
from study import CHECKPOINTS, RULES, SCRIPTS, TINY, Study

torch.set_num_threads(1)  # of a worker: there is one for each core
# `make test` hands these on, and a `make` that a test starts would take them for its own.
for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
    os.environ.pop(name, None)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each job of a small run compiles its modules
# These take the longest, so they come first: then no worker waits for another at the end.
LONGEST = (
    "test_faults",
    "test_rerun",
    "test_tutorial",
    "test_machines",
    "test_origins",
    "test_start",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.fixture(scope="session")
def sources() -> SourceImages:
    """The training images of the project's sample."""
    return sample_sources()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Study:
    """A finished small run, which one worker makes and each copies. A test that changes it must undo that."""
    own = tmp_path_factory.mktemp("study") / "study"
    shared = tmp_path_factory.getbasetemp()
    shared = (shared if worker_id == "master" else shared.parent) / "finished"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            study = Study(own, TINY)
            for file in CHECKPOINTS:
                (study.folder / file).touch()
            result = study.snakemake()
            assert result.returncode == 0, result.stdout + result.stderr
            shutil.copytree(own, shared, symlinks=True)
            return study
    shutil.copytree(shared, own, symlinks=True)
    return Study.there(own)


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], set[str]]:
    """A function that edits a file of a copy of the code, and returns the rules that run again."""
    scripts = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprints, "PACKAGE", scripts / "recurrence")

    def of_all() -> dict[str, str]:
        return {path.stem: fingerprint(path) for path in scripts.glob("*.py") if path.stem in RULES}

    now = of_all()

    def edit(name: str, old: str, new: str) -> set[str]:
        before, path = now.copy(), scripts / name
        text = path.read_text() if path.exists() else ""
        assert old in text
        path.write_text(text.replace(old, new, 1) if old else text + new)
        now.update(of_all())
        return {rule for rule, value in now.items() if value != before[rule]}

    return edit


@pytest.fixture(scope="session")
def scene_files(sources: SourceImages, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two shards of test scenes of the run with seed 1."""
    folder = tmp_path_factory.mktemp("scenes")
    files = []
    for number in range(2):
        indices = range(number * SHARD, (number + 1) * SHARD)
        files.append(str(folder / f"test-{number:02d}.h5"))
        write_test_scenes(files[-1], sources, SceneDistribution(), 1, indices, {"seed": 1})
    return files

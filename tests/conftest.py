"""What several tests use: the project's sample of real digits and clothes, and a small run."""

import pytest

from recordings import SHARD
from recurrence import SourceImages, sample_sources
from recurrence.scene_writing import write_test_scenes
from recurrence.scenes import SceneDistribution
from study import CHECKPOINTS, TINY, Study


@pytest.fixture(scope="session")
def sources() -> SourceImages:
    """The training images of the project's sample."""
    return sample_sources()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A finished small run. A test that changes it must undo that."""
    study = Study(tmp_path_factory.mktemp("study"), TINY)
    for file in CHECKPOINTS:
        (study.folder / file).touch()
    result = study.snakemake()
    assert result.returncode == 0, result.stdout + result.stderr
    return study


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

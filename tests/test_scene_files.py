"""Scenes on disk are those of the recipes, in batches of any size."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from recordings import SHARD
from recurrence.names import ALTERATIONS
from recurrence.rendering import render
from recurrence.scene_reading import SceneSet
from recurrence.scene_writing import write_variants
from recurrence.scenes import SceneDistribution, SourceImages, alter, sample
from recurrence.seeds import derive_seed
from recurrence.variables import VARIABLES, labels


@pytest.mark.parametrize("size", [7, 50, 1000])
def test_batches_are_the_scenes_of_all_shards(
    size: int, sources: SourceImages, scene_files: list[str]
) -> None:
    count = SHARD + 10
    recipe = sample(sources, SceneDistribution(), derive_seed(1, "test scenes"), range(count))
    batches = list(SceneSet(scene_files, count).batches(size))
    assert max(len(batch.scenes) for batch in batches) <= size
    numbers = np.concatenate([np.r_[batch.where] for batch in batches])
    np.testing.assert_array_equal(numbers, range(count))
    for name, each in (("scenes", recipe), ("clean", recipe.clean())):
        read = np.concatenate([getattr(batch, name) for batch in batches])
        np.testing.assert_array_equal(read, render(sources, each))
    expected = labels(recipe, sources)
    for variable in VARIABLES:
        read = np.concatenate([batch.labels[variable] for batch in batches])
        np.testing.assert_array_equal(read, expected[variable])


def test_variants_are_scenes_with_one_variable_altered(
    sources: SourceImages, tmp_path: Path
) -> None:
    distribution = SceneDistribution(location_jitter=0)
    write_variants(tmp_path / "variants.h5", sources, distribution, 3, {"seed": 3})
    recipe = sample(sources, distribution, derive_seed(3, "variants"), range(2))
    with h5py.File(tmp_path / "variants.h5") as file:
        assert file.attrs["seed"] == 3
        np.testing.assert_array_equal(file["original"][:], render(sources, recipe)[:, 0])
        assert set(file["altered"]) == set(ALTERATIONS)
        for variable, altered in file["altered"].items():
            expected = render(sources, alter(recipe, variable, "opposite", distribution))
            np.testing.assert_array_equal(altered[:], expected[:, 0])
            assert (altered[:] != file["original"][:]).any((1, 2)).all()

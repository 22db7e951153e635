"""Scenes: recipes depend only on seed and index; both renderers paint what scipy paints, one object at a time."""

import os
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import plain
from recurrence.device_rendering import render_tensors
from recurrence.names import ALTERATIONS, RENDERINGS
from recurrence.rendering import render
from recurrence.scenes import Recipe, SceneDistribution, SourceImages, _permutation, alter, sample
from recurrence.variables import VARIABLES, labels

UNJITTERED = SceneDistribution(7, 0.8, 1.6, 0, 35, 0, 0)


def assert_equals_oracle(sources: SourceImages, recipe: Recipe) -> None:
    """Paint with both renderers: compiled, and made of tensor operations."""
    expected = np.stack([plain.paint(sources, recipe, n)[None] for n in range(len(recipe))])
    for scenes in (
        render(sources, recipe),
        render_tensors(torch.from_numpy(sources.images), recipe).numpy(),
    ):
        assert scenes.dtype == np.float32
        np.testing.assert_allclose(scenes, expected, atol=1e-5, rtol=0)


def test_scenes_equal_scipy(sources: SourceImages) -> None:
    recipe = sample(sources, SceneDistribution(), 1, range(24))
    assert_equals_oracle(sources, recipe)
    assert_equals_oracle(sources, recipe.clean())


@pytest.mark.parametrize("variable", ALTERATIONS)
@pytest.mark.parametrize("rendering", RENDERINGS)
def test_altered_copies_equal_scipy(sources: SourceImages, variable: str, rendering: str) -> None:
    recipe = sample(sources, UNJITTERED, 2, range(4))
    assert_equals_oracle(sources, alter(recipe, variable, rendering, UNJITTERED))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    start=st.integers(0, 10**9),
    clutter=st.integers(0, 7),
    small=st.floats(0.3, 1.0),
    large=st.floats(1.1, 1.5),
    angle=st.floats(0, 170),
    jitter=st.floats(0, 2.5),
)
def test_odd_distributions_equal_scipy(
    sources: SourceImages,
    seed: int,
    start: int,
    clutter: int,
    small: float,
    large: float,
    angle: float,
    jitter: float,
) -> None:
    odd = SceneDistribution(clutter, small, large, 0.05, angle, 5.0, jitter)
    assert_equals_oracle(sources, sample(sources, odd, seed, range(start, start + 2)))


def test_odd_images_equal_scipy() -> None:
    random = np.random.default_rng(0)
    images = np.stack(
        [
            np.zeros((28, 28)),
            np.full((28, 28), 255),
            random.integers(0, 256, (28, 28)),
            np.eye(28) * 255,
        ]
    ).astype(np.uint8)
    labels = np.array([0, 1], np.uint8)
    sources = SourceImages.join((images[:2], labels), (images[2:], labels))
    assert_equals_oracle(sources, sample(sources, SceneDistribution(), 3, range(8)))


def test_a_scene_depends_only_on_its_seed_and_index(sources: SourceImages) -> None:
    whole = sample(sources, SceneDistribution(), 5, range(40))
    part = sample(sources, SceneDistribution(), 5, range(17, 23))
    other = sample(sources, SceneDistribution(), 6, range(17, 23))
    for field in fields(Recipe):
        np.testing.assert_array_equal(getattr(whole, field.name)[17:23], getattr(part, field.name))
    assert not np.array_equal(part.angle, other.angle)
    np.testing.assert_array_equal(render(sources, whole)[17:23], render(sources, part))


def test_draws_follow_the_distribution(sources: SourceImages) -> None:
    n, d = 20_000, SceneDistribution()
    recipe = sample(sources, d, 7, range(n))
    found = labels(recipe, sources)

    def fair(share: float, p: float = 0.5, draws: int = n) -> bool:
        return abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / draws)

    for variable in ("location_horizontal", "location_vertical", "scale", "orientation", "domain"):
        assert fair(found[variable].mean()), variable
    assert all(fair((found["category"] == c).mean(), 1 / 20) for c in range(20))
    assert all(fair((recipe.target == t).mean(), 1 / 4) for t in (4, 5, 6, 7))
    scene = np.arange(n)
    factor, angle = recipe.factor[scene, recipe.target], recipe.angle[scene, recipe.target]
    middle = np.where(found["scale"] == 1, d.large, d.small)
    assert np.abs(factor - middle).max() <= d.scale_jitter
    assert np.abs(factor - middle).max() > 0.999 * d.scale_jitter
    assert np.abs(np.abs(angle) - d.angle).max() <= d.angle_jitter
    assert np.array_equal(found["orientation"] == 0, angle > 0)
    assert recipe.centre.min() == 23 and recipe.centre.max() == 77
    row, column = recipe.centre[scene, recipe.target].T
    assert np.array_equal(found["location_vertical"], row > 50)
    assert np.array_equal(found["location_horizontal"], column > 50)
    assert np.array_equal((recipe.target - 4) // 2, row > 50)
    assert np.array_equal((recipe.target - 4) % 2, column > 50)
    shuffled = (recipe.blocks != np.arange(9)).any(-1)
    assert np.array_equal(~shuffled, np.arange(8) == recipe.target[:, None])
    first_block = recipe.blocks[shuffled][:, 0]
    assert all(fair((first_block == k).mean(), 1 / 9, 7 * n) for k in range(9))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([0, 1, 256]), "the variable odd is from 0 to 256: it must be in 0 to 255"),
        (np.array([0, -1, 3]), "the variable odd is from -1 to 3"),
        (np.array([0, 1]), r"the variable odd is int64 \(2,\): make it whole numbers \(3,\)"),
        (np.array([0.0, 1.0, 2.0]), "the variable odd is float64"),
    ],
)
def test_a_variable_that_is_no_class_is_refused_by_name(
    sources: SourceImages, values: np.ndarray, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VARIABLES, "odd", lambda recipe, sources: values)
    with pytest.raises(ValueError, match=said):
        labels(sample(sources, SceneDistribution(), 8, range(3)), sources)


@pytest.mark.parametrize("clutter", range(8))
def test_the_number_of_clutter_objects(sources: SourceImages, clutter: int) -> None:
    recipe = sample(sources, SceneDistribution(clutter=clutter), 8, range(200))
    assert (recipe.present.sum(1) == clutter + 1).all()
    assert recipe.present[np.arange(200), recipe.target].all()
    assert (recipe.clean().present.sum(1) == 1).all()


def test_alterations_change_what_they_name_and_nothing_else(sources: SourceImages) -> None:
    recipe = sample(sources, UNJITTERED, 9, range(300))
    before = labels(recipe, sources)
    for variable in ALTERATIONS:
        altered = alter(recipe, variable, "opposite", UNJITTERED)
        after = labels(altered, sources)
        changed = {name for name in before if not np.array_equal(before[name], after[name])}
        match variable:
            case "category_within":
                assert changed == {"category"} and (before["category"] != after["category"]).all()
            case "category_between":
                assert changed == {"category", "domain"}
                assert (before["domain"] != after["domain"]).all()
            case _:
                assert changed == {variable} and (before[variable] != after[variable]).all()
        others = np.arange(8) != recipe.target[:, None]
        for field in ("image", "factor", "angle"):
            old, new = getattr(recipe, field), getattr(altered, field)
            np.testing.assert_array_equal(old[others], new[others])
    swapped = alter(recipe, "location_vertical", "opposite", UNJITTERED).centre
    assert (swapped != recipe.centre).any(-1).sum() == 2 * len(recipe)
    np.testing.assert_array_equal(np.sort(swapped, 1), np.sort(recipe.centre, 1))


def test_compounded_copies_end_between_the_classes(sources: SourceImages) -> None:
    recipe = sample(sources, UNJITTERED, 10, range(50))
    scene = np.arange(50)
    turned = alter(recipe, "orientation", "compounded", UNJITTERED)
    total = (turned.angle + turned.second_angle)[scene, recipe.target]
    np.testing.assert_allclose(total, 0, atol=1e-12)
    zoomed = alter(recipe, "scale", "compounded", UNJITTERED)
    factor = (zoomed.factor * zoomed.second_factor)[scene, recipe.target]
    np.testing.assert_allclose(factor, 1.28)


def test_replacement_images_are_uniform(sources: SourceImages) -> None:
    n = 40_000
    recipe = sample(sources, SceneDistribution(), 11, range(n))
    own = sources.categories[recipe.image[np.arange(n), recipe.target]]
    within, between = sources.categories[recipe.within], sources.categories[recipe.between]
    zero = own == 0
    shares = np.bincount(within[zero], minlength=20)[1:10] / zero.sum()
    assert np.abs(shares - 1 / 9).max() < 0.04
    assert (within // 10 == own // 10).all() and (within != own).all()
    assert (between // 10 == 1 - own // 10).all()
    assert len(np.unique(recipe.between)) == len(sources.categories)


def test_permutations_are_all_different_and_ranked() -> None:
    ranks = np.array([0, 1, 2, 5, 40_319, 40_320, 362_879])
    permutations = _permutation(ranks)
    assert permutations[0].tolist() == list(range(9))
    assert permutations[1].tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 7]
    assert permutations[-1].tolist() == list(range(8, -1, -1))
    every = _permutation(np.arange(362_880))
    assert len(np.unique(every @ 10 ** np.arange(9))) == 362_880
    assert (np.sort(every, 1) == np.arange(9)).all()


def test_an_object_that_leaves_the_canvas_is_refused(sources: SourceImages) -> None:
    huge = SceneDistribution(large=2.5)
    with pytest.raises(ValueError, match=r"leaves the 100 x 100 canvas: make scale\.large, "):
        render(sources, sample(sources, huge, 1, range(8)))


def test_unknown_alteration_is_refused(sources: SourceImages) -> None:
    recipe = sample(sources, UNJITTERED, 1, range(1))
    with pytest.raises(ValueError, match="no alteration 'colour'"):
        alter(recipe, "colour", "opposite", UNJITTERED)


PAINT = """
from recurrence.datasets import read_sample
from recurrence.rendering import render
from recurrence.scenes import SceneDistribution, SourceImages, sample
names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
files = [read_sample(name) for name in ("mnist", "fashion")]
sources = SourceImages.join(*(tuple(each[name] for name in names) for each in files))
for _ in range(2):
    print(render(sources, sample(sources, SceneDistribution(), 1, range(2))).sum())
"""


def test_without_a_folder_for_compiled_code_the_painter_works_and_says_so_once(
    sources: SourceImages, tmp_path: Path
) -> None:
    project, package = Path(__file__).parents[1], "workflow/scripts/recurrence"
    shutil.copytree(project / package, tmp_path / package, ignore=lambda *_: ["__pycache__"])
    (tmp_path / package / "__pycache__").touch()  # a file, so that nothing can be written into it
    (tmp_path / "tests").symlink_to(project / "tests")
    nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null", "PYTHONPATH": "workflow/scripts"}
    logged = subprocess.run(
        [sys.executable, "-c", PAINT],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"} | nowhere,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    total = render(sources, sample(sources, SceneDistribution(), 1, range(2))).sum()
    assert logged == [
        "the compiled painter can't be stored: each job compiles it again, which takes seconds",
        str(total),
        str(total),
    ]

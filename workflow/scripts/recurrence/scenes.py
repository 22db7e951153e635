"""Cluttered scenes (paper 2.3 and A.1; docs/experiment.md 1): recipes of what is in a scene, and their altered copies.

A *recipe* is everything random about a scene, as plain arrays. Scene ``index`` of a stream is drawn
from its own block of a counter-based generator. So it is the same scene in any batch, shard or
process. The altered copies of the perturbation experiment (docs/experiment.md 5) are changed recipes.
:mod:`recurrence.rendering` paints recipes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from recurrence.configuration.blocks import Distribution
from recurrence.names import ALTERATIONS, CANVAS, CATEGORIES, CLASSES
from recurrence.shards import load_shard

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Objects 0-3 are the back layer, 4-7 the front layer; object i is in quadrant i mod 4.
OBJECTS = 8
DRAWS_PER_OBJECT = 10
DRAWS = 84  # of a scene: eight objects, target, two replacement images; a multiple of 4, the generator's block


@dataclass(frozen=True)
class SourceImages:
    """The source images of one split, those of the first dataset of the pair first.

    ``images`` is (m, 28, 28); ``categories`` is (m,), 0-9 in the first dataset and 10-19 in the second; ``first`` is
    the number of images of the first dataset.
    """

    images: npt.NDArray[np.uint8]
    categories: Ints
    first: int

    @cached_property
    def by_class(self) -> Ints:
        """The image indices (m,) in order of category."""
        return np.argsort(self.categories, kind="stable")

    @cached_property
    def first_of_class(self) -> Ints:
        """Where each of the 20 categories starts in ``by_class``, and where the last one ends, (21,)."""
        return np.searchsorted(self.categories[self.by_class], np.arange(CATEGORIES + 1))

    @classmethod
    def join(cls, *datasets: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]) -> Self:
        """Join the (images, labels) of the two datasets."""
        images = np.concatenate([pixels for pixels, _ in datasets])
        classes = [labels.astype(np.int64) + CLASSES * n for n, (_, labels) in enumerate(datasets)]
        return cls(images, np.concatenate(classes), len(classes[0]))

    @classmethod
    def read(cls, shards: Iterable[str | Path]) -> Self:
        """Read and join the shards of the two datasets. Raises as :func:`recurrence.shards.load_shard` does."""
        return cls.join(*map(load_shard, shards))


@dataclass(frozen=True)
class SceneDistribution:
    """What scenes are drawn from. Scales are factors, angles are degrees, locations are pixels."""

    clutter: int = 7
    small: float = 0.9
    large: float = 1.5
    scale_jitter: float = 0.1
    angle: float = 30.0
    angle_jitter: float = 5.0
    location_jitter: float = 2.5

    @classmethod
    def of(cls, block: Distribution) -> Self:
        """Take the values from a block of the configuration."""
        return cls(
            block.clutter,
            block.scale.small,
            block.scale.large,
            block.scale.jitter,
            block.orientation.angle,
            block.orientation.jitter,
            block.location.jitter,
        )


@dataclass(frozen=True)
class Recipe:
    """Everything that defines ``n`` scenes; arrays are (n,) or (n, 8), with a column for each object.

    ``second_factor`` and ``second_angle`` transform the object once more, after ``factor`` and
    ``angle``. Only compounded alterations use them; otherwise they are 1 and 0.
    """

    target: Ints  # (n,) index of the target, 4-7
    image: Ints  # (n, 8) index into the sources
    factor: Floats  # (n, 8)
    second_factor: Floats  # (n, 8)
    angle: Floats  # (n, 8) degrees
    second_angle: Floats  # (n, 8) degrees
    centre: Ints  # (n, 8, 2) row and column, pixels
    blocks: Ints  # (n, 8, 9) block k of the painted object is block blocks[k] of the intact one
    present: npt.NDArray[np.bool_]  # (n, 8)
    large: Ints  # (n,) scale class of the target
    within: Ints  # (n,) an image of another class in the target's dataset
    between: Ints  # (n,) an image of the other dataset

    def __len__(self) -> int:
        return len(self.target)

    def clean(self) -> "Recipe":
        """The target alone on black, in the same pose."""
        return replace(self, present=np.arange(OBJECTS) == self.target[:, None])

    def of_target(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The target's part (n, ...) of an array (n, 8, ...) with a column for each object."""
        return values[np.arange(len(self)), self.target]

    def categories(self, sources: SourceImages) -> Ints:
        """The category of the target (n,), 0 to 19."""
        return sources.categories[self.of_target(self.image)]


def _permutation(rank: Ints) -> Ints:
    """The permutations (..., 9) of nine blocks with these lexicographic ranks. Rank 0 is the identity."""
    remaining = np.broadcast_to(np.arange(9), (*rank.shape, 9)).copy()
    chosen = np.empty_like(remaining)
    for position, base in enumerate((40320, 5040, 720, 120, 24, 6, 2, 1, 1)):
        digit, rank = np.divmod(rank, base)
        chosen[..., position] = np.take_along_axis(remaining, digit[..., None], -1)[..., 0]
        keep = np.arange(remaining.shape[-1]) != digit[..., None]
        remaining = remaining[keep].reshape(*rank.shape, -1)
    return chosen


def sample(
    sources: SourceImages, distribution: SceneDistribution, seed: int, indices: range
) -> Recipe:
    """Draw the recipes of the scenes ``indices`` (consecutive) in the stream ``seed``."""
    n = len(indices)
    generator = np.random.Philox(key=seed, counter=indices.start * (DRAWS // 4))
    raw = generator.random_raw(n * DRAWS).reshape(n, DRAWS)
    uniform = np.ldexp((raw >> np.uint64(11)).astype(np.float64), -53)
    target = 4 + (uniform[:, 80] * 4).astype(np.int64)
    draws = uniform[:, : OBJECTS * DRAWS_PER_OBJECT].reshape(n, OBJECTS, DRAWS_PER_OBJECT)
    (
        domain_draw,
        image_draw,
        size_draw,
        scale_draw,
        flip_draw,
        angle_draw,
        row_draw,
        column_draw,
        shuffle_draw,
        order_draw,
    ) = np.moveaxis(draws, -1, 0)

    first = np.array([0, sources.first, len(sources.categories)])  # where each dataset starts
    domain = (domain_draw >= 0.5).astype(np.int64)
    image = first[domain] + (image_draw * np.diff(first)[domain]).astype(np.int64)
    large = (size_draw >= 0.5).astype(np.int64)
    factor = np.where(large, distribution.large, distribution.small)
    factor = factor + distribution.scale_jitter * (2 * scale_draw - 1)
    angle = np.where(flip_draw >= 0.5, -1, 1) * distribution.angle
    angle = angle + distribution.angle_jitter * (2 * angle_draw - 1)
    quadrant = np.arange(OBJECTS) % 4
    middle = CANVAS // 4 + CANVAS // 2 * np.stack([quadrant // 2, quadrant % 2], -1)
    jitter = distribution.location_jitter * (2 * np.stack([row_draw, column_draw], -1) - 1)
    is_target = np.arange(OBJECTS) == target[:, None]
    # One of the 9! - 1 permutations that are not the identity; the target has the identity.
    rank = np.where(is_target, 0, 1 + (shuffle_draw * 362_879).astype(np.int64))
    # The target, and the first few of the other objects in a random order.
    present = np.where(is_target, -1.0, order_draw).argsort(1).argsort(1) <= distribution.clutter

    scene = np.arange(n)
    own = image[scene, target]
    return Recipe(
        target=target,
        image=image,
        factor=factor,
        second_factor=np.ones_like(factor),
        angle=angle,
        second_angle=np.zeros_like(angle),
        centre=np.rint(middle + jitter).astype(np.int64),
        blocks=_permutation(rank),
        present=present,
        large=large[scene, target],
        within=_another_class(sources, own, uniform[:, 81]),
        between=_other_dataset(first, own, uniform[:, 82]),
    )


def _another_class(sources: SourceImages, image: Ints, uniform: Floats) -> Ints:
    """For each image, draw one of another class in its dataset, uniformly."""
    first_of = sources.first_of_class
    category = sources.categories[image]
    first = category // CLASSES * CLASSES  # category of the dataset
    domain_start, domain_stop = first_of[first], first_of[first + CLASSES]
    start, stop = first_of[category], first_of[category + 1]
    others = (domain_stop - domain_start) - (stop - start)
    position = domain_start + (uniform * others).astype(np.int64)
    return sources.by_class[np.where(position >= start, position + (stop - start), position)]


def _other_dataset(first: Ints, image: Ints, uniform: Floats) -> Ints:
    """For each image, draw one of the other dataset, uniformly."""
    other = (image < first[1]).astype(np.int64)
    return first[other] + (uniform * np.diff(first)[other]).astype(np.int64)


def alter(recipe: Recipe, variable: str, rendering: str, distribution: SceneDistribution) -> Recipe:
    """Change one variable of the target and keep everything else (docs/experiment.md 5).

    ``opposite`` gives the target the other value, as the paper's text says; ``compounded``
    transforms the already rotated or zoomed target once more, as the released script does. They
    differ for orientation and scale alone.
    """
    scene, target = np.arange(len(recipe)), recipe.target

    def with_target(values: npt.NDArray[Any], new: npt.NDArray[Any]) -> npt.NDArray[Any]:
        values = values.copy()
        values[scene, target] = new
        return values

    match variable, rendering:
        case "location_horizontal" | "location_vertical", _:
            partner = 4 + ((target - 4) ^ (1 if variable == "location_horizontal" else 2))
            centre = recipe.centre.copy()
            centre[scene, target] = recipe.centre[scene, partner]
            centre[scene, partner] = recipe.centre[scene, target]
            return replace(recipe, centre=centre)
        case "scale", _:
            other = distribution.small + distribution.large - recipe.factor[scene, target]
            if rendering == "compounded":
                return replace(recipe, second_factor=with_target(recipe.second_factor, other))
            return replace(recipe, factor=with_target(recipe.factor, other), large=1 - recipe.large)
        case "orientation", _:
            other = -recipe.angle[scene, target]
            if rendering == "compounded":
                return replace(recipe, second_angle=with_target(recipe.second_angle, other))
            return replace(recipe, angle=with_target(recipe.angle, other))
        case "category_within", _:
            return replace(recipe, image=with_target(recipe.image, recipe.within))
        case "category_between", _:
            return replace(recipe, image=with_target(recipe.image, recipe.between))
    raise ValueError(f"no alteration {variable!r}: choose one of {', '.join(ALTERATIONS)}")

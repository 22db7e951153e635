"""What is decoded about the target of a scene (docs/experiment.md 1): one function for each variable.

To add a variable, write its function here. Its name is then one of decoding.variables; nothing else has to be changed.

A function gets the recipes of n scenes and the source images; it returns (n,) whole numbers from 0 to 255, or flags.
``recipe.of_target(values)`` takes the target's values from an array with a column for each object.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from recurrence.names import CANVAS, CLASSES

if TYPE_CHECKING:  # the Snakefile imports this, and needs no NumPy
    import numpy as np
    import numpy.typing as npt

    from recurrence.scenes import Recipe, SourceImages

Function = Callable[["Recipe", "SourceImages"], "npt.NDArray[Any]"]
VARIABLES: dict[str, Function] = {}


def variable(function: Function) -> Function:
    """List a variable by the name of its function."""
    VARIABLES[function.__name__] = function
    return function


def labels(recipe: "Recipe", sources: "SourceImages") -> "dict[str, npt.NDArray[np.uint8]]":
    """All variables of the targets, each (n,) uint8.

    Raises ``ValueError``, naming the variable, if its values are anything else.
    """
    made = {}
    for name, function in VARIABLES.items():
        values = function(recipe, sources)
        if values.shape != (len(recipe),) or values.dtype.kind not in "iub":
            raise ValueError(
                f"the variable {name} is {values.dtype} {values.shape}: make it whole numbers ({len(recipe)},)"
            )
        if len(values) and not (values.min() >= 0 and values.max() <= 255):
            raise ValueError(
                f"the variable {name} is from {values.min()} to {values.max()}: it must be in 0 to 255"
            )
        made[name] = values.astype("uint8")
    return made


@variable
def category(recipe: "Recipe", sources: "SourceImages") -> "npt.NDArray[Any]":
    """0 to 9 in the first dataset, 10 to 19 in the second."""
    return recipe.categories(sources)


@variable
def location_horizontal(recipe: "Recipe", sources: "SourceImages") -> "npt.NDArray[Any]":
    """0 left, 1 right."""
    return recipe.of_target(recipe.centre)[:, 1] >= CANVAS // 2


@variable
def location_vertical(recipe: "Recipe", sources: "SourceImages") -> "npt.NDArray[Any]":
    """0 top, 1 bottom."""
    return recipe.of_target(recipe.centre)[:, 0] >= CANVAS // 2


@variable
def scale(recipe: "Recipe", sources: "SourceImages") -> "npt.NDArray[Any]":
    """0 small, 1 large."""
    return recipe.large


@variable
def orientation(recipe: "Recipe", sources: "SourceImages") -> "npt.NDArray[Any]":
    """0 the positive angle, 1 the negative one."""
    return recipe.of_target(recipe.angle) < 0


@variable
def domain(recipe: "Recipe", sources: "SourceImages") -> "npt.NDArray[Any]":
    """Which dataset: 0 the first, 1 the second."""
    return recipe.categories(sources) // CLASSES

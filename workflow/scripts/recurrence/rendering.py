"""Paint scenes from their recipes (paper 2.3 and A.1; docs/experiment.md 1): the same as scipy, but many times faster.

``scipy.ndimage.zoom`` and the spline prefilter of ``scipy.ndimage.rotate`` are linear and
separable. So one matrix for each side length, applied from both sides, turns a source image into
spline coefficients. The rotation is then a weighted sum of 4 x 4 coefficients for each pixel.
Shuffling the blocks of a clutter object only changes which pixels are computed.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from recurrence.names import CANVAS, IMAGE
from recurrence.scenes import OBJECTS, Floats, Ints, Recipe, SourceImages

Images = npt.NDArray[np.float32]

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": True}


def _compiled(function: Any) -> Any:
    """Compile with numba at the first call. Keep the result for other processes if it can be stored."""
    try:
        return numba.njit(function, cache=True, **_OPTIONS)
    except RuntimeError:  # neither next to this file nor in the user's cache
        return numba.njit(function, **_OPTIONS)


@cache
def _say_if_not_kept() -> None:
    if not _paint.stats.cache_path:
        print(
            "the compiled painter can't be stored: each job compiles it again, which takes seconds"
        )


def side_after(side: Any, factor: Any) -> Any:
    """The side in pixels after ``scipy.ndimage.zoom`` of an object of ``side`` pixels. Accepts arrays."""
    return np.rint(side * factor).astype(np.int64)


@cache
def _zoom(before: int, after: int) -> Floats:
    """The matrix (after, before) of a cubic-spline zoom along one axis."""
    if before == after:
        return np.eye(before)
    return np.stack([ndimage.zoom(unit, after / before) for unit in np.eye(before)], axis=1)


@cache
def _prefilter(side: int) -> Images:
    """The matrix (side + 3, side) to cubic-spline coefficients -1 to side + 1, mirrored at both ends as in scipy."""
    coefficients = ndimage.spline_filter1d(np.eye(side), order=3, axis=0, mode="mirror")
    return np.pad(coefficients, ((1, 2), (0, 0)), mode="reflect").astype(np.float32)


@cache
def _zoom_and_prefilter(first: int, last: int) -> Images:
    """The matrix (last + 3, 28) of a zoom to ``first`` pixels, another to ``last`` pixels, and the prefilter."""
    return (_prefilter(last) @ _zoom(first, last) @ _zoom(IMAGE, first)).astype(np.float32)


def _stack(matrices: list[Images], rows: int, columns: int) -> Images:
    """Put matrices in one array, padded with zeros at the end of both axes."""
    stacked = np.zeros((len(matrices), rows, columns), np.float32)
    for padded, matrix in zip(stacked, matrices, strict=True):
        padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return stacked


@_compiled
def _bspline_weights(t):  # type: ignore[no-untyped-def]
    """The weights of four cubic B-spline coefficients, for a point that lies ``t`` pixels after the second one."""
    s, sixth = np.float32(1) - t, np.float32(1 / 6)
    two, three, four = np.float32(2), np.float32(3), np.float32(4)
    second, third = t * t * (t - two) * three + four, s * s * (s - two) * three + four
    return s * s * s * sixth, second * sixth, third * sixth, t * t * t * sixth


@_compiled
def _rotate(coefficients, side, cosine, sine, source, into, size, result):  # type: ignore[no-untyped-def]
    """Copy ``size`` x ``size`` pixels of a rotated object, from ``source`` (row, column) to ``into`` in ``result``.

    Pixels from outside the ``side`` x ``side`` object are 0. Coordinates are float64, so that the
    sharp border is where scipy has it.
    """
    middle, last = (side - 1) / 2, np.float64(side - 1)
    for i in range(size):
        down = source[0] + i - middle
        for j in range(size):
            right = source[1] + j - middle
            y = cosine * down + sine * right + middle
            x = cosine * right - sine * down + middle
            total = np.float32(0)
            if 0 <= y <= last and 0 <= x <= last:
                row, column = np.int32(y), np.int32(x)
                a, b, c, d = _bspline_weights(np.float32(x - column))
                e, f, g, h = _bspline_weights(np.float32(y - row))
                top, upper, lower, bottom = (
                    coefficients[row, column : column + 4],
                    coefficients[row + 1, column : column + 4],
                    coefficients[row + 2, column : column + 4],
                    coefficients[row + 3, column : column + 4],
                )
                total = (
                    e * (a * top[0] + b * top[1] + c * top[2] + d * top[3])
                    + f * (a * upper[0] + b * upper[1] + c * upper[2] + d * upper[3])
                    + g * (a * lower[0] + b * lower[1] + c * lower[2] + d * lower[3])
                    + h * (a * bottom[0] + b * bottom[1] + c * bottom[2] + d * bottom[3])
                )
            result[into[0] + i, into[1] + j] = total


@_compiled
def _min_max(image, rows, columns):  # type: ignore[no-untyped-def]
    """The minimum of an image, and 1 / (maximum - minimum), or 0 for a constant image."""
    low = high = image[0, 0]
    for i in range(rows):
        for j in range(columns):
            low, high = min(low, image[i, j]), max(high, image[i, j])
    return low, np.float32(1) / (high - low) if high > low else np.float32(0)


@_compiled
def _paint(  # type: ignore[no-untyped-def]
    images,
    zooms,
    prefilters,
    which,
    sides,
    angles,
    again,
    corners,
    blocks,
    targets,
    present,
    canvases,
):
    """Paint each scene on its black canvas. The arguments are arrays of the recipe and its layout."""
    width = zooms.shape[1]
    shown = np.empty((width, width), np.float32)
    for n in range(len(canvases)):
        canvas = canvases[n]
        for o in range(OBJECTS):
            if not present[n, o]:
                continue
            side = sides[n, o]
            matrix = zooms[which[n, o], : side + 3]
            coefficients = np.dot(np.dot(matrix, images[n, o]), matrix.T)
            cosine, sine = np.cos(angles[n, o]), np.sin(angles[n, o])
            if o == targets[n]:
                _rotate(coefficients, side, cosine, sine, (0, 0), (0, 0), side, shown)
                if again[n, o] != 0:
                    matrix = np.ascontiguousarray(prefilters[which[n, o], : side + 3, :side])
                    coefficients = np.dot(
                        np.dot(matrix, np.ascontiguousarray(shown[:side, :side])), matrix.T
                    )
                    cosine, sine = np.cos(again[n, o]), np.sin(again[n, o])
                    _rotate(coefficients, side, cosine, sine, (0, 0), (0, 0), side, shown)
            else:
                block = side // 3
                shown[:side, :side] = 0
                for k in range(9):
                    source = (blocks[n, o, k] // 3 * block, blocks[n, o, k] % 3 * block)
                    into = (k // 3 * block, k % 3 * block)
                    _rotate(coefficients, side, cosine, sine, source, into, block, shown)
            low, scale = _min_max(shown, side, side)
            top, left = corners[n, o]
            for i in range(side):
                for j in range(side):
                    ink = (shown[i, j] - low) * scale
                    canvas[top + i, left + j] = (1 - ink) * canvas[top + i, left + j] + ink * ink
        low, scale = _min_max(canvas, CANVAS, CANVAS)
        for i in range(CANVAS):
            for j in range(CANVAS):
                canvas[i, j] = (canvas[i, j] - low) * scale


@dataclass(frozen=True)
class Layout:
    """Where a recipe's objects are on the canvas, and the matrices that make them."""

    side: Ints  # (n, 8) pixels
    corner: Ints  # (n, 8, 2) row and column of an object's first pixel
    which: Ints  # (n, 8) index into the matrices
    zooms: Images  # (sizes, largest side + 3, 28) to spline coefficients
    prefilters: Images  # (sizes, largest side + 3, largest side + 3), to rotate an object again


def layout(recipe: Recipe) -> Layout:
    """Compute what both renderers need. Raises ``ValueError`` if an object would leave the canvas."""
    zoomed = side_after(IMAGE, recipe.factor)
    side = side_after(zoomed, recipe.second_factor)
    corner = recipe.centre - (side // 2)[..., None]
    if corner.min() < 0 or (corner + side[..., None]).max() > CANVAS:
        raise ValueError(
            f"an object of up to {side.max()} pixels leaves the {CANVAS} x {CANVAS} canvas: "
            "make scale.large, scale.jitter or location.jitter of scenes or perturbation smaller"
        )
    code, which = np.unique(zoomed * CANVAS + side, return_inverse=True)
    sizes = [divmod(pair, CANVAS) for pair in code.tolist()]
    width = int(side.max()) + 3
    return Layout(
        side,
        corner,
        which.reshape(side.shape),
        _stack([_zoom_and_prefilter(*pair) for pair in sizes], width, IMAGE),
        _stack([_prefilter(last) for _, last in sizes], width, width),
    )


def render(sources: SourceImages, recipe: Recipe) -> Images:
    """Paint the scenes of a recipe: (n, 1, 100, 100), float32 in [0, 1].

    Raises ``ValueError`` if an object would leave the canvas.
    """
    _say_if_not_kept()
    plan = layout(recipe)
    canvases = np.zeros((len(recipe), CANVAS, CANVAS), np.float32)
    _paint(
        sources.images[recipe.image].astype(np.float32) / np.float32(255),
        plan.zooms,
        plan.prefilters,
        plan.which,
        plan.side,
        np.deg2rad(recipe.angle),
        np.deg2rad(recipe.second_angle),
        plan.corner,
        recipe.blocks,
        recipe.target,
        recipe.present,
        canvases,
    )
    return canvases[:, None]

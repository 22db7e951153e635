"""The scenes of :mod:`recurrence.rendering`, painted with tensor operations on the network's GPU.

Scenes are not copied to the GPU, and the CPU never waits. Every object is computed at the size of
the largest.
"""

import numpy as np
import torch
from torch import Tensor

from recurrence.devices import send
from recurrence.names import CANVAS
from recurrence.rendering import layout
from recurrence.scenes import OBJECTS, Recipe


def render_tensors(images: Tensor, recipe: Recipe) -> Tensor:
    """Paint the scenes (n, 1, 100, 100) of a recipe, from source images (m, 28, 28) uint8 on any device.

    They are computed in float32 also where the network uses mixed precision. Raises ``ValueError``
    if an object would leave the canvas.
    """
    with torch.autocast(images.device.type, enabled=False):
        return _render(images, recipe)


def _render(images: Tensor, recipe: Recipe) -> Tensor:
    device, plan = images.device, layout(recipe)
    which = send(plan.which.reshape(-1), device)
    side = send(plan.side.reshape(-1), device)[:, None, None]
    zooms, chosen = send(plan.zooms, device)[which], send(recipe.image.reshape(-1), device)
    coefficients = zooms @ (images[chosen].float() / 255) @ zooms.mT
    size = coefficients.shape[-1] - 3

    pixel = torch.arange(size, device=device)
    row, column = pixel[:, None], pixel[None, :]
    source_row, source_column, whole = _shuffled(
        row, column, side, send(recipe.blocks.reshape(-1, 9), device)
    )
    angle = send(np.deg2rad(recipe.angle).reshape(-1, 1, 1), device)
    shown = _rotate(coefficients, side, angle, source_row, source_column) * whole
    if recipe.second_angle.any():  # only targets have one, and they are not shuffled
        angle = send(np.deg2rad(recipe.second_angle).reshape(-1, 1, 1), device)
        prefilters = send(plan.prefilters, device)[which, :, :size]
        again = _rotate(prefilters @ shown @ prefilters.mT, side, angle, row, column)
        inside = (row < side) & (column < side)
        shown = torch.where(angle != 0, again * inside, shown)

    ink = _stretch(shown, (row < side) & (column < side))
    ink = ink * send(recipe.present.reshape(-1, 1, 1), device)
    return _compose(ink.view(len(recipe), OBJECTS, -1), send(plan.corner, device))


def _shuffled(
    row: Tensor, column: Tensor, side: Tensor, blocks: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Which pixel (row, column) of the intact object each pixel shows, and whether it shows one: (k, size, size)."""
    block = side // 3
    down, right = (row // block).clamp(max=2), (column // block).clamp(max=2)
    here = down * 3 + right
    shown = blocks.gather(1, here.flatten(1)).view(here.shape)
    intact = (blocks == torch.arange(9, device=blocks.device)).all(1)[:, None, None]
    end = torch.where(intact, side, 3 * block)  # outside its blocks a shuffled object is empty
    return (
        row + (shown // 3 - down) * block,
        column + (shown % 3 - right) * block,
        (row < end) & (column < end),
    )


def _rotate(
    coefficients: Tensor, side: Tensor, angle: Tensor, row: Tensor, column: Tensor
) -> Tensor:
    """Pixels (row, column) of the rotated objects, from spline coefficients (k, width, width); 0 outside them.

    Coordinates are float64, so that the sharp border is where scipy has it.
    """
    middle, last = (side - 1) / 2.0, side - 1
    down, right = row.double() - middle, column.double() - middle
    y = angle.cos() * down + angle.sin() * right + middle
    x = angle.cos() * right - angle.sin() * down + middle
    reached = (y >= 0) & (y <= last) & (x >= 0) & (x <= last)
    top, left = y.floor(), x.floor()
    vertical, horizontal = _bspline_weights((y - top).float()), _bspline_weights((x - left).float())
    width = coefficients.shape[-1]
    corner = torch.where(reached, top * width + left, 0).long().flatten(1)
    flat = coefficients.flatten(1)
    total = torch.zeros_like(vertical[0])
    for i, weight in enumerate(vertical):
        for j, other in enumerate(horizontal):
            total += weight * other * flat.gather(1, corner + (i * width + j)).view(total.shape)
    return total * reached


def _bspline_weights(t: Tensor) -> tuple[Tensor, ...]:
    """The weights of four cubic B-spline coefficients, for a point that lies ``t`` pixels after the second one."""
    s = 1 - t
    second, third = t * t * (t - 2) * 3 + 4, s * s * (s - 2) * 3 + 4
    return s**3 / 6, second / 6, third / 6, t**3 / 6


def _stretch(images: Tensor, inside: Tensor) -> Tensor:
    """Scale images to [0, 1] over their pixels ``inside``; 0 elsewhere, and 0 if they are constant."""
    low = images.where(inside, torch.inf).amin((-2, -1), keepdim=True)
    high = images.where(inside, -torch.inf).amax((-2, -1), keepdim=True)
    scale = torch.where(high > low, 1 / (high - low), 0)
    return (images - low) * scale * inside


def _compose(ink: Tensor, corner: Tensor) -> Tensor:
    """Paint the objects (n, 8, size * size) on top of each other on black canvases, at their corners (n, 8, 2)."""
    size = int(ink.shape[-1] ** 0.5)
    stride = CANVAS + size  # room below and to the right for the empty parts of smaller objects
    pixel = torch.arange(size, device=ink.device)
    offset = (pixel[:, None] * stride + pixel[None, :]).flatten()
    start = corner[..., 0] * stride + corner[..., 1]
    canvas = torch.zeros(len(ink), stride * stride, device=ink.device)
    for number in range(OBJECTS):
        place, opacity = start[:, number, None] + offset, ink[:, number]
        canvas.scatter_(1, place, (1 - opacity) * canvas.gather(1, place) + opacity * opacity)
    canvas = canvas.view(len(ink), stride, stride)[:, :CANVAS, :CANVAS]
    return _stretch(canvas, torch.ones_like(canvas, dtype=torch.bool))[:, None]

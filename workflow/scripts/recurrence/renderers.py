"""The renderer for a device: compiled code on CPUs, where it is several times faster, tensor operations on GPUs."""

from collections.abc import Callable

import torch
from torch import Tensor

from recurrence.device_rendering import render_tensors
from recurrence.rendering import render
from recurrence.scenes import Recipe, SourceImages

Renderer = Callable[[Recipe], Tensor]


def renderer(sources: SourceImages, device: torch.device) -> Renderer:
    """A function that paints recipes as scenes (n, 1, 100, 100), float32 in [0, 1], on ``device``."""
    if device.type == "cpu":
        return lambda recipe: torch.from_numpy(render(sources, recipe))
    images = torch.from_numpy(sources.images).to(device)
    return lambda recipe: render_tensors(images, recipe)

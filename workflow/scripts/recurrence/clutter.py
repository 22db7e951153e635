"""Clutter at the input over time: the energy of the input map outside the target, in the whole map and by quadrant."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from recurrence.network import Trajectory

TARGET_THRESHOLD = 0.1  # a pixel of the clean image above this is part of the target
QUADRANTS = ("all", "target", "others")
COLUMNS = ("quadrant", "timestep", "energy_outside", "relative", "standard_error", "n")

Values = npt.NDArray[np.float64]


def energy_outside(
    trajectory: Trajectory, scenes: Tensor, clean: Tensor, horizontal: Tensor, vertical: Tensor
) -> Tensor:
    """The share of the input map's energy (sum of squares) outside the target, (batch, timesteps, 3).

    The last axis is :data:`QUADRANTS`: outside the target anywhere, in the target's quadrant, and in the three
    others, of which the first is the sum; 0 in a scene without clutter. ``scenes`` and ``clean`` (the targets alone)
    are images (batch, 1, 100, 100); ``horizontal`` and ``vertical`` (batch,) are the targets' locations.
    """
    outside = (clean <= TARGET_THRESHOLD) & (scenes != clean).any((1, 2, 3), keepdim=True)
    half = torch.arange(clean.shape[-1], device=clean.device) >= clean.shape[-1] // 2
    columns = half[None, :] == horizontal[:, None].bool()
    rows = half[None, :] == vertical[:, None].bool()
    own = (rows[:, None, :, None] & columns[:, None, None, :]) & outside
    shares = []
    for activity in trajectory.activities:
        energy = activity.maps["input"].square()
        total = energy.sum((1, 2, 3)).clamp(min=1e-9)
        parts = [(energy * mask).sum((1, 2, 3)) / total for mask in (outside, own, outside & ~own)]
        shares.append(torch.stack(parts, 1))
    return torch.stack(shares, 1)


def clutter_table(shares: Values) -> pd.DataFrame:
    """Make the rows of clutter.csv from ``shares`` (scenes, timesteps, 3) of :func:`energy_outside`.

    ``energy_outside`` is the mean over scenes, and ``relative`` its ratio to that at t = 1. ``standard_error`` is
    the one that the finite number of scenes gives this ratio of means (Cochran 1977, 2.11). Both are nan if there is
    no clutter.
    """
    n = len(shares)
    rows: list[tuple[Any, ...]] = []
    for number, quadrant in enumerate(QUADRANTS):
        first = shares[:, 0, number]
        for t in range(shares.shape[1]):
            energy = shares[:, t, number]
            ratio = error = float("nan")
            if first.any():
                ratio = float(energy.mean() / first.mean())
                spread = float((energy - ratio * first).std(ddof=1)) if n > 1 else float("nan")
                error = spread / float(np.sqrt(n) * first.mean())
            rows.append((quadrant, t + 1, float(energy.mean()), ratio, error, n))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def clutter_left(shares: Values) -> Values:
    """The clutter left in each scene at the last timestep, relative to t = 1: (scenes,); 1 where there was none."""
    first, last = shares[:, 0, 0], shares[:, -1, 0]
    return np.divide(last, first, out=np.ones_like(last), where=first > 0)

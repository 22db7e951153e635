"""Read test scenes in batches from the shards that :mod:`recurrence.scene_writing` writes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recurrence.storage import open_hdf5
from recurrence.variables import VARIABLES


@dataclass(frozen=True)
class Batch:
    """Some scenes: cluttered and clean (b, 1, 100, 100), labels (b,), and their place (``where``) among all scenes."""

    scenes: npt.NDArray[np.float32]
    clean: npt.NDArray[np.float32]
    labels: dict[str, npt.NDArray[np.uint8]]
    where: slice


@dataclass(frozen=True)
class SceneSet:
    """The first ``count`` scenes of ``shards``, in order."""

    shards: Sequence[str]
    count: int

    def batches(self, size: int) -> Iterator[Batch]:
        """All scenes, at most ``size`` at a time. Raises ``ValueError``, naming the shard, if one is damaged."""
        start = 0
        for shard in self.shards:
            with open_hdf5(shard) as file:
                here = min(len(file["scenes"]), self.count - start)
                for first in range(0, here, size):
                    part = slice(first, min(first + size, here))
                    yield Batch(
                        file["scenes"][part][:, None],
                        file["clean"][part][:, None],
                        {variable: file[f"labels/{variable}"][part] for variable in VARIABLES},
                        slice(start + part.start, start + part.stop),
                    )
            start += here

"""Read shards: the source images of one dataset and split, as :mod:`recurrence.datasets` writes them."""

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recurrence.storage import open_hdf5

Bytes = npt.NDArray[np.uint8]


class DataError(ValueError):
    """A data file that is wrong or missing; the message names it and says what to do."""


def digest(images: Bytes, labels: Bytes) -> str:
    """The SHA-256 of images and labels."""
    both = hashlib.sha256(images.data)
    both.update(labels.data)
    return both.hexdigest()


def load_shard(path: str | Path) -> tuple[Bytes, Bytes]:
    """Read a shard: ``images`` (n, 28, 28) and ``labels`` (n,), uint8.

    Raises ``ValueError``, naming the file, if it is damaged or was changed after it was written.
    """
    with open_hdf5(path) as file:
        images, labels = file["images"][:], file["labels"][:]
        shape, written = tuple(file.attrs["shape"]), file.attrs["sha256"]
    if images.shape != shape or len(labels) != len(images) or digest(images, labels) != written:
        raise DataError(
            f"{path}: changed after it was written: delete it and run the rule shards again"
        )
    return images, labels

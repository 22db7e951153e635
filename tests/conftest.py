"""What several tests use: the embedded sample of real digits and garments."""

import pytest

from recurrence.datasets import read_sample
from recurrence.scenes import Sources


@pytest.fixture(scope="session")
def sources() -> Sources:
    """The training images of the embedded sample."""
    digits, fashion = (read_sample(name) for name in ("mnist", "fashion"))
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    return Sources.join(*(tuple(files[name] for name in names) for files in (digits, fashion)))

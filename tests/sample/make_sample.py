"""Make the project's sample: the first 80 training images and 20 test images of each class.

The classes take turns (0, 1, ..., 9, 0, 1, ...), so that any run of images is balanced. SHA256SUMS
holds the checksums of the uncompressed files. From the top of the project:

    PYTHONPATH=workflow/scripts python tests/sample/make_sample.py [data/raw]
"""

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np

from recurrence.datasets import fetch
from recurrence.source_files import FILES, SHA256

PER_CLASS = {"train": 80, "t10k": 20}


def idx(values: np.ndarray) -> bytes:
    """``values`` as an idx file of bytes."""
    return (
        bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes() + values.tobytes()
    )


def main(folder: Path) -> None:
    here = Path(__file__).parent
    sums = []
    for dataset in SHA256:
        full = fetch(dataset, folder)
        for name in FILES:
            stem = name.split("-")[0]
            labels = full[f"{stem}-labels-idx1-ubyte"]
            kept = [np.flatnonzero(labels == c)[: PER_CLASS[stem]] for c in range(10)]
            content = idx(full[name][np.stack(kept, axis=1).ravel()])
            (here / dataset).mkdir(exist_ok=True)
            (here / dataset / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
            sums.append(f"{hashlib.sha256(content).hexdigest()}  {dataset}/{name}\n")
    (here / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "data/raw"))

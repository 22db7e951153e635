"""A run in one zip file: results, configuration, code, lock, checksums, and a description of it all.

The paths in the archive are those of the project, so that results are where they were: ``results/<run>/...``.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from recurrence import crate
from recurrence.storage import atomic

CODE = (
    *("Snakefile", "Makefile", "workflow", "profiles", "envs", "data/published"),
    "tests/sample",  # a source of images (data.source)
    *("README.md", "LICENSE", "CITATION.cff", "pyproject.toml"),
)
CONFIG = "config.yaml"
SUMS = "SHA256SUMS"
LEFT_OUT = ("activations.h5", "__pycache__", ".*", "logs/archive.*", "benchmarks/archive.*")
PACKED = (".safetensors", ".h5", ".png")  # do not get smaller


def write(
    path: Path, project: Path, run: Path, config: Mapping[str, Any], provenance: Mapping[str, Any]
) -> int:
    """Write the archive of the run in the folder ``run``, with its whole ``config``; return the number of files.

    The same run gives the same bytes: files keep their dates, and those that are made here have that of the last job.
    ``project`` has the code. ``provenance`` is that of :func:`recurrence.storage.provenance`.
    """
    made = crate.jobs(run)
    files = dict(_contents(project, run))
    name = config["run"]["name"]
    texts = {CONFIG: f"# The whole configuration of the run {name}.\n{yaml.safe_dump({**config})}"}
    sizes = {CONFIG: len(texts[CONFIG].encode())}
    sizes |= {at: file.stat().st_size for at, file in files.items()}
    description = crate.described(name, dict(sorted(sizes.items())), made, provenance)
    texts[crate.FILE] = json.dumps(description, indent=1, sort_keys=True)
    date = max(job.end for job in made)
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        sums = {at: _add_file(archive, at, file) for at, file in sorted(files.items())}
        sums |= {at: _add_text(archive, at, text, date) for at, text in texts.items()}
        lines = "".join(f"{sums[at]}  {at}\n" for at in sorted(sums))
        _add_text(archive, SUMS, lines, date)
    return len(sums)


def _contents(project: Path, run: Path) -> Iterator[tuple[str, Path]]:
    """The files by their paths in the archive."""
    for part in CODE:
        top = project / part
        for file in [top] if top.is_file() else _files(top):
            yield file.relative_to(project).as_posix(), file
    for file in _files(run):
        yield f"results/{file.relative_to(run.parent).as_posix()}", file


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if any(path.match(pattern) for pattern in LEFT_OUT):
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _entry(at: str, date: datetime) -> zipfile.ZipInfo:
    day = (max(date.year, 1980), date.month, date.day)  # the format has no earlier year
    entry = zipfile.ZipInfo(at, (*day, date.hour, date.minute, date.second))
    packed = at.endswith(PACKED)
    entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _add_file(archive: zipfile.ZipFile, at: str, file: Path) -> str:
    """Add a file, and return its SHA-256."""
    digest = hashlib.sha256()
    about = file.stat()
    entry = _entry(at, datetime.fromtimestamp(about.st_mtime, UTC))
    entry.file_size = about.st_size  # says whether the entry needs fields for more than 4 GB
    with file.open("rb") as source, archive.open(entry, "w") as target:
        while block := source.read(1 << 20):
            digest.update(block)
            target.write(block)
    return digest.hexdigest()


def _add_text(archive: zipfile.ZipFile, at: str, text: str, date: datetime) -> str:
    archive.writestr(_entry(at, date), text.encode())
    return hashlib.sha256(text.encode()).hexdigest()

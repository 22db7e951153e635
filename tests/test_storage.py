"""Files that can't be read, damaged files, and the provenance of outputs."""

import fcntl
import gzip
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from blocks import SMALL
from recurrence.checkpoints import import_checkpoint
from recurrence.configuration.blocks import NetworkReadOuts
from recurrence.datasets import read_idx, write_shards
from recurrence.decoding import decode, decode_scenes
from recurrence.diagrams import connections
from recurrence.job import Progress
from recurrence.network import RecurrentNetwork, load_network, save_network
from recurrence.shards import load_shard
from recurrence.storage import (
    create_hdf5,
    git_commit,
    open_hdf5,
    read_benchmark,
    read_table,
    reading,
    write_table,
)
from recurrence.training import State

READ_OUTS = NetworkReadOuts(
    repeats=1,
    scenes=2,
    fit=1,
    sources=["activation"],
    images=["clean"],
    variables=["scale"],
    max_iter=10,
    connections=False,
)


def write_state(path: Path) -> None:
    torch.save({"iteration": 3}, path)


def resume(path: Path) -> None:
    network = RecurrentNetwork("additive", SMALL)
    optimizer = torch.optim.Adam(network.parameters())
    State(network, optimizer, torch.zeros(3), "float32").resume(path)


def write_network(path: Path) -> None:
    save_network(path, RecurrentNetwork("additive", SMALL), SMALL)


def write_hdf5(path: Path) -> None:
    with create_hdf5(path, {}) as file:
        file["scenes"] = range(5000)


def write_shard(path: Path) -> None:
    files = {split: str(path.with_name(f"{split}.h5")) for split in ("train", "validation")}
    write_shards("mnist", files | {"test": str(path)}, "sample", path.parent, 100)


# How each kind of file is written and read, and the message when its content is wrong.
KINDS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any], str]] = {
    "shard": (write_shard, load_shard, "is damaged"),
    "scenes": (write_hdf5, lambda p: decode_scenes([str(p)], READ_OUTS, 1, 0), "is damaged"),
    "dump": (write_hdf5, lambda p: decode(p, READ_OUTS, 0, Progress("decode", [])), "is damaged"),
    "network": (
        write_network,
        load_network,
        "is not a network of this project",
    ),
    "diagram": (write_network, connections, "is damaged"),
    "state": (write_state, resume, "is damaged"),
    "checkpoint": (
        write_state,
        lambda p: import_checkpoint(p, "additive", SMALL),
        "is not a file of weights only",
    ),
    "table": (
        lambda p: write_table(p, pd.DataFrame({"a": [1.0]})),
        read_table,
        "is damaged",
    ),
    "idx": (
        lambda p: p.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x01\x07")),
        read_idx,
        r": .*(get the file again|too few)",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_cannot_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    _, read, _ = KINDS[kind]
    folder, failing, missing = (tmp_path / name for name in ("folder", "failing", "missing"))
    folder.mkdir()
    failing.symlink_to("/proc/self/mem")  # reading its first byte is an input/output error
    reasons = {folder: "Is a directory", missing: "No such file or directory"}
    reasons |= {failing: "Input/output error"} if Path("/proc/self/mem").exists() else {}
    for path, reason in reasons.items():
        with pytest.raises(OSError, match=rf"{path} cannot be read: {reason}"):
            read(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="changes to another user")
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_permission_is_not_called_damaged(tmp_path: Path, kind: str) -> None:
    write, read, _ = KINDS[kind]
    path = tmp_path / "file"
    write(path)
    with suppress(Exception):
        read(path)  # imports, as root, all that it needs
    path.chmod(0)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("test_", "popen-", "pytest-")):  # pytest's own
            folder.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(PermissionError, match=rf"{path} cannot be read: Permission denied"):
            read(path)
    finally:
        os.seteuid(0)


def test_a_locked_file_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "test-00.h5"
    write_hdf5(path)
    with path.open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with (
            pytest.raises(OSError, match=r"00\.h5 cannot be read: another program has locked it"),
            open_hdf5(path),
        ):
            pass


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_called_damaged(tmp_path: Path, kind: str) -> None:
    write, read, expected = KINDS[kind]
    path = tmp_path / "file"
    write(path)
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"\xff\xfe garbage" * 100):
        if kind == "table" and content and whole.startswith(content):
            continue  # a table that is cut short is still a table
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"^{path}:? ?{expected}"):
            read(path)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 400 bytes."
        ),
    ],
)
def test_too_little_memory_is_not_called_damage(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(b"whole")
    with (
        pytest.raises(MemoryError, match=r"not enough memory \(the file itself may be undamaged\)"),
        reading(path, "is damaged: delete it ({})", Exception),
    ):
        raise error


def test_a_benchmark_that_was_not_finished_has_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "job.tsv"
    for text in ("", "s\tmax_rss\n", "s\tmax_rss\n-\tNA\n", "\0\0"):
        path.write_text(text)
        assert read_benchmark(path).isna().all()
    path.unlink()
    assert read_benchmark(path).isna().all()
    path.write_text("s\th:m:s\tmax_rss\tcpu_time\n2.5\t0:00:02\t90\t1\n")
    assert read_benchmark(path).to_dict() == {"s": 2.5, "cpu_time": 1, "max_rss": 90}


def test_another_error_is_not_called_damage(tmp_path: Path) -> None:
    path = tmp_path / "test-00.h5"
    write_hdf5(path)
    with pytest.raises(KeyError, match="mine"), open_hdf5(path):
        {}["mine"]
    with pytest.raises(OSError, match=r"^\[Errno 28\] No space left"), open_hdf5(path):
        raise OSError(28, "No space left on device")


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.org")
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_that_of_the_project_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = tmp_path / "outer"
    inner = outer / "unpacked"
    inner.mkdir(parents=True)
    (inner / "code.py").write_text("a = 1\n")
    assert git_commit(inner) == "unknown"
    git(outer, "init")
    git(outer, "add", ".")
    git(outer, "commit", "-m", "one", "--no-gpg-sign")
    git(outer, "tag", "-m", "a name", "v1", "--no-sign")
    commit = git(outer, "rev-parse", "HEAD")
    assert git_commit(outer) == commit
    assert git_commit(inner) == "unknown"
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))  # as in a git hook
    assert git_commit(inner) == "unknown"
    (outer / "notes.txt").touch()  # not tracked
    assert git_commit(outer) == commit
    (inner / "code.py").write_text("a = 2\n")
    assert git_commit(outer) == f"{commit}-dirty"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(outer) == "unknown"

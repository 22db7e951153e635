"""What a file was made from: HDF5 files and networks carry it, and who reads one compares it with the configuration."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from recurrence.records import differences
from recurrence.storage import open_hdf5, reading


class OriginError(ValueError):
    """A file was made from other values than the configuration has."""


def origin(path: str | Path) -> dict[str, Any]:
    """What an HDF5 file or a network (safetensors) says that it was made from. Raises as ``reading`` does."""
    if Path(path).suffix == ".safetensors":
        damage = (SafetensorError, KeyError, json.JSONDecodeError)
        wrong = "is not a network of this project: {}"
        with reading(path, wrong, *damage), safe_open(path, "np") as file:
            return dict(json.loads((file.metadata() or {})["provenance"]))
    with open_hdf5(path) as file:
        return {key: _plain(value) for key, value in file.attrs.items()}


def _plain(value: Any) -> Any:
    """A value of an HDF5 attribute; mappings were written as JSON."""
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    return value.tolist() if hasattr(value, "tolist") else value


def require(paths: str | Iterable[str], **expected: Any) -> None:
    """Compare what files say that they were made from with the ``expected`` blocks and values.

    Raises :class:`OriginError` that names the file, each key that differs with its values, and what to do.
    """
    for path in [paths] if isinstance(paths, str) else paths:
        if differing := differences(origin(path), expected):
            raise OriginError(
                f"{path} was made from other values than the configuration has: {'; '.join(differing)}. Delete "
                "the file, and it is made again; or keep it, and give this run a run.name, "
                "data.folder or scenes.set of its own"
            )


def require_images(
    shards: Iterable[str], data: Mapping[str, Any], pair: Mapping[str, Mapping[str, Any]]
) -> None:
    """Compare the shards of one split, one for each dataset of the ``pair``, in order, as :func:`require` does.

    If the configuration gives checksums of a dataset's files, those that the shard was made from must have them.
    """
    for path, dataset in zip(shards, pair.values(), strict=True):
        require(path, data=data, dataset=dataset["name"])
        lines = [] if data["source"] == "sample" else dataset["sha256"]
        given = [line.split(maxsplit=1) for line in lines]
        used = origin(path).get("source_sha256", {})
        require(path, source_sha256={name: digest for digest, name in given if name in used})

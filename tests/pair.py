"""Two small datasets that the tests make: bars as idx files, and rings as .npz files."""

from pathlib import Path
from typing import Any

import numpy as np

from recurrence.source_files import FILES

PER_CLASS = {"train": 12, "test": 6}
CLASSES = {
    "bars": [f"{angle} degrees" for angle in range(0, 180, 18)],
    "rings": [f"{radius} pixels" for radius in range(3, 13)],
}
PAIR = {
    place: {"name": name, "classes": CLASSES[name], "sha256": []}
    for place, name in (("first", "bars"), ("second", "rings"))
}


def draw(name: str, number: int, seed: int) -> np.ndarray:
    """An image (28, 28) of class ``number``, a little out of place."""
    down, right = np.random.default_rng(seed).integers(-2, 3, 2)
    row, column = np.mgrid[:28, :28] - 13.5
    row, column = row - down, column - right
    if name == "rings":
        inside = np.abs(np.hypot(row, column) - (number + 3)) < 1
    else:
        angle = np.deg2rad(18 * number)
        across = row * np.cos(angle) - column * np.sin(angle)
        inside = (np.abs(across) < 1.5) & (np.hypot(row, column) < 11)
    return np.where(inside, 255 - seed % 50, 0).astype(np.uint8)


def arrays(name: str, split: str) -> dict[str, np.ndarray]:
    """``images`` and ``labels`` of a split, classes in turn."""
    labels = np.arange(10 * PER_CLASS[split]) % 10
    seed = 1000 * (split == "test")
    images = np.stack([draw(name, c, seed + i) for i, c in enumerate(labels)])
    return {"images": images, "labels": labels}


def idx(values: np.ndarray) -> bytes:
    """``values`` as an idx file of bytes."""
    head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    return head + values.astype(np.uint8).tobytes()


def write_pair(folder: Path) -> None:
    """Write both datasets into the folder that data.files names."""
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    made = [each for split in PER_CLASS for each in arrays("bars", split).values()]
    for file, values in zip(FILES, made, strict=True):
        (folder / "bars" / file).write_bytes(idx(values))
    for split in PER_CLASS:
        np.savez_compressed(folder / "rings" / f"{split}.npz", **arrays("rings", split))


def with_pair(overlay: dict[str, Any], name: str) -> dict[str, Any]:
    """The configuration ``overlay`` with this pair, under another name."""
    data = {"source": "full", "folder": "data", "files": "own", "validation": 30, "pair": PAIR}
    run = {**overlay["run"], "name": name, "interactions": ["multiplicative"], "instances": 1}
    scenes = {**overlay["scenes"], "set": name}
    return {**overlay, "data": data, "run": run, "scenes": scenes}

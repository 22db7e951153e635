"""The animated strip: a frame for each timestep, with the maps in it."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from recurrence.animation import LAST, MILLISECONDS, write_strip


def test_a_strip_has_a_frame_for_each_timestep(tmp_path: Path) -> None:
    """The maps of the two networks are flat, and brighter at later timesteps."""
    with h5py.File(tmp_path / "examples.h5", "w") as file:
        file.attrs["typical"] = 2
        file["clean"] = np.zeros((2, 100, 100))
        for way in ("horizontal", "vertical"):
            file[f"labels/location_{way}"] = np.array([0, 1])
        for name, start in (("multiplicative", 0.2), ("additive", 0.5)):
            levels = start + 0.1 * np.arange(3)
            file[f"prediction/{name}"] = np.zeros(2)
            file[f"input/{name}"] = np.broadcast_to(
                levels[None, :, None, None], (2, 3, 100, 100)
            ).copy()
    path = tmp_path / "strip.png"
    write_strip(tmp_path / "examples.h5", path)
    with Image.open(path) as image:
        assert image.n_frames == 3
        found, durations = [], []
        for t in range(3):
            image.seek(t)
            grey = np.asarray(image.convert("L"))
            durations.append(image.info["duration"])
            # The middles of the first scene's images, away from the frame of the target.
            found.append([grey[32 + 70, 30 + 70], grey[32 + 70 + 111, 30 + 70]])
    assert durations == [MILLISECONDS, MILLISECONDS, LAST]
    expected = [[(0.2 + 0.1 * t) * 255, (0.5 + 0.1 * t) * 255] for t in range(3)]
    np.testing.assert_allclose(np.asarray(found, dtype=float), expected, atol=2)


def test_a_run_without_scenes_has_no_strip(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "examples.h5", "w") as file:
        file.attrs["typical"] = 0
        file["clean"] = np.zeros((1, 100, 100))
        for group in ("input", "prediction", "labels"):
            file.create_group(group)
    with pytest.raises(ValueError, match="has no scenes"):
        write_strip(tmp_path / "examples.h5", tmp_path / "strip.png")

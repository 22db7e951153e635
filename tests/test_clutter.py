"""Clutter at the input, against loops over scenes and pixels."""

import numpy as np
import pytest
import torch

from recurrence.clutter import QUADRANTS, clutter_left, clutter_table, energy_outside
from recurrence.network import Activity, Trajectory


def test_energy_outside_the_target_by_quadrant() -> None:
    random = np.random.default_rng(0)
    maps = random.random((2, 4, 100, 100)).astype(np.float32)  # timesteps, scenes
    clean = random.random((4, 100, 100)).astype(np.float32) * (random.random((4, 100, 100)) > 0.8)
    horizontal, vertical = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    scenes = np.where(clean > 0.5, clean, random.random(clean.shape).astype(np.float32))
    scenes[3] = clean[3]  # no clutter
    activities = [Activity({"input": torch.from_numpy(each)[:, None]}, {}) for each in maps]
    run = Trajectory(torch.zeros(4, 20), activities, [])
    found = energy_outside(
        run,
        torch.from_numpy(scenes)[:, None],
        torch.from_numpy(clean)[:, None],
        torch.from_numpy(horizontal),
        torch.from_numpy(vertical),
    )
    assert found.shape == (4, 2, 3)
    for scene in range(4):
        for t in range(2):
            sums = dict.fromkeys(("all", "target", "others"), 0.0)
            for row in range(0, 100):
                for column in range(0, 100):
                    if clean[scene, row, column] > 0.1:
                        continue
                    energy = float(maps[t, scene, row, column]) ** 2
                    own = (row >= 50) == vertical[scene] and (column >= 50) == horizontal[scene]
                    sums["all"] += energy
                    sums["target" if own else "others"] += energy
            total = (maps[t, scene].astype(float) ** 2).sum()
            expected = [sums[quadrant] / total * (scene != 3) for quadrant in QUADRANTS]
            assert found[scene, t].tolist() == pytest.approx(expected, rel=1e-4)


def test_clutter_relative_to_the_first_timestep() -> None:
    random = np.random.default_rng(1)
    shares = random.random((200, 3, 3)) * np.array([1, 0.8, 0.5])[None, :, None]
    table = clutter_table(shares).set_index(["quadrant", "timestep"])
    for number, quadrant in enumerate(QUADRANTS):
        for t in range(3):
            row = table.loc[(quadrant, t + 1)]
            assert row["energy_outside"] == pytest.approx(shares[:, t, number].mean())
            ratio = shares[:, t, number].mean() / shares[:, 0, number].mean()
            assert row["relative"] == pytest.approx(ratio)
            assert row["n"] == 200
    # The standard error is that of the ratio over scenes drawn anew.
    drawn = []
    for _ in range(2_000):
        again = shares[random.integers(0, 200, 200)]
        drawn.append(again[:, 2, 1].mean() / again[:, 0, 1].mean())
    assert table.loc[("target", 3), "standard_error"] == pytest.approx(np.std(drawn), rel=0.1)
    assert table.loc[("all", 1), "standard_error"] == 0


def test_scenes_without_clutter() -> None:
    shares = np.zeros((5, 2, 3))
    table = clutter_table(shares)
    assert table[["relative", "standard_error"]].isna().all(axis=None)
    shares[0, :, 0] = (0.5, 0.2)
    assert clutter_left(shares).tolist() == pytest.approx([0.4, 1, 1, 1, 1])

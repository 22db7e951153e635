"""The evaluation of a network on test scenes, against the network itself."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from blocks import SMALL, block_with
from recordings import SHARD, made, recorded
from recurrence.network import RecurrentNetwork
from recurrence.scene_reading import SceneSet


def test_ablation_removes_the_fc_lateral_connection(scene_files: list[str], tmp_path: Path) -> None:
    network = made("additive")
    for parameter in network.lateral["fc"].parameters():
        parameter.data *= 100  # so that it has an effect
    ablation = recorded(network, SceneSet(scene_files, SHARD), tmp_path / "a.h5").ablation
    without = RecurrentNetwork("additive", block_with(SMALL, lateral=["conv1", "conv2"])).eval()
    without.load_state_dict(network.state_dict(), strict=False)
    with h5py.File(scene_files[0]) as file, torch.inference_mode():
        images = torch.from_numpy(file["scenes"][:])[:, None]
        label = file["labels/category"][:]
        intact = network(images).logits.argmax(1).numpy() == label
        ablated = without(images).logits.argmax(1).numpy() == label
    assert ablation.accuracy_intact[0] == pytest.approx(intact.mean())
    assert ablation.accuracy_ablated[0] == pytest.approx(ablated.mean())
    assert ablation.intact_only[0] == (intact & ~ablated).sum()
    assert ablation.ablated_only[0] == (ablated & ~intact).sum()


def test_answers_and_clutter_of_each_scene(scene_files: list[str], tmp_path: Path) -> None:
    network = made("multiplicative")
    evaluation = recorded(network, SceneSet(scene_files, SHARD), tmp_path / "a.h5")
    with h5py.File(scene_files[0]) as file, torch.inference_mode():
        scenes, clean = file["scenes"][:], file["clean"][:]
        category = file["labels/category"][:]
        run = network(torch.from_numpy(scenes)[:, None])
    table = evaluation.scenes
    assert table["scene"].tolist() == list(range(SHARD))
    np.testing.assert_array_equal(table["category"], category)
    np.testing.assert_array_equal(table["answer"], run.logits.argmax(1))
    maps = [activity.maps["input"][:, 0].numpy().astype(float) for activity in run.activities]
    for scene in range(SHARD):
        outside = clean[scene] <= 0.1
        energy = [(m[scene][outside] ** 2).sum() / (m[scene] ** 2).sum() for m in maps]
        assert table["clutter_left"][scene] == pytest.approx(energy[-1] / energy[0], rel=1e-4)

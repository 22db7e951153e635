"""The evaluation of a network on test scenes, against the network itself."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from blocks import SMALL, block_with
from recordings import SHARD, made, recorded
from recurrence.evaluation import energy_outside
from recurrence.examples import write_examples
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


def test_energy_outside_the_target() -> None:
    network = made("feedforward")
    clean = torch.zeros(1, 1, 100, 100)
    clean[..., :50, :] = 1
    scene = torch.ones(1, 1, 100, 100)
    scene[..., 50:, :] = 0.5
    with torch.inference_mode():
        energy = energy_outside(network(scene), clean)
    assert energy[0].tolist() == pytest.approx([0.2, 0.2, 0.2])


def test_examples_for_the_figures(scene_files: list[str], tmp_path: Path) -> None:
    network, path = made("multiplicative"), tmp_path / "examples.h5"
    write_examples(network, scene_files[0], path, {})
    with h5py.File(path) as file, h5py.File(scene_files[0]) as scenes:
        np.testing.assert_array_equal(file["scenes"][:], scenes["scenes"][:12])
        np.testing.assert_array_equal(file["input"][:, 0], scenes["scenes"][:12])
        assert file["input"].shape == (12, 3, 100, 100)

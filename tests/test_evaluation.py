"""The evaluation of a network on test scenes, against the network itself."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch

from blocks import SMALL, block_with
from recordings import SHARD, made, recorded
from recurrence.ablation import ablations
from recurrence.configuration.blocks import Network
from recurrence.network import RecurrentNetwork
from recurrence.scene_reading import SceneSet

NAMES = [*SMALL.lateral, *SMALL.topdown]
ABLATIONS = {name: [name] for name in NAMES} | {
    "lateral": SMALL.lateral,
    "topdown": SMALL.topdown,
    "all": NAMES,
}


def test_ablation_is_a_network_without_the_connections(
    scene_files: list[str], tmp_path: Path
) -> None:
    """Against passes one image at a time, by networks that never had the connections."""
    network = made("additive")
    for name in ("lateral", "topdown"):  # so that each connection has an effect
        for parameter in getattr(network, name).parameters():
            parameter.data *= 30
    count = 20
    evaluation = recorded(network, SceneSet(scene_files, count), tmp_path / "a.h5")
    with h5py.File(scene_files[0]) as file:
        images = torch.from_numpy(file["scenes"][:count])[:, None]
        label = file["labels/category"][:count]

    def right(one: RecurrentNetwork) -> npt.NDArray[np.bool_]:
        """Which scenes are named right by the read-out that has seen fc up to t: (scenes, timesteps)."""
        answers = []
        for image in images:
            vectors = [activity.maps["fc"] for activity in one(image[None]).activities]
            unseen = [torch.zeros_like(vector) for vector in vectors]
            read = [torch.cat(vectors[:t] + unseen[t:], 1) for t in (1, 2, 3)]
            answers.append([int(one.readout(vector).argmax()) for vector in read])
        return np.array(answers) == label[:, None]

    with torch.inference_mode():
        intact = right(network)
        for name, removed in ABLATIONS.items():
            kept = {
                kind: [each for each in getattr(SMALL, kind) if each not in removed]
                for kind in ("lateral", "topdown")
            }
            without = RecurrentNetwork("additive", block_with(SMALL, **kept)).eval()
            without.load_state_dict(network.state_dict(), strict=False)
            ablated = right(without)
            over_time = evaluation.ablation_over_time
            rows = over_time[over_time.removed == name]
            assert rows.timestep.tolist() == [1, 2, 3] and set(rows.n) == {count}
            assert rows.accuracy_intact.tolist() == pytest.approx(intact.mean(0))
            assert rows.accuracy_ablated.tolist() == pytest.approx(ablated.mean(0))
            assert rows.intact_only.tolist() == (intact & ~ablated).sum(0).tolist()
            assert rows.ablated_only.tolist() == (ablated & ~intact).sum(0).tolist()
    assert list(evaluation.ablation.removed.unique()) == [*ABLATIONS]
    last = over_time[over_time.timestep == 3].drop(columns="timestep").reset_index(drop=True)
    pd.testing.assert_frame_equal(evaluation.ablation, last)
    changed = over_time.groupby("removed")[["intact_only", "ablated_only"]].sum().sum(axis=1)
    assert (changed > 0).sum() > 6
    assert evaluation.accuracy.accuracy[0] == rows.accuracy_intact.iloc[-1]


@pytest.mark.parametrize(
    ("interaction", "block", "expected"),
    [
        ("multiplicative", block_with(SMALL, topdown=[]), [*SMALL.lateral, "lateral", "all"]),
        ("additive", block_with(SMALL, lateral=["fc"], topdown=[]), ["fc", "lateral", "all"]),
        ("feedforward", SMALL, []),
    ],
)
def test_only_connections_that_are_there_are_removed(
    interaction: str, block: Network, expected: list[str]
) -> None:
    assert [*ablations(RecurrentNetwork(interaction, block))] == expected


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

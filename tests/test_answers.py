"""Answers over time, against the plain equations of the output layer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from recordings import SHARD, made, recorded
from recurrence.answers import AnswerCounts
from recurrence.network import Activity, Trajectory
from recurrence.scene_reading import SceneSet


@pytest.mark.parametrize("interaction", ["multiplicative", "additive"])
@pytest.mark.parametrize("alone", [False, True])
def test_the_output_layer_sees_only_some_timesteps(interaction: str, alone: bool) -> None:
    network = made(interaction)
    with torch.inference_mode():
        run = network(torch.rand(4, 1, 100, 100))
        found = network.read_outs(run, alone)
    weight = network.readout.weight.detach().numpy().astype(np.float64)
    bias = network.readout.bias.detach().numpy().astype(np.float64)
    fc = [activity.maps["fc"].numpy().astype(np.float64) for activity in run.activities]
    units = fc[0].shape[1]
    assert found.shape == (4, 3, 20)
    for t in range(3):
        expected = np.tile(bias, (4, 1))
        for s in [t] if alone else range(t + 1):
            expected += fc[s] @ weight[:, s * units : (s + 1) * units].T
        np.testing.assert_allclose(found[:, t], expected, atol=1e-5)
    if not alone:
        torch.testing.assert_close(found[:, -1], run.logits)


def test_the_table_counts_scenes_one_at_a_time() -> None:
    """On fc vectors that change the answer over time, in two batches."""
    network = made("additive")
    torch.manual_seed(3)
    fc = [5 * torch.rand(40, 10) for _ in range(3)]
    activities = [Activity({"fc": each}, {"fc": each}) for each in fc]
    counts = AnswerCounts()
    with torch.inference_mode():
        logits = network.readout(torch.cat(fc, 1))
        category = torch.where(torch.arange(40) % 2 == 0, logits.argmax(1), torch.arange(40) % 20)
        for part in (slice(0, 25), slice(25, 40)):
            some = [
                Activity({"fc": a.maps["fc"][part]}, {"fc": a.maps["fc"][part]}) for a in activities
            ]
            counts.add(network, Trajectory(logits[part], some, []), category[part])
        steps = network.read_outs(Trajectory(logits, activities, [])).numpy()
    table = counts.table()
    assert len(table) == 2 * 3 * 3
    for answer, wanted in (("all", None), ("right", True), ("wrong", False)):
        for t in range(3):
            hits, confidences = [], []
            for scene in range(40):
                final = int(logits[scene].argmax()) == int(category[scene])
                if wanted is not None and final != wanted:
                    continue
                exponentials = np.exp(steps[scene, t] - steps[scene, t].max())
                confidences.append(exponentials.max() / exponentials.sum())
                hits.append(int(steps[scene, t].argmax()) == int(category[scene]))
            row = table[
                (table["seen"] == "so_far")
                & (table["answer"] == answer)
                & (table["timestep"] == t + 1)
            ].iloc[0]
            assert row["n"] == len(hits) > 0
            assert row["accuracy"] == pytest.approx(np.mean(hits))
            assert row["confidence"] == pytest.approx(np.mean(confidences), rel=1e-5)
    last = table[(table["timestep"] == 3) & (table["seen"] == "so_far")].set_index("answer")
    assert last["accuracy"].loc[["right", "wrong"]].tolist() == [1, 0]
    first = table[(table["timestep"] == 1) & (table["answer"] == "right")]
    assert first["accuracy"].lt(1).all()  # the answers did change over time


def test_answers_of_a_recorded_network(scene_files: list[str], tmp_path: Path) -> None:
    evaluation = recorded(made("additive"), SceneSet(scene_files, SHARD), tmp_path / "a.h5")
    answers, accuracy = evaluation.answers, evaluation.accuracy.set_index("image")["accuracy"]
    last = answers[(answers["timestep"] == 3) & (answers["answer"] == "all")].set_index("seen")
    assert last.loc["so_far", "accuracy"] == pytest.approx(accuracy["cluttered"])
    assert last.loc["so_far", "n"] == SHARD
    counts = answers[answers["seen"] == "alone"].groupby("answer")["n"].first()
    assert counts["right"] + counts["wrong"] == counts["all"]

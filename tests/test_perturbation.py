"""Perturbations against a full pass for every scene and intervention."""

import dataclasses
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from blocks import SMALL, block_with
from recurrence.configuration.blocks import Location, Orientation, Perturbation, Scale
from recurrence.job import Progress
from recurrence.names import RENDERINGS
from recurrence.network import Intervention, RecurrentNetwork
from recurrence.perturbation import COLUMNS, Experiment, perturb, replacements, write_example
from recurrence.scenes import SceneDistribution, SourceImages, alter
from recurrence.wiring import ends

BLOCK = Perturbation(
    scale=Scale(small=0.8, large=1.6, jitter=0),
    orientation=Orientation(angle=35, jitter=0),
    location=Location(jitter=0),
    repeats=1,
    scenes=3,
    precision="float32",
    renderings=["opposite"],
    connections=False,
)
UNJITTERED = SceneDistribution(7, 0.8, 1.6, 0, 35, 0, 0)


def made(sources: SourceImages, interaction: str = "multiplicative") -> Experiment:
    torch.manual_seed(6)
    network = RecurrentNetwork(interaction, SMALL).eval()
    for (
        parameter
    ) in network.parameters():  # strong recurrence, so that interventions have an effect
        parameter.data *= 3
    return Experiment(network, sources, UNJITTERED, seed=4)


@pytest.mark.parametrize("interaction", ["multiplicative", "additive"])
def test_table_equals_a_full_rerun_of_every_scene(sources: SourceImages, interaction: str) -> None:
    experiment, n = made(sources, interaction), 6
    block = block_with(BLOCK, renderings=[*RENDERINGS], repeats=2, scenes=n, connections=True)
    table = perturb(experiment, block, Progress("perturb", [], 2 * n))
    assert list(table.columns) == COLUMNS
    together, apart = (table[table.connection.eq("all") == which] for which in (True, False))
    assert len(together) == 2 * 2 * 4 * 2 * 6  # repeats, renderings, layers, timesteps, variables
    assert len(apart) == 2 * 2 * 9 * 2 * 6  # with connections in place of layers
    assert {*apart.connection} == {*experiment.network.connections}
    assert all(ends(row.connection)[1] == row.layer for row in apart.itertuples())
    network = experiment.network

    def carried(image: Tensor, layer: str, timestep: int, connection: str) -> Tensor:
        """The recurrent flow along one connection to a layer, or along all of them."""
        run = network(image)
        if connection == "all":
            return run.flow(layer, timestep)
        source, lateral = ends(connection)[0], connection in network.lateral
        module = network.lateral[connection] if lateral else network.topdown[connection]
        activity = run.activities[timestep - 2]
        flow: Tensor = module((activity.maps if lateral else activity.outputs)[source])
        return flow

    chosen = pd.concat([each.sample(24, random_state=0) for each in (together, apart)])
    for row in chosen.itertuples():
        hits = []
        for index in range(row.repeat * n, (row.repeat + 1) * n):
            recipe = experiment.recipe(range(index, index + 1))
            label = int(recipe.categories(sources)[0])
            altered_recipe = alter(recipe, row.variable, row.rendering, UNJITTERED)
            permutation = experiment.permutations(range(index, index + 1))[row.layer][0]
            with torch.inference_mode():
                image = experiment.paint(recipe)
                plain = network(image)
                r = plain.flow(row.layer, row.timestep)
                cell = (row.layer, row.timestep, row.connection)
                change = carried(experiment.paint(altered_recipe), *cell) - carried(image, *cell)
                shuffled = change.flatten()[permutation].view(r.shape)
                runs = [plain] + [
                    network(image, Intervention(row.layer, row.timestep, r + added))
                    for added in (change, shuffled)
                ]
            hits.append([int(run.logits.argmax()) == label for run in runs])
        original, systematic, control = np.array(hits).T
        assert row.accuracy_original == pytest.approx(np.mean(original))
        assert row.accuracy_systematic == pytest.approx(np.mean(systematic))
        assert row.accuracy_control == pytest.approx(np.mean(control))
        assert row.n == n
        for name, alone in (
            ("control_only", control & ~systematic),
            ("systematic_only", systematic & ~control),
        ):
            assert getattr(row, name) == alone.sum()
            assert getattr(row, f"{name}_original") == (alone & original).sum()
        if row.accuracy_original:
            expected = (np.mean(control) - np.mean(systematic)) / np.mean(original)
            assert row.functional_importance == pytest.approx(expected)
    assert (table.accuracy_systematic != table.accuracy_original).any()
    assert (table.control_only + table.systematic_only > 0).any()
    # The only connection to a layer is all of them.
    at_fc = [rows[rows.layer == "fc"].drop(columns="connection") for rows in (together, apart)]
    pd.testing.assert_frame_equal(*(rows.reset_index(drop=True) for rows in at_fc))
    assert (apart.systematic_only > 0).any() and (apart.control_only > 0).any()


def test_connections_add_rows_and_change_none(sources: SourceImages) -> None:
    progress = Progress("perturb", [], 3)
    without = perturb(made(sources), BLOCK, progress)
    table = perturb(made(sources), block_with(BLOCK, connections=True), progress)
    assert set(without.connection) == {"all"}
    whole = table[table.connection == "all"].reset_index(drop=True)
    pd.testing.assert_frame_equal(whole, without)


def test_bfloat16_changes_few_answers(sources: SourceImages) -> None:
    exact, near = (
        perturb(
            made(sources),
            block_with(BLOCK, scenes=20, precision=precision),
            Progress("perturb", [], 20),
        )
        for precision in ("float32", "bfloat16")
    )
    for kind in ("original", "systematic", "control"):
        moved = (exact[f"accuracy_{kind}"] - near[f"accuracy_{kind}"]).abs()
        assert moved.mean() < 0.04  # random networks: many answers are close
    assert not exact.equals(near)


def test_the_control_is_a_permutation_of_the_systematic_change(sources: SourceImages) -> None:
    experiment, indices = made(sources), range(3)
    recipe = experiment.recipe(indices)
    altered = alter(recipe, "location_vertical", "opposite", UNJITTERED)
    with torch.inference_mode():
        one, other = (experiment.network(experiment.paint(r)) for r in (recipe, altered))
    permutations = experiment.permutations(indices)
    made_flows = [*replacements(one, other, permutations)]
    assert {(layer, t) for layer, t, *_ in made_flows} == {
        (layer, t) for layer in ("input", "conv1", "conv2", "fc") for t in (2, 3)
    }
    for layer, t, _, flows in made_flows:
        before = one.flows[t - 1][layer]
        change, shuffled = (flows[kind] - before for kind in ("systematic", "control"))
        for scene in range(3):
            np.testing.assert_allclose(
                shuffled[scene].flatten().sort().values,
                change[scene].flatten().sort().values,
                atol=1e-4,
                rtol=1e-5,
            )
        assert change.numel() < 50 or not torch.allclose(change, shuffled)


def test_permutations_belong_to_a_scene(sources: SourceImages) -> None:
    experiment = made(sources)
    whole, part = experiment.permutations(range(4)), experiment.permutations(range(2, 4))
    for layer, permutation in whole.items():
        assert torch.equal(permutation[2:], part[layer])
        assert torch.equal(permutation.sort(1).values[0], torch.arange(permutation.shape[1]))
        assert not torch.equal(permutation[0], permutation[1])


def test_a_network_without_recurrence_has_nothing_to_perturb(
    sources: SourceImages, tmp_path: Path
) -> None:
    experiment = made(sources, "feedforward")
    assert perturb(experiment, BLOCK, Progress("perturb", [], 3)).empty
    write_example(experiment, tmp_path / "example.h5", {})
    with h5py.File(tmp_path / "example.h5") as file:
        assert len(file) == 0 and file.attrs["missing"] == "flow"


def test_example_is_the_first_scene_that_the_perturbation_flips(
    sources: SourceImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers are set by hand: among the first scenes, number 7 alone is as the rule asks."""
    experiment, path = made(sources), tmp_path / "example.h5"
    category = experiment.recipe(range(50)).categories(experiment.sources)
    forward = type(experiment.network).forward
    wanted = {
        "original": {3, 7, 9, 20},
        "systematic": {9, 11},
        "control": {7, 9, 20},
    }
    kinds = iter(["other", "other", "original", "systematic", "control"])

    def answering(self: Any, *given: Any) -> Any:
        run, kind = forward(self, *given), next(kinds)
        right = wanted.get(kind, wanted["original"])
        logits = torch.zeros(50, 20)
        for scene in range(50):
            logits[scene, int(category[scene]) if scene in right else 0] = 1
            if scene not in right:
                logits[scene, (int(category[scene]) + 1) % 20] = 2
        return dataclasses.replace(run, logits=logits)

    monkeypatch.setattr(type(experiment.network), "forward", answering)
    write_example(experiment, path, {"seed": 4})
    with h5py.File(path) as file:
        facts, maps = dict(file.attrs), {name: file[name][:] for name in file}
    monkeypatch.undo()
    assert (facts["layer"], facts["timestep"], facts["seed"]) == ("input", 3, 4)
    assert facts["category"] == facts["prediction_original"] == facts["prediction_control"]
    assert facts["prediction_systematic"] != facts["category"] == category[7]
    images = experiment.paint(experiment.recipe(range(7, 8)))
    np.testing.assert_array_equal(maps["original"], images[0, 0])
    with torch.inference_mode():
        run = experiment.network(images)
    np.testing.assert_allclose(
        maps["input_original"][2], run.activities[2].maps["input"][0, 0], atol=1e-3
    )
    conv1 = run.activities[2].maps["conv1"][0]
    np.testing.assert_allclose(maps["conv1_original"][2], conv1.mean(0), atol=1e-2)
    np.testing.assert_array_equal(maps["input_original"][:2], maps["input_control"][:2])
    assert not np.array_equal(maps["input_original"][2], maps["input_systematic"][2])
    assert maps["flow_control"].shape == (1, 100, 100)


def test_without_such_a_scene_there_is_no_example(sources: SourceImages, tmp_path: Path) -> None:
    experiment = made(sources)
    with torch.no_grad():
        experiment.network.readout.weight.zero_()  # always the same answer, which nothing flips
    write_example(experiment, tmp_path / "example.h5", {})
    with h5py.File(tmp_path / "example.h5") as file:
        assert len(file) == 0 and file.attrs["missing"] == "scene"

"""Perturbations against a full pass for every scene and intervention."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from blocks import SMALL, block_with
from recurrence.configuration.blocks import Location, Orientation, Perturbation, Scale
from recurrence.job import Progress
from recurrence.names import RENDERINGS
from recurrence.network import Intervention, RecurrentNetwork
from recurrence.perturbation import COLUMNS, Experiment, perturb, replacements, write_example
from recurrence.scenes import SceneDistribution, Sources, alter

BLOCK = Perturbation(
    scale=Scale(small=0.8, large=1.6, jitter=0),
    orientation=Orientation(angle=35, jitter=0),
    location=Location(jitter=0),
    repeats=1,
    scenes=3,
    precision="float32",
    renderings=["opposite"],
)
UNJITTERED = SceneDistribution(7, 0.8, 1.6, 0, 35, 0, 0)


def made(sources: Sources, interaction: str = "multiplicative") -> Experiment:
    torch.manual_seed(6)
    network = RecurrentNetwork(interaction, SMALL).eval()
    for (
        parameter
    ) in network.parameters():  # strong recurrence, so that interventions have an effect
        parameter.data *= 3
    return Experiment(network, sources, UNJITTERED, seed=4)


@pytest.mark.parametrize("interaction", ["multiplicative", "additive"])
def test_table_equals_a_full_rerun_of_every_scene(sources: Sources, interaction: str) -> None:
    experiment, n = made(sources, interaction), 6
    block = block_with(BLOCK, renderings=[*RENDERINGS], repeats=2, scenes=n)
    table = perturb(experiment, block, Progress("perturb", [], 2 * n))
    assert list(table.columns) == COLUMNS
    assert len(table) == 2 * 2 * 4 * 2 * 6  # repeats, renderings, layers, timesteps, variables
    network = experiment.network
    for row in table.sample(24, random_state=0).itertuples():
        hits = []
        for index in range(row.repeat * n, (row.repeat + 1) * n):
            recipe = experiment.recipe(range(index, index + 1))
            label = int(recipe.categories(sources)[0])
            altered_recipe = alter(recipe, row.variable, row.rendering, UNJITTERED)
            permutation = experiment.permutations(range(index, index + 1))[row.layer][0]
            with torch.inference_mode():
                image = experiment.paint(recipe)
                plain = network(image)
                r = plain.flows[row.timestep - 1][row.layer]
                other = network(experiment.paint(altered_recipe)).flows[row.timestep - 1][row.layer]
                shuffled = (other - r).flatten()[permutation].view(r.shape)
                runs = [plain] + [
                    network(image, Intervention(row.layer, row.timestep, flow))
                    for flow in (other, r + shuffled)
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


def test_bfloat16_changes_few_answers(sources: Sources) -> None:
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


def test_the_control_is_a_permutation_of_the_systematic_change(sources: Sources) -> None:
    experiment, indices = made(sources), range(3)
    recipe = experiment.recipe(indices)
    altered = alter(recipe, "location_vertical", "opposite", UNJITTERED)
    with torch.inference_mode():
        one, other = (experiment.network(experiment.paint(r)) for r in (recipe, altered))
    permutations = experiment.permutations(indices)
    made_flows = replacements(one, other, permutations)
    assert {(layer, t) for layer, t, _ in made_flows} == {
        (layer, t) for layer in ("input", "conv1", "conv2", "fc") for t in (2, 3)
    }
    for layer, t, flows in made_flows:
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


def test_permutations_belong_to_a_scene(sources: Sources) -> None:
    experiment = made(sources)
    whole, part = experiment.permutations(range(4)), experiment.permutations(range(2, 4))
    for layer, permutation in whole.items():
        assert torch.equal(permutation[2:], part[layer])
        assert torch.equal(permutation.sort(1).values[0], torch.arange(permutation.shape[1]))
        assert not torch.equal(permutation[0], permutation[1])


def test_a_network_without_recurrence_has_nothing_to_perturb(
    sources: Sources, tmp_path: Path
) -> None:
    experiment = made(sources, "feedforward")
    assert perturb(experiment, BLOCK, Progress("perturb", [], 3)).empty
    write_example(experiment, tmp_path / "example.h5", {})
    with h5py.File(tmp_path / "example.h5") as file:
        assert len(file) == 0


def test_example_shows_one_perturbed_scene(sources: Sources, tmp_path: Path) -> None:
    experiment, path = made(sources), tmp_path / "example.h5"
    write_example(experiment, path, {"seed": 4})
    with h5py.File(path) as file:
        assert file.attrs["layer"] == "input" and file.attrs["timestep"] == 3
        assert file.attrs["seed"] == 4
        assert file["original"].shape == file["altered"].shape == (100, 100)
        np.testing.assert_array_equal(file["input_original"][:2], file["input_control"][:2])
        assert not np.array_equal(file["input_original"][2], file["input_systematic"][2])
        assert file["flow_control"].shape == (1, 100, 100)

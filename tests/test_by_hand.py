"""A run by hand: what load() gives, against the files that the workflow left and its own functions."""

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.style as mpl_style
import numpy as np
import pytest
import torch

import recurrence
from blocks import SMALL
from recurrence import by_hand
from recurrence.by_hand import MODEL
from recurrence.configuration.problems import ConfigurationError
from recurrence.network import RecurrentNetwork
from recurrence.perturbation import replacements
from recurrence.scene_reading import SceneSet
from recurrence.scenes import SceneDistribution, SourceImages
from recurrence.storage import read_table
from study import ROOT, Study


@pytest.fixture(scope="session")
def run(finished: Study) -> recurrence.Run:
    return recurrence.load(finished.folder / "results/tiny")


def test_the_import_is_light_and_lists_what_there_is() -> None:
    """The Snakefile imports the package too."""
    code = "import recurrence, sys; print(*dir(recurrence)); print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    names, modules = (set(line.split()) for line in done.stdout.splitlines())
    assert not {"numpy", "torch", "matplotlib", "pandas", "recurrence.by_hand"} & modules
    assert {*recurrence.__all__} <= names
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        recurrence.laod  # noqa: B018


@pytest.mark.parametrize("name", recurrence.__all__)
def test_what_is_there_is_described(name: str) -> None:
    assert len(inspect.getdoc(getattr(recurrence, name)) or "") > 20


def test_a_run_has_its_networks_tables_and_categories(run: recurrence.Run) -> None:
    interactions = ("multiplicative", "additive", "feedforward")
    assert run.networks == [(name, k) for name in interactions for k in (1, 2)]
    assert run.config.run.name == "tiny" and run.config.network.timesteps == 3
    assert {"accuracy", "decoding", "scorecard", "training"} <= set(run.tables)
    path = run.folder / "tables/decoding.csv"
    assert run.table("decoding").equals(read_table(path))
    assert run.categories[9:11] == ["9", "T-shirt"] and len(run.categories) == 20


def test_what_a_run_lacks_is_refused_with_what_there_is(run: recurrence.Run) -> None:
    with pytest.raises(ValueError, match="no additive network 3: there is multiplicative 1, "):
        run.network("additive", 3)
    with pytest.raises(
        ValueError, match="no table 'decode': there is ablation, ablation_over_time, accuracy, "
    ):
        run.table("decode")
    with pytest.raises(FileNotFoundError, match=r"results is not the folder of a run: .*config\.y"):
        recurrence.load(run.folder.parent)


def test_a_wrong_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("run: {name: tiny}\n")
    with pytest.raises(ConfigurationError, match="network: is missing"):
        recurrence.load(tmp_path)


def test_scenes_are_those_of_the_run(run: recurrence.Run, finished: Study) -> None:
    shard = str(finished.folder / "data/sample/scenes/standard/test-01.h5")
    batch = next(SceneSet([shard], 4).batches(4))  # the scenes 30 to 33
    scenes = run.scenes(range(30, 34))
    assert np.array_equal(scenes.images, batch.scenes) and np.array_equal(scenes.clean, batch.clean)
    assert scenes.labels.keys() == batch.labels.keys()
    assert all(np.array_equal(scenes.labels[name], batch.labels[name]) for name in batch.labels)
    alone = run.scenes(2, SceneDistribution(clutter=0))
    torch.testing.assert_close(alone.images, alone.clean)


def test_a_networks_answers_are_those_of_its_files(run: recurrence.Run) -> None:
    network, examples = run.network("multiplicative"), run.examples()
    assert not any(weight.requires_grad for weight in network.parameters())
    with by_hand.open_hdf5(run.folder / "examples.h5") as file:
        maps, answers = file["input/multiplicative"][:], file["prediction/multiplicative"][:]
    passed = network(examples.images)
    assert np.array_equal(passed.logits.argmax(1), answers)
    for t, activity in enumerate(passed.activities):
        np.testing.assert_allclose(activity.maps["input"][:, 0], maps[:, t], atol=1e-6)


def test_an_intervention_is_that_of_the_perturbation_experiment(run: recurrence.Run) -> None:
    network, scenes = run.network("additive"), run.scenes(3)
    altered = scenes.altered("scale", "compounded")
    passes = network(scenes.images), network(altered.images)
    wanted = recurrence.Intervention("conv1", 2, passes[1].flow("conv1", 2))
    changed = network(scenes.images, wanted)
    sizes = {layer: int(np.prod(shape)) for layer, shape in network.shapes.items()}
    shuffles = {layer: torch.zeros(3, n, dtype=torch.int64) for layer, n in sizes.items()}
    [flows] = [
        flows
        for layer, t, _, flows in replacements(*passes, shuffles)
        if (layer, t) == ("conv1", 2)
    ]
    there = recurrence.Intervention("conv1", 2, flows["systematic"])
    torch.testing.assert_close(changed.logits, network(scenes.images, there, passes[0]).logits)
    assert not torch.equal(changed.logits, passes[0].logits)
    with pytest.raises(ValueError, match="no alteration 'colour'"):
        scenes.altered("colour")


def test_an_unpacked_archive_needs_no_data(run: recurrence.Run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "results/tiny")
    there = recurrence.load(tmp_path / "results/tiny")
    assert there.networks == run.networks and there.tables == run.tables
    network = there.network("multiplicative")
    assert network(there.examples().images).logits.shape == (12, 20)
    with pytest.raises(
        FileNotFoundError, match=r"shards/mnist-test\.h5 is not there, so no scenes"
    ):
        there.scenes(1)
    scenes = there.scenes(2, sources=recurrence.sample_sources())
    assert scenes.images.shape == (2, 1, 100, 100)


def test_a_relative_data_folder_is_beside_the_results(
    run: recurrence.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(run.sources("validation").images) == 200


def test_painting_is_that_of_the_workflow(sources: SourceImages) -> None:
    from recurrence.rendering import render
    from recurrence.scenes import sample

    scenes = recurrence.paint(sources, range(5, 8), seed=3)
    recipe = sample(sources, SceneDistribution(), 3, range(5, 8))
    assert np.array_equal(scenes.images, render(sources, recipe))
    assert torch.equal(recurrence.paint(sources, 8, seed=3).images[5:], scenes.images)


def test_images_of_ones_own() -> None:
    pixels = np.random.default_rng(0).random((3, 100, 100))
    for given in (pixels, pixels[:, None], pixels.tolist()):
        made = recurrence.images(given)
        assert made.shape == (3, 1, 100, 100) and made.dtype == torch.float32
        np.testing.assert_allclose(made[:, 0], pixels, atol=1e-7)
    assert recurrence.images(pixels[0]).shape == (1, 1, 100, 100)
    for wrong, said in (
        (pixels[:, 1:], r"images of shape \(3, 99, 100\): give"),
        (pixels[None, None], "images of shape"),
        (pixels[0, 0], "images of shape"),
        (pixels - 0.5, "give numbers from 0"),
        (pixels * 255, "such as bytes divided by 255"),
        (pixels * np.nan, "give numbers from 0"),
    ):
        with pytest.raises(ValueError, match=said):
            recurrence.images(wrong)


def test_a_plot_shows_each_pass_of_each_scene() -> None:
    torch.manual_seed(0)
    network, images = RecurrentNetwork("additive", SMALL).eval(), torch.rand(2, 1, 100, 100)
    passes = {"one": network(images), "other $": network(images / 2)}
    names = [f"$class {k}" for k in range(20)]
    with mpl_style.context("dark_background"):  # the user's own style
        figure = recurrence.plot(passes, names)
    assert figure.get_facecolor() == (1, 1, 1, 1)
    assert len(figure.axes) == 2 * 2 * 3
    for row in range(4):
        name, passed = list(passes.items())[row % 2]
        for t in range(3):
            [shown] = figure.axes[3 * row + t].images
            expected = passed.activities[t].maps["input"][row // 2, 0].detach()
            np.testing.assert_allclose(shown.get_array(), expected)
        answer = names[int(passed.logits[row // 2].argmax())]
        assert figure.axes[3 * row].texts[0].get_text().startswith(f"{name}\n{answer} (")
    figure.canvas.draw()
    with pytest.raises(ValueError, match="'fc' has no maps: choose one of input, conv1, conv2"):
        recurrence.plot(passes, layer="fc")
    with pytest.raises(ValueError, match=r"forward passes of \[1, 2\] scenes"):
        recurrence.plot({"one": passes["one"], "other": network(images[:1])})


def test_the_model_file_alone_is_enough(run: recurrence.Run) -> None:
    network = recurrence.load_network(run.folder / "additive/instance1" / MODEL)
    assert network.interaction == "additive" and network.timesteps == 3

"""The plain and the fast code of `make benchmark` give the same results, at the real size of the network."""

import numpy as np
import pytest
import torch

from benchmark import work
from benchmark.rates import parts
from benchmark.ratios import TASKS, measure
from benchmark.work import CONFIG, CPU, DISTRIBUTION, Subject
from recurrence import perturbation
from recurrence.configuration.problems import check, overlaid
from recurrence.datasets import write_shards
from recurrence.names import CANVAS, LAYERS
from recurrence.network import RecurrentNetwork, save_network
from recurrence.renderers import renderer
from recurrence.scenes import SourceImages, sample
from recurrence.storage import create_hdf5
from recurrence.variables import VARIABLES, labels

SCENES = 30


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory, sources: SourceImages) -> Subject:
    folder = tmp_path_factory.mktemp("benchmark")
    for part in ("shards", "scenes/" + CONFIG.scenes.set):
        (folder / part).mkdir(parents=True)
    for dataset in ("mnist", "fashion"):
        files = {
            split: str(folder / f"shards/{dataset}-{split}.h5")
            for split in ("train", "validation", "test")
        }
        write_shards(dataset, files, "sample", folder, 100)
    recipe = sample(sources, DISTRIBUTION, 1, range(SCENES))
    subject = Subject(folder / "model.safetensors", folder)
    with create_hdf5(subject.scene_file, {}) as file:
        file["scenes"] = file["clean"] = renderer(sources, CPU)(recipe)[:, 0]
        for name, values in labels(recipe, sources).items():
            file[f"labels/{name}"] = values
    torch.manual_seed(1)
    network = RecurrentNetwork("multiplicative", CONFIG.network)
    save_network(subject.model, network, CONFIG.network)
    return subject


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = {block: {"precision": "float32"} for block in ("record", "perturbation")}
    config = check(overlaid(CONFIG.plain(), {**exact, "decoding": {"fit": SCENES // 2}}))
    monkeypatch.setattr(work, "CONFIG", config)


def test_both_ways_paint_the_same(subject: Subject) -> None:
    np.testing.assert_allclose(subject.paint(4)(), subject.paint_plainly(4)(), atol=2e-5)


@pytest.mark.usefixtures("exact")
def test_both_ways_infer_the_same(subject: Subject) -> None:
    np.testing.assert_allclose(subject.infer(4)(), subject.infer_plainly(4)(), atol=1e-4)


@pytest.mark.usefixtures("exact")
def test_both_ways_perturb_the_same(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (work, perturbation):
        monkeypatch.setattr(module, "ALTERATIONS", ("scale", "category_within"))
    plain, fast = subject.perturb_plainly(1)(), subject.perturb(1)()
    assert plain is not None and fast is not None
    assert plain.shape == fast.shape == (2 * len(LAYERS) * (CONFIG.network.timesteps - 1), 2)
    assert np.abs(plain - fast).mean() < 0.01  # the painters differ in the sixth digit


@pytest.mark.usefixtures("exact")
def test_both_ways_decode_the_same(subject: Subject) -> None:
    timesteps = CONFIG.network.timesteps
    assert len(subject.feature_sets) == len(LAYERS) * (2 * timesteps + timesteps - 1)
    assert set(subject.labels) <= set(VARIABLES)
    few = {name: subject.feature_sets[name] for name in list(subject.feature_sets)[-5:]}
    some = Subject(subject.model, subject.data)
    some.__dict__["feature_sets"] = few
    np.testing.assert_array_equal(some.decode()(), some.decode_plainly()())


def test_both_ways_train_the_same(subject: Subject) -> None:
    plain, fast = subject.train_plainly(2)(), subject.train(2)()
    assert plain is not None and fast is not None and plain[0] - plain[1] > 0.01
    np.testing.assert_allclose(fast, plain, atol=0.005)  # one is in bfloat16
    for size, timesteps in ((4, 2), (4, 1)):
        short = subject.train(1, size=size, timesteps=timesteps)()
        assert short is not None and np.isfinite(short).all()


def test_a_ratio_is_measured(subject: Subject, capsys: pytest.CaptureFixture[str]) -> None:
    row = measure(0, subject)
    assert row["task"] == TASKS[0].name
    assert row["ratio"] == row["plain_seconds"] / row["fast_seconds"] > 0
    assert "numbers, which differ by" in capsys.readouterr().out


def test_parts_of_an_iteration(subject: Subject) -> None:
    network, size = CONFIG.network, CONFIG.training.batch
    table, timesteps = parts(subject).set_index("part"), network.timesteps
    assert table.uses["feedforward conv1"] == timesteps
    assert table.seconds[:-2].gt(0).all()
    # Forward, and backward to the weights, at all timesteps; backward to the input map at all but the first one.
    filters, kernel = network.channels.conv1, network.kernel
    once = 2 * filters * kernel**2 * (CANVAS - kernel + 1) ** 2 * size / 1e9
    assert table.gflop["feedforward conv1"] == pytest.approx((3 * timesteps - 1) * once)

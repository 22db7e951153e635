"""Decoders against LinearSVC on raw features, and a table from a made-up recording."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import LinearSVC

from blocks import block_with
from recurrence import decoding
from recurrence.configuration.blocks import NetworkReadOuts
from recurrence.decoding import FeatureSet, decode, decode_scenes, gram_factor, read_out
from recurrence.job import Progress
from recurrence.seeds import derive_seed

Array = npt.NDArray[Any]
pytestmark = pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
N, FIT = 60, 44


def noise(rng: np.random.Generator, n: int, d: int) -> Array:
    return np.maximum(rng.standard_normal((n, d)) + 0.3, 0)


ODD: dict[str, Callable[[Array], Array]] = {
    "plain": lambda x: x,
    "half precision": lambda x: x.astype(np.float16),
    "zeros": np.zeros_like,
    "constant": np.ones_like,
    "one feature": lambda x: np.where(np.arange(x.shape[1]) == 3, x, 0),
    "low rank": lambda x: x[:, :5] @ x[:5],
    "scenes repeated": lambda x: np.tile(x[: N // 4], (4, 1)),
    "features repeated": lambda x: np.repeat(x[:, ::4], 4, axis=1),
    "some scenes dark": lambda x: x * (np.arange(N) % 3 > 0)[:, None],
    "large offset": lambda x: x + 100,
    "tiny": lambda x: 1e-6 * x,
    "huge": lambda x: 1e4 * x,
}


def fit_svc(features: Array, labels: Array, seed: int, max_iter: int) -> tuple[Array, bool]:
    """Predictions for the scenes after the first FIT, and whether it stopped at max_iter."""
    classifier = LinearSVC(dual=True, random_state=seed, max_iter=max_iter)
    classifier.fit(features[:FIT], labels[:FIT])
    return classifier.predict(features[FIT:]), classifier.n_iter_ >= max_iter


def check(features: Array, labels: Array, seed: int, max_iter: int = 1000) -> None:
    expected, stopped = fit_svc(features.astype(np.float64), labels, seed, max_iter)
    factor = gram_factor(features)
    predicted, _ = fit_svc(factor, labels, seed, max_iter)
    np.testing.assert_array_equal(predicted, expected)
    accuracy = np.mean(expected == labels[FIT:])
    assert read_out(factor, labels, FIT, seed, max_iter) == (accuracy, stopped)


@pytest.mark.parametrize("d", [20, N - 1, N, N + 1, 500])
@pytest.mark.parametrize("odd", ODD)
def test_read_out_is_linear_svc_on_raw_features(odd: str, d: int) -> None:
    rng = np.random.default_rng(d)
    features, labels = ODD[odd](noise(rng, N, d)), rng.integers(0, 4, N)
    check(features, labels, seed=1)
    check(features, labels % 2, seed=2)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    d=st.integers(1, 300),
    classes=st.integers(2, 20),
    scale=st.sampled_from([1e-3, 0.1, 1.0, 30.0]),
    max_iter=st.sampled_from([1, 7, 1000]),
    seed=st.integers(0, 2**32 - 1),
)
def test_read_out_of_random_features(
    d: int, classes: int, scale: float, max_iter: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(N) % classes)
    check((scale * noise(rng, N, d)).astype(np.float16), labels, seed, max_iter)


def test_gram_factor_keeps_inner_products_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BLOCK", 7)
    features = noise(np.random.default_rng(0), 30, 101).astype(np.float16)
    factor = gram_factor(features)
    raw = features.astype(np.float64)
    assert factor.shape == (30, 30)
    assert not np.triu(factor, 1).any()
    np.testing.assert_allclose(factor @ factor.T, raw @ raw.T, rtol=1e-10)


@pytest.mark.parametrize("d", [5, 50])
def test_features_that_are_not_finite_are_refused(d: int) -> None:
    features = np.ones((20, d), np.float16)
    features[3, 2] = np.inf
    with pytest.raises(ValueError, match=r"(?i)inf"):
        read_out(gram_factor(features), np.arange(20) % 2, 15, 0, 1000)


def test_one_class_to_fit_on_is_the_prediction() -> None:
    labels = np.array([1, 1, 1, 1, 1, 0, 1, 2])
    assert read_out(np.eye(8), labels, 4, 0, 1000) == (0.5, 0)


BLOCK = NetworkReadOuts(
    repeats=2,
    scenes=50,
    fit=40,
    sources=["activation", "recurrent_flow"],
    images=["cluttered", "clean"],
    variables=["category", "scale"],
    max_iter=1000,
    connections=False,
)
CONNECTIONS = ("conv2_to_input", "fc_to_input", "conv2", "fc_to_conv2", "fc")
SHAPES = {"input": (1, 9, 9), "conv2": (2, 3, 3), "fc": (8,)}


def record(path: Path, flow: bool = True) -> None:
    """A made-up recording, T = 3: scale shows in conv2 at t = 2 and in the flow to fc at t = 3."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        labels = {"category": rng.integers(0, 20, 100), "scale": rng.integers(0, 2, 100)}
        for variable, values in labels.items():
            file[f"labels/{variable}"] = values
        for group in ("activation", "clean/activation", *(["recurrent_flow"] if flow else [])):
            steps = 2 if group == "recurrent_flow" else 3
            for layer, shape in SHAPES.items():
                noisy = rng.standard_normal((100, steps, *shape))
                if (group, layer) in (("activation", "conv2"), ("recurrent_flow", "fc")):
                    noisy[:, 1].reshape(100, -1)[:, 5] = 9 * labels["scale"]
                file[f"{group}/{layer}"] = noisy.astype(np.float16)
        for name in CONNECTIONS if flow else ():
            layer = name.rsplit("_", 1)[-1]
            noisy = rng.standard_normal((100, 2, *SHAPES[layer]))
            if name == "fc_to_conv2":
                noisy[:, 0].reshape(100, -1)[:, 3] = 9 * labels["scale"]
            file[f"connection_flow/{name}"] = noisy.astype(np.float16)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    record(tmp_path / "activations.h5")
    return tmp_path / "activations.h5"


def test_decode_finds_planted_information(recording: Path) -> None:
    table = decode(recording, BLOCK, 7, Progress("decode", []))
    contract = "repeat source layer timestep image variable accuracy"
    assert list(table) == [*contract.split(), "unconverged", "connection"]
    assert set(table.connection) == {"all"}
    activations, flows, repeats, variables = 2 * 3 * 3, 3 * 2, 2, 2
    assert len(table) == variables * repeats * (activations + flows)
    assert not table.duplicated([*FeatureSet._fields, "variable"]).any()
    flow = table[table.source == "recurrent_flow"]
    assert set(flow.timestep) == {2, 3} and set(flow.image) == {"cluttered"}

    scale = table[table.variable == "scale"].set_index(["source", "image", "layer", "timestep"])
    planted = [
        ("activation", "cluttered", "conv2", 2),
        ("recurrent_flow", "cluttered", "fc", 3),
    ]
    assert scale.accuracy[scale.index.isin(planted)].tolist() == [1.0] * 4
    assert scale.accuracy[~scale.index.isin(planted)].mean() < 0.65


def test_decode_row_is_a_fit_on_that_repeat(recording: Path) -> None:
    table = decode(recording, BLOCK, 7, Progress("decode", []))
    assert table.equals(decode(recording, BLOCK, 7, Progress("decode", [])))
    cell = {"repeat": 1, "source": "activation", "image": "clean", "layer": "input", "timestep": 3}
    row = table[(table[list(cell)] == cell).all(axis=1) & (table.variable == "category")]
    with h5py.File(recording) as file:
        raw = file["clean/activation/input"][50:, 2].reshape(50, -1).astype(np.float64)
        labels = file["labels/category"][50:]
    classifier = LinearSVC(dual=True, random_state=derive_seed(7, "decoding", 1) % 2**32)
    classifier.fit(raw[:40], labels[:40])
    assert row.accuracy.tolist() == [classifier.score(raw[40:], labels[40:])]


def test_decode_reads_out_each_connection_by_itself(recording: Path) -> None:
    block = block_with(BLOCK, connections=True)
    table = decode(recording, block, 7, Progress("decode", []))
    together = table[table.connection == "all"].reset_index(drop=True)
    assert together.equals(decode(recording, BLOCK, 7, Progress("decode", [])))
    alone = table[table.connection != "all"]
    assert list(alone.connection.unique()) == [*CONNECTIONS]  # by target, then by source
    assert len(alone) == 2 * len(CONNECTIONS) * 2 * 2  # repeats, timesteps, variables
    targets = alone.groupby("connection").layer.unique().map(list)
    assert targets.to_dict() == {name: [name.rsplit("_", 1)[-1]] for name in CONNECTIONS}
    assert set(alone.source) == {"recurrent_flow"} and set(alone.image) == {"cluttered"}
    scale = alone[alone.variable == "scale"].set_index(["connection", "timestep"]).accuracy
    assert scale["fc_to_conv2", 2].tolist() == [1.0, 1.0]
    assert scale.drop(("fc_to_conv2", 2)).mean() < 0.65
    with h5py.File(recording) as file:
        raw = file["connection_flow/conv2"][50:, 1].reshape(50, -1).astype(np.float64)
        labels = file["labels/category"][50:]
    classifier = LinearSVC(dual=True, random_state=derive_seed(7, "decoding", 1) % 2**32)
    classifier.fit(raw[:40], labels[:40])
    cell = {"repeat": 1, "connection": "conv2", "timestep": 3, "variable": "category"}
    row = alone[(alone[list(cell)] == cell).all(axis=1)]
    assert row.accuracy.tolist() == [classifier.score(raw[40:], labels[40:])]


def test_decode_without_recurrent_flow(tmp_path: Path) -> None:
    record(tmp_path / "activations.h5", flow=False)
    path = tmp_path / "activations.h5"
    table = decode(path, block_with(BLOCK, connections=True), 7, Progress("decode", []))
    assert set(table.source) == {"activation"} and set(table.image) == {"cluttered", "clean"}


def test_decode_refuses_a_short_recording(recording: Path) -> None:
    block = block_with(BLOCK, repeats=3)
    with pytest.raises(ValueError, match=r"needs 150 scenes.*has 100"):
        decode(recording, block, 7, Progress("decode", []))


def test_scenes_are_decoded_repeat_by_repeat_across_shards(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    scenes, labels = rng.random((90, 12, 12), np.float32), rng.integers(0, 2, 90)
    scenes[:, 3, 4] = labels
    files = []
    for number in range(3):  # shards of 30 scenes, repeats of 45
        files.append(str(tmp_path / f"test-{number:02d}.h5"))
        with h5py.File(files[-1], "w") as file:
            part = slice(number * 30, (number + 1) * 30)
            file["scenes"] = scenes[part]
            for variable in ("category", "scale"):
                file[f"labels/{variable}"] = labels[part]
    block = block_with(BLOCK, scenes=45, fit=35)
    table = decode_scenes(files, block, 2, 7)
    assert table.repeat.tolist() == [0, 0, 1, 1]
    for repeat in (0, 1):
        raw = scenes[repeat * 45 : (repeat + 1) * 45].reshape(45, -1).astype(np.float64)
        target = labels[repeat * 45 : (repeat + 1) * 45]
        state = derive_seed(7, "decoding", repeat) % 2**32
        classifier = LinearSVC(dual=True, random_state=state).fit(raw[:35], target[:35])
        expected = classifier.score(raw[35:], target[35:])
        assert table[table.repeat == repeat].accuracy.tolist() == [expected, expected]

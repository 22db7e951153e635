"""Training: the schedule, exact resume, and errors."""

import math
import re
import resource
from pathlib import Path

import pandas as pd
import pytest
import torch

from blocks import SMALL, TRAINING, block_with
from recurrence import devices, training
from recurrence.configuration.blocks import Training
from recurrence.job import Progress
from recurrence.names import LAYERS
from recurrence.network import RecurrentNetwork
from recurrence.renderers import renderer
from recurrence.scenes import SceneDistribution, SourceImages, sample
from recurrence.training import (
    DivergedError,
    Streams,
    distribution_at,
    learning_rate,
    train,
)


class Killed(BaseException):
    """Replaces a signal."""


class KillAt(Progress):
    """Stops the job after an iteration, as a signal would."""

    def __init__(self, iteration: int) -> None:
        super().__init__("test", [], 0)
        self.iteration, self.seen = iteration, 0

    def due(self) -> bool:
        self.seen += 1
        if self.seen == self.iteration:
            raise Killed
        return False


def run(
    sources: SourceImages,
    state: Path,
    block: Training = TRAINING,
    kill_at: int = 0,
    distribution: SceneDistribution = SceneDistribution(),  # noqa: B008
) -> tuple[RecurrentNetwork, pd.DataFrame]:
    torch.manual_seed(0)
    network = RecurrentNetwork("multiplicative", SMALL)
    streams = Streams(sources, sources, distribution, 3)
    curve, _ = train(network, streams, block, state, 3, KillAt(kill_at))
    return network, curve


def assert_same(one: RecurrentNetwork, other: RecurrentNetwork) -> None:
    weights = other.state_dict()
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, weights[name]), name


@pytest.mark.parametrize("killed_at", [[1], [3], [11], [2, 5, 9]])
def test_a_killed_training_ends_in_the_same_weights(
    sources: SourceImages,
    tmp_path: Path,
    killed_at: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, curve = run(sources, tmp_path / "whole.pt")
    state, done = tmp_path / "killed.pt", 0
    for iteration in killed_at:
        with pytest.raises(Killed):
            run(sources, state, kill_at=iteration - done)
        done = iteration // 3 * 3  # the last checkpoint
        assert state.exists() == (done > 0)
    capsys.readouterr()
    again, resumed = run(sources, state)
    assert (f"going on after iteration {done} of 12" in capsys.readouterr().out) == (done > 0)
    assert_same(whole, again)
    columns = ["iteration", "loss", "validation_loss", "validation_accuracy", "learning_rate"]
    pd.testing.assert_frame_equal(curve[columns], resumed[columns])
    assert curve.iteration.tolist() == [5, 10, 12]


def test_progress_reports_loss_accuracy_and_time_left(
    sources: SourceImages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    network = RecurrentNetwork("multiplicative", SMALL)
    progress = Progress("train_network", ["additive", "1"], TRAINING.iterations, every=0)
    streams = Streams(sources, sources, SceneDistribution(), 3)
    train(network, streams, TRAINING, tmp_path / "s.pt", 3, progress)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 13
    assert lines[0] == "computing in bfloat16 on cpu"
    assert re.fullmatch(r"train_network additive 1: 1/12, loss [\d.]+", lines[1])
    last = r"train_network additive 1: 11/12, loss [\d.]+, validation accuracy [\d.e-]+, \d+ s left"
    assert re.fullmatch(last, lines[11])


@pytest.mark.parametrize("interaction", ["multiplicative", "additive", "feedforward"])
def test_the_curve_has_the_size_of_drive_and_flow(sources: SourceImages, interaction: str) -> None:
    network = RecurrentNetwork(interaction, SMALL)
    recipe = sample(sources, SceneDistribution(), 3, range(5))
    images = renderer(sources, torch.device("cpu"))(recipe)
    found = training.sizes(network, images, "float32")
    with torch.no_grad():
        first = network.step(images, {})
        last = [first]
        for _ in range(SMALL.timesteps - 2):
            last.append(network.step(images, network.recurrent_flow(last[-1])))
        flow = network.recurrent_flow(last[-1])
    for layer in LAYERS:
        drive = first.maps[layer].numpy().astype(float)
        assert found[f"drive_{layer}"] == pytest.approx(math.sqrt((drive**2).mean()), rel=1e-5)
        values = flow[layer].numpy().astype(float) if layer in flow else 0.0 * drive
        assert found[f"flow_{layer}"] == pytest.approx(math.sqrt((values**2).mean()), rel=1e-5)
    assert any(found[f"flow_{layer}"] for layer in LAYERS) == (interaction != "feedforward")


def test_training_is_adam_on_cross_entropy(sources: SourceImages, tmp_path: Path) -> None:
    block = TRAINING.model_copy(update={"iterations": 3, "precision": "float32", "clip_norm": None})
    network, _ = run(sources, tmp_path / "state.pt", block)
    torch.manual_seed(0)
    plain = RecurrentNetwork("multiplicative", SMALL)
    moments = {n: (torch.zeros_like(p), torch.zeros_like(p)) for n, p in plain.named_parameters()}
    stream = training.derive_seed(3, "training")
    paint = renderer(sources, torch.device("cpu"))
    for i in (1, 2, 3):
        indices = range((i - 1) * 4, i * 4)
        distribution = distribution_at(i, SceneDistribution(), block)
        images, labels = training.draw(paint, sources, distribution, stream, indices)
        plain.zero_grad()
        torch.nn.functional.cross_entropy(plain(images).logits, labels).backward()
        with torch.no_grad():
            for name, p in plain.named_parameters():
                first, second = moments[name]
                assert p.grad is not None
                first.mul_(0.9).add_(0.1 * p.grad)
                second.mul_(0.999).add_(0.001 * p.grad**2)
                step = (first / (1 - 0.9**i)) / ((second / (1 - 0.999**i)).sqrt() + 1e-8)
                p -= learning_rate(i, block) * step
    for (name, p), q in zip(network.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=2e-5, rtol=1e-3, msg=name)


def test_training_learns(sources: SourceImages, tmp_path: Path) -> None:
    one_each = [int((sources.categories == category).argmax()) for category in range(20)]
    few = SourceImages(sources.images[one_each], sources.categories[one_each], 10)
    easy = SceneDistribution(clutter=0, scale_jitter=0, angle_jitter=0, location_jitter=0)
    block = TRAINING.model_copy(
        update={
            "iterations": 150,
            "batch": 16,
            "validate_every": 50,
            "learning_rate": 1e-2,
        }
    )
    _, curve = run(few, tmp_path / "state.pt", block, distribution=easy)
    assert curve.loss.iloc[0] == pytest.approx(math.log(20), abs=0.3)
    assert curve.validation_loss.iloc[-1] < 2.5
    assert curve.validation_accuracy.iloc[-1] > 0.15


@pytest.fixture
def begun(sources: SourceImages, tmp_path: Path) -> Path:
    """The state of a training that was killed after its checkpoint at iteration 6."""
    state = tmp_path / "state.pt"
    with pytest.raises(Killed):
        run(sources, state, kill_at=7)
    return state


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({7: 1e30, 8: 1e30, 9: 1e30}, r"loss is not finite at iteration \d"),
        ({9: math.inf}, "weights are"),
    ],
)
def test_a_training_that_diverges_stops_and_keeps_the_last_good_state(
    sources: SourceImages,
    begun: Path,
    monkeypatch: pytest.MonkeyPatch,
    rates: dict[int, float],
    expected: str,
) -> None:
    before = begun.read_bytes()
    monkeypatch.setattr(training, "learning_rate", lambda i, _: rates.get(i, 1e-3))
    with pytest.raises(DivergedError, match=rf"{expected}.*training\.learning_rate"):
        run(sources, begun, TRAINING.model_copy(update={"clip_norm": None}))
    assert begun.read_bytes() == before


def test_a_full_disk_at_a_checkpoint_is_reported_and_keeps_the_one_before(
    sources: SourceImages, begun: Path, tmp_path: Path
) -> None:
    before, limits = begun.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # like a full disk
    try:
        with pytest.raises(OSError, match=r"state\.pt cannot be written \(is the disk full\?\)"):
            run(sources, begun)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert begun.read_bytes() == before
    assert sorted(begun.parent.iterdir()) == [begun.with_suffix(".json"), begun]
    whole, _ = run(sources, tmp_path / "whole.pt")
    assert_same(whole, run(sources, begun)[0])


def test_a_damaged_state_is_refused_by_name(sources: SourceImages, begun: Path) -> None:
    begun.write_bytes(begun.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"state\.pt is damaged: delete it"):
        run(sources, begun)


def test_a_training_stays_in_the_precision_that_it_began_in(
    sources: SourceImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also if it goes on where ``auto`` means another one."""
    auto = TRAINING.model_copy(update={"precision": "auto"})
    for now, other in ((True, False), (False, True)):
        monkeypatch.setattr(devices, "computes_bfloat16", lambda _, now=now: now)
        name = "bfloat16" if now else "float32"
        whole, _ = run(sources, tmp_path / f"{name}-whole.pt", auto)
        state = tmp_path / f"{name}.pt"
        with pytest.raises(Killed):
            run(sources, state, auto, kill_at=7)
        monkeypatch.setattr(devices, "computes_bfloat16", lambda _, other=other: other)
        capsys.readouterr()
        again, _ = run(sources, state, auto)
        assert f"in {name}, as it began, though this cpu" in capsys.readouterr().out
        assert_same(whole, again)
        plain, _ = run(sources, tmp_path / f"{name}-plain.pt", block_with(auto, precision=name))
        assert_same(whole, plain)


def test_learning_rate_warms_up_stays_and_falls() -> None:
    block = TRAINING.model_copy(
        update={"learning_rate": 2.0, "warmup": 4, "cooldown": 4, "iterations": 10}
    )
    rates = [learning_rate(i, block) for i in range(1, 11)]
    assert rates == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 1.5, 1.0, 0.5]
    constant = block.model_copy(update={"warmup": 0, "cooldown": 0})
    assert {learning_rate(i, constant) for i in range(1, 11)} == {2.0}


def test_clutter_grows_over_the_curriculum() -> None:
    full = SceneDistribution(clutter=3)
    slow, none = (TRAINING.model_copy(update={"curriculum": n}) for n in (8, 0))
    clutter = [distribution_at(i, full, slow).clutter for i in range(1, 11)]
    assert clutter == [0, 1, 1, 2, 2, 3, 3, 3, 3, 3]
    assert {distribution_at(i, full, none) for i in (1, 2, 9)} == {full}


def test_a_finished_training_is_not_repeated(
    sources: SourceImages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, curve = run(sources, tmp_path / "state.pt")
    again, same = run(sources, tmp_path / "state.pt", kill_at=1)
    assert "going on after iteration 12 of 12" in capsys.readouterr().out
    assert_same(network, again)
    pd.testing.assert_frame_equal(curve, same)
    weights = sum(weight.nbytes for weight in network.state_dict().values())
    assert (tmp_path / "state.pt").stat().st_size < 1.5 * weights  # no optimizer

"""Train one network (paper A.3; docs/experiment.md 3): one loop, scenes made on the fly, exact resume (on CPUs).

Everything random depends only on the seed and the iteration. So the state to resume from is just
the weights, the optimizer's moments, the iteration, the losses and the curve so far. Its file is not
among the job's outputs, as Snakemake removes those when a job fails. Its name is a hash of all that
determines the result. The last state is kept, without the moments: if the job is killed after its
training but before Snakemake knows, nothing is trained again.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from recurrence import messages
from recurrence.configuration.blocks import Training
from recurrence.devices import resolve_precision, send
from recurrence.names import LAYERS
from recurrence.network import RecurrentNetwork, mixed_precision
from recurrence.renderers import Renderer, renderer
from recurrence.scenes import SceneDistribution, SourceImages, sample
from recurrence.seeds import derive_seed
from recurrence.states import note
from recurrence.storage import atomic, reading

if TYPE_CHECKING:
    from recurrence.job import Progress

VALIDATION_BATCH = 100  # scenes


class DivergedError(RuntimeError):
    """The loss or a weight is no longer a finite number."""


@dataclass(frozen=True)
class Streams:
    """What scenes are drawn from: ``seed`` and a scene's number determine the scene."""

    training: SourceImages
    validation: SourceImages
    distribution: SceneDistribution
    seed: int


def learning_rate(iteration: int, block: Training) -> float:
    """The learning rate at an iteration (from 1): a linear warm-up, the peak, a linear cool-down."""
    up = iteration / max(1, block.warmup)
    down = (block.iterations - iteration + 1) / max(1, block.cooldown)
    return block.learning_rate * min(1.0, up, down)


def distribution_at(
    iteration: int, distribution: SceneDistribution, block: Training
) -> SceneDistribution:
    """The distribution of an iteration's scenes: clutter grows from none to all in ``curriculum`` iterations.

    Without clutter, a network learns in a few hundred iterations what the objects look like. In full
    clutter it stays at chance for that long.
    """
    share = iteration / max(1, block.curriculum)
    clutter = min(distribution.clutter, int(share * (distribution.clutter + 1)))
    return replace(distribution, clutter=clutter)


@dataclass
class State:
    """A training under way: all that it needs to go on, and the precision that it began in."""

    network: RecurrentNetwork
    optimizer: torch.optim.Optimizer
    losses: Tensor  # of all iterations, on the device: to read one, the CPU would wait for it
    precision: str
    iteration: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)  # a row for each validation

    def save(self, path: Path, finished: bool) -> None:
        """Write the state; without the optimizer's moments if the training is ``finished``."""
        values = {
            "network": self.network.state_dict(),
            "optimizer": None if finished else self.optimizer.state_dict(),
            "iteration": self.iteration,
            "curve": self.curve,
            "losses": self.losses[: self.iteration].clone(),
            "precision": self.precision,
        }
        try:
            with atomic(path) as temporary:
                torch.save(values, temporary)
            note(path, iteration=self.iteration)
        except (OSError, RuntimeError) as error:  # PyTorch raises RuntimeError instead of OSError
            raise OSError(f"{path} cannot be written (is the disk full?): {error}") from error

    def resume(self, path: Path) -> None:
        """Go on from the state in a file."""
        # A damaged file can raise anything.
        with reading(path, "is damaged: delete it, and the training starts anew ({})", Exception):
            saved = torch.load(path, map_location=self.losses.device, weights_only=True)
        self.network.load_state_dict(saved["network"])
        if saved["optimizer"]:
            self.optimizer.load_state_dict(saved["optimizer"])
        self.iteration, self.curve = saved["iteration"], saved["curve"]
        self.losses[: self.iteration] = saved["losses"]
        print(f"going on after iteration {self.iteration} of {len(self.losses)}")
        if saved["precision"] != self.precision:
            print(
                f"in {saved['precision']}, as it began, though this {self.losses.device.type} would compute in "
                f"{self.precision}: to train in {self.precision} from the beginning, delete {path} or set "
                "training.precision"
            )
            self.precision = saved["precision"]


def train(
    network: RecurrentNetwork,
    streams: Streams,
    block: Training,
    file: Path,
    checkpoint_every: int,
    progress: "Progress",
) -> tuple[pd.DataFrame, str]:
    """Train ``network`` in place. Return its training curve, one row for each validation, and the precision used.

    ``file`` has the state to resume from, if it exists, in the precision that the training began in; it is written
    every ``checkpoint_every`` iterations. Raises :class:`DivergedError` if the loss or a weight is not finite,
    ``OSError`` if the state cannot be written (in both cases the last good state stays), and ``ValueError`` if the
    state to resume from is damaged.
    """
    network.train()
    device, last = network.device, block.iterations
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    losses, precision = torch.zeros(last, device=device), resolve_precision(block.precision, device)
    state = State(network, optimizer, losses, precision)
    if file.exists():
        state.resume(file)
    print(f"computing in {state.precision} on {device}")
    examples = _validation_examples(streams, block, device)
    validated, started = state.iteration, time.perf_counter()

    for iteration, images, categories in _batches(streams, block, device, state.iteration + 1):
        optimizer.param_groups[0]["lr"] = learning_rate(iteration, block)
        optimizer.zero_grad()
        with mixed_precision(device, state.precision):
            logits = network(images).logits
        loss = F.cross_entropy(logits.float(), categories)
        loss.backward()
        if block.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(network.parameters(), block.clip_norm)
        optimizer.step()
        losses[iteration - 1] = loss.detach()
        state.iteration = iteration

        validate = iteration % block.validate_every == 0 or iteration == last
        checkpoint = iteration % checkpoint_every == 0 or iteration == last
        if validate or checkpoint:
            _check_finite(network, losses, validated, iteration, block)
        if validate:
            rate = (iteration - validated) * block.batch / (time.perf_counter() - started)
            state.curve.append(_row(state, examples, block, rate))
            validated, started = iteration, time.perf_counter()
        if checkpoint:
            state.save(file, finished=iteration == last)
        if progress.due():
            progress.show(
                iteration, loss=losses[iteration - 1].item(), **messages.latest(state.curve)
            )
    return pd.DataFrame(state.curve), state.precision


def _batches(
    streams: Streams, block: Training, device: torch.device, first: int
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """The iterations from ``first`` on, with their scenes and categories; each batch is painted one iteration ahead."""
    paint, seed = renderer(streams.training, device), derive_seed(streams.seed, "training")

    def painted(iteration: int) -> tuple[Tensor, Tensor]:
        distribution = distribution_at(iteration, streams.distribution, block)
        indices = range((iteration - 1) * block.batch, iteration * block.batch)
        return draw(paint, streams.training, distribution, seed, indices)

    with ThreadPoolExecutor(1) as painter:
        upcoming = [painter.submit(painted, first)] if first <= block.iterations else []
        for iteration in range(first, block.iterations + 1):
            images, categories = upcoming.pop().result()
            if iteration < block.iterations:
                upcoming.append(painter.submit(painted, iteration + 1))
            yield iteration, images, categories


def _validation_examples(
    streams: Streams, block: Training, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """Batches of scenes and their categories, the same in every validation."""
    paint, seed = renderer(streams.validation, device), derive_seed(streams.seed, "validation")
    starts = range(0, block.validation_scenes, VALIDATION_BATCH)
    batches = (range(i, min(i + VALIDATION_BATCH, block.validation_scenes)) for i in starts)
    return [draw(paint, streams.validation, streams.distribution, seed, each) for each in batches]


def _row(
    state: State, examples: list[tuple[Tensor, Tensor]], block: Training, rate: float
) -> dict[str, float]:
    """A row of the training curve: the mean loss since the row before, a validation, ``rate`` (scenes per second)."""
    since = int(state.curve[-1]["iteration"]) if state.curve else 0
    return {
        "iteration": state.iteration,
        "loss": state.losses[since : state.iteration].mean().item(),
        **validate(state.network, examples, state.precision),
        "learning_rate": learning_rate(state.iteration, block),
        "scenes_per_second": rate,
        **sizes(state.network, examples[0][0], state.precision),
    }


def draw(
    paint: Renderer,
    sources: SourceImages,
    distribution: SceneDistribution,
    seed: int,
    indices: range,
) -> tuple[Tensor, Tensor]:
    """Draw scenes (n, 1, 100, 100) float32 and their categories (n,), on the device of ``paint``."""
    recipe = sample(sources, distribution, seed, indices)
    images = paint(recipe)
    return images, send(recipe.categories(sources), images.device)


@torch.inference_mode()
def validate(
    network: RecurrentNetwork, examples: list[tuple[Tensor, Tensor]], precision: str
) -> dict[str, float]:
    """Mean cross-entropy and accuracy on batches of examples (scenes, categories)."""
    with mixed_precision(network.device, precision):
        scores = torch.cat([network(images).logits.float() for images, _ in examples])
    categories = torch.cat([categories for _, categories in examples])
    return {
        "validation_loss": F.cross_entropy(scores, categories).item(),
        "validation_accuracy": (scores.argmax(1) == categories).float().mean().item(),
    }


@torch.inference_mode()
def sizes(network: RecurrentNetwork, images: Tensor, precision: str) -> dict[str, float]:
    """How large the maps and the recurrent flows of each layer are on images (n, 1, 100, 100): root mean squares.

    ``drive_<layer>`` is of the map at the first timestep, which has no recurrence; ``flow_<layer>`` is of the flow at
    the last timestep, 0 if there is none. If a flow outgrows the drive, recurrence does more than adjust it.
    """
    with mixed_precision(network.device, precision):
        trajectory = network(images)
    drives, flows = trajectory.activities[0].maps, trajectory.flows[-1]
    return {f"drive_{layer}": _rms(drives[layer]) for layer in LAYERS} | {
        f"flow_{layer}": _rms(flows[layer]) if layer in flows else 0.0 for layer in LAYERS
    }


def _rms(values: Tensor) -> float:
    return values.float().square().mean().sqrt().item()


def _check_finite(
    network: RecurrentNetwork, losses: Tensor, start: int, stop: int, block: Training
) -> None:
    """Check the losses after iteration ``start`` up to ``stop``, and the weights."""
    lost = ~losses[start:stop].isfinite()
    if lost.any() or not all(weight.isfinite().all() for weight in network.parameters()):
        iteration = start + int(lost.int().argmax()) + 1 if lost.any() else stop
        raise DivergedError(
            f"the {'loss is' if lost.any() else 'weights are'} not finite at iteration {iteration} (learning rate "
            f"{learning_rate(iteration, block):.2g}): lower training.learning_rate, lengthen training.warmup, set "
            "training.clip_norm to 1, or use training.precision float32"
        )

"""Train one network (paper A.3; docs/experiment.md 3): one loop, scenes made on the fly, exact resume (on CPUs).

Everything random depends only on the seed and the iteration. So the state to resume from is just
the weights, the optimizer's moments, the iteration, the losses and the curve so far. Its file is not
among the job's outputs, as Snakemake removes those when a job fails. Its name is a hash of all that
determines the result. The last state is kept, without the moments: if the job is killed after its
training but before Snakemake knows, nothing is trained again.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from recurrence.configuration.blocks import Training
from recurrence.devices import resolve_precision, send
from recurrence.network import RecurrentNetwork, mixed_precision
from recurrence.renderers import Renderer, renderer
from recurrence.scenes import SceneDistribution, Sources, sample
from recurrence.seeds import derive_seed
from recurrence.storage import atomic, reading

if TYPE_CHECKING:
    from recurrence.job import Progress

VALIDATION_BATCH = 100  # scenes


class DivergedError(RuntimeError):
    """The loss or a weight is no longer a finite number."""


@dataclass(frozen=True)
class Streams:
    """What scenes are drawn from: ``seed`` and a scene's number determine the scene."""

    training: Sources
    validation: Sources
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


def train(
    network: RecurrentNetwork,
    streams: Streams,
    block: Training,
    state: Path,
    progress: "Progress",
) -> tuple[pd.DataFrame, str]:
    """Train ``network`` in place. Return its training curve, one row for each validation, and the precision used.

    ``state`` is the file to resume from, if it exists, in the precision that the training began in. Raises
    :class:`DivergedError` if the loss or a weight is not finite, ``OSError`` if the state cannot be written (in both
    cases the last good state stays), and ``ValueError`` if the state to resume from is damaged.
    """
    network.train()
    device, distribution = network.device, streams.distribution
    optimizer = torch.optim.Adam(network.parameters(), lr=block.learning_rate, fused=True)
    paint = renderer(streams.training, device)
    paint_validation = renderer(streams.validation, device)
    examples = [
        draw(
            paint_validation,
            streams.validation,
            distribution,
            derive_seed(streams.seed, "validation"),
            range(start, min(start + VALIDATION_BATCH, block.validation_scenes)),
        )
        for start in range(0, block.validation_scenes, VALIDATION_BATCH)
    ]
    stream, batch, last = derive_seed(streams.seed, "training"), block.batch, block.iterations
    losses = torch.zeros(
        last, device=device
    )  # on the device: to read a loss, the CPU would wait for it
    iteration, curve = 0, []
    precision = resolve_precision(block.precision, device)
    if state.exists():
        saved = _load(state, device)
        network.load_state_dict(saved["network"])
        if saved["optimizer"]:
            optimizer.load_state_dict(saved["optimizer"])
        iteration, curve = saved["iteration"], saved["curve"]
        losses[:iteration] = saved["losses"]
        print(f"going on after iteration {iteration} of {last}")
        if saved["precision"] != precision:
            print(
                f"in {saved['precision']}, as it began, though this {device.type} would compute in {precision}: "
                f"to train in {precision} from the beginning, delete {state} or set training.precision"
            )
            precision = saved["precision"]
    print(f"computing in {precision} on {device}")

    def batch_of(number: int) -> tuple[Tensor, Tensor]:
        now = distribution_at(number, distribution, block)
        return draw(
            paint, streams.training, now, stream, range((number - 1) * batch, number * batch)
        )

    checked, started = iteration, time.perf_counter()
    with ThreadPoolExecutor(1) as painter:
        upcoming = painter.submit(batch_of, iteration + 1)
        while iteration < last:
            iteration += 1
            images, categories = upcoming.result()
            if iteration < last:
                upcoming = painter.submit(batch_of, iteration + 1)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(iteration, block)

            optimizer.zero_grad()
            with mixed_precision(device, precision):
                logits = network(images).logits
            loss = F.cross_entropy(logits.float(), categories)
            loss.backward()
            if block.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(network.parameters(), block.clip_norm)
            optimizer.step()
            losses[iteration - 1] = loss.detach()

            validate = iteration % block.validate_every == 0 or iteration == last
            if validate or iteration % block.checkpoint_every == 0:
                _check_finite(network, losses, checked, iteration, block)
                if validate:
                    elapsed = time.perf_counter() - started
                    since = curve[-1]["iteration"] if curve else 0
                    row = {"iteration": iteration, "loss": losses[since:iteration].mean().item()}
                    row |= evaluate(network, examples, precision)
                    row["learning_rate"] = learning_rate(iteration, block)
                    row["scenes_per_second"] = (iteration - checked) * batch / elapsed
                    curve.append(row)
                    started = time.perf_counter()
                    checked = iteration
                if iteration % block.checkpoint_every == 0 or iteration == last:
                    moments = optimizer.state_dict() if iteration < last else None
                    _save(state, network, moments, iteration, curve, losses, precision)
            if progress.due():
                progress.show(iteration, loss=losses[iteration - 1].item(), **_latest(curve))
    return pd.DataFrame(curve), precision


def _latest(curve: list[dict[str, float]]) -> dict[str, float]:
    return {"validation accuracy": curve[-1]["validation_accuracy"]} if curve else {}


def draw(
    paint: Renderer,
    sources: Sources,
    distribution: SceneDistribution,
    seed: int,
    indices: range,
) -> tuple[Tensor, Tensor]:
    """Draw scenes (n, 1, 100, 100) float32 and their categories (n,), on the device of ``paint``."""
    recipe = sample(sources, distribution, seed, indices)
    images = paint(recipe)
    return images, send(recipe.labels(sources)["category"], images.device)


@torch.inference_mode()
def evaluate(
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


def _check_finite(
    network: RecurrentNetwork, losses: Tensor, start: int, stop: int, block: Training
) -> None:
    """Check the losses after iteration ``start`` up to ``stop``, and the weights."""
    finite = losses[start:stop].isfinite()
    if not finite.all():
        what, iteration = "loss is", start + int((~finite).int().argmax()) + 1
    elif not all(weight.isfinite().all() for weight in network.parameters()):
        what, iteration = "weights are", stop
    else:
        return
    raise DivergedError(
        f"the {what} not finite at iteration {iteration} (learning rate {learning_rate(iteration, block):.2g}): "
        "lower training.learning_rate, lengthen training.warmup, set training.clip_norm to 1, or use "
        "training.precision float32"
    )


def _save(
    path: Path,
    network: RecurrentNetwork,
    optimizer: dict[str, Any] | None,
    iteration: int,
    curve: list[dict[str, float]],
    losses: Tensor,
    precision: str,
) -> None:
    state = {
        "network": network.state_dict(),
        "optimizer": optimizer,
        "iteration": iteration,
        "curve": curve,
        "losses": losses[:iteration].clone(),
        "precision": precision,
    }
    try:
        with atomic(path) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:  # PyTorch raises RuntimeError instead of OSError
        raise OSError(f"{path} cannot be written (is the disk full?): {error}") from error


def _load(path: Path, device: torch.device) -> dict[str, Any]:
    wrong = "is damaged: delete it, and the training starts from the beginning ({})"
    with reading(path, wrong, Exception):  # a damaged file can raise anything
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state


def state_file(folder: Path, determinants: Mapping[str, Any]) -> Path:
    """The state file of a training; ``determinants`` are all that its result depends on. Other states are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(json.dumps(determinants, sort_keys=True).encode()).hexdigest()[:16]
    state = folder / f"{key}.pt"
    for other in folder.glob("*.pt"):
        if other != state:
            other.unlink()
    return state

"""The work that is measured, plain and fast. Each method prepares it and returns a function that does it once."""

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor

from plain import PlainNetwork, paint, read_out
from recurrence import decoding
from recurrence.configuration.problems import check
from recurrence.connections import fixed_parameters
from recurrence.evaluation import BATCH
from recurrence.job import Progress
from recurrence.names import ALTERATIONS, LAYERS
from recurrence.network import RecurrentNetwork, load_network, mixed_precision
from recurrence.perturbation import Experiment, perturb
from recurrence.recording import MANTISSA, round_mantissa
from recurrence.renderers import renderer
from recurrence.rendering import render
from recurrence.scenes import SceneDistribution, SourceImages, alter, sample
from recurrence.training import draw

CONFIG = check(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text()))
CPU = torch.device("cpu")
DISTRIBUTION = SceneDistribution.of(CONFIG.scenes)
UNJITTERED = SceneDistribution(7, 0.8, 1.6, 0, 35, 0, 0)

Work = Callable[[], npt.NDArray[Any] | None]  # returns what can be compared with the other side


@dataclass(frozen=True)
class Subject:
    """A trained multiplicative network, its plain counterpart, and the data they are measured on."""

    model: Path
    data: Path  # folder of source images and test scenes

    @cached_property
    def fast(self) -> RecurrentNetwork:
        return load_network(self.model)

    @cached_property
    def plain(self) -> PlainNetwork:
        plain = PlainNetwork(self.fast.interaction, CONFIG.network, self.fast.shapes).eval()
        plain.load_state_dict(plain.weights_of(self.fast.state_dict()), strict=False)
        return plain

    @cached_property
    def sources(self) -> SourceImages:
        names = [dataset.name for dataset in CONFIG.data.datasets]
        return SourceImages.read(self.data / f"shards/{name}-test.h5" for name in names)

    @property
    def scene_file(self) -> Path:
        return self.data / "scenes" / CONFIG.scenes.set / "test-00.h5"

    @cached_property
    def scenes(self) -> dict[str, Tensor]:
        """The test scenes of the first file, cluttered and clean, (n, 1, 100, 100)."""
        with h5py.File(self.scene_file) as file:
            return {name: torch.from_numpy(file[name][:])[:, None] for name in ("scenes", "clean")}

    @cached_property
    def labels(self) -> dict[str, npt.NDArray[np.uint8]]:
        with h5py.File(self.scene_file) as file:
            return {name: file[f"labels/{name}"][:] for name in CONFIG.decoding.variables}

    def paint_plainly(self, count: int) -> Work:
        """Paint scenes with scipy, one object at a time."""

        def work() -> npt.NDArray[np.float64]:
            recipe = sample(self.sources, DISTRIBUTION, 2, range(count))
            return np.stack([paint(self.sources, recipe, n) for n in range(count)])

        return work

    def paint(self, count: int) -> Work:
        def work() -> npt.NDArray[np.float32]:
            return render(self.sources, sample(self.sources, DISTRIBUTION, 2, range(count)))[:, 0]

        return work

    def train_plainly(self, iterations: int) -> Work:
        """Train, scenes included: scipy, eager float32, with the connections of both interactions."""
        network = copy.deepcopy(self.plain)

        def batch(indices: range) -> tuple[Tensor, Tensor]:
            recipe = sample(self.sources, DISTRIBUTION, 1, indices)
            scenes = np.stack([paint(self.sources, recipe, n) for n in range(len(recipe))])
            images = torch.from_numpy(scenes.astype(np.float32))[:, None]
            return images, torch.from_numpy(recipe.categories(self.sources))

        size = CONFIG.training.batch
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
        done = 0

        def work() -> npt.NDArray[np.float64]:
            nonlocal done
            losses = []
            for _ in range(iterations):
                images, categories = batch(range(done * size, (done + 1) * size))
                done += 1
                losses.append(_update(network, network(images)[0], categories, optimizer))
            return np.array(losses)

        return work

    def train(
        self,
        iterations: int,
        size: int = CONFIG.training.batch,
        timesteps: int = CONFIG.network.timesteps,
    ) -> Work:
        """Train as the workflow does: the scenes of the next iteration are painted at the same time."""
        network = RecurrentNetwork(
            "multiplicative", CONFIG.network.model_copy(update={"timesteps": timesteps})
        )
        same = self.fast.state_dict()
        if timesteps != self.fast.timesteps:
            del same["readout.weight"]
        network.load_state_dict(same, strict=False)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
        batch = partial(draw, renderer(self.sources, CPU), self.sources, DISTRIBUTION, 1)
        painter = ThreadPoolExecutor(1)
        upcoming, done = painter.submit(batch, range(size)), 0

        def work() -> npt.NDArray[np.float64]:
            nonlocal upcoming, done
            losses = []
            for _ in range(iterations):
                images, categories = upcoming.result()
                done += 1
                upcoming = painter.submit(batch, range(done * size, (done + 1) * size))
                with mixed_precision(CPU, CONFIG.training.precision):
                    logits = network(images).logits
                losses.append(_update(network, logits.float(), categories, optimizer))
            return np.array(losses)

        return work

    def infer_plainly(self, count: int) -> Work:
        return partial(self._infer, lambda images: self.plain(images)[0], "float32", count)

    def infer(self, count: int) -> Work:
        def work() -> npt.NDArray[np.float32]:
            with fixed_parameters(self.fast):
                return self._infer(
                    lambda images: self.fast(images).logits, CONFIG.record.precision, count
                )

        return work

    def _infer(
        self, logits: Callable[[Tensor], Tensor], precision: str, count: int
    ) -> npt.NDArray[np.float32]:
        with torch.inference_mode(), mixed_precision(CPU, precision):
            batches = self.scenes["scenes"][:count].split(BATCH)
            return torch.cat([logits(images).float() for images in batches]).numpy()

    def perturb_plainly(self, count: int) -> Work:
        """Two full passes for every variable, layer, timestep and kind; returns accuracies (72, 2)."""
        return partial(self._perturb_plainly, count)

    @torch.inference_mode()
    def _perturb_plainly(self, count: int) -> npt.NDArray[np.float64]:
        experiment = Experiment(self.fast, self.sources, UNJITTERED, 1)
        recipe, permutations = (
            experiment.recipe(range(count)),
            experiment.permutations(range(count)),
        )
        category = recipe.categories(self.sources)
        images = _painted_plainly(self.sources, recipe)
        *_, flows = self.plain(images)
        found: dict[tuple[str, int, str], list[float]] = {}
        for variable in ALTERATIONS:
            altered = _painted_plainly(
                self.sources, alter(recipe, variable, "opposite", UNJITTERED)
            )
            for t, here in enumerate(flows):
                for layer, flow in here.items():
                    for kind in ("systematic", "control"):
                        other = self.plain(altered)[2][t][layer]
                        if kind == "control":
                            change = (other - flow).flatten(1).gather(1, permutations[layer])
                            other = flow + change.view(flow.shape)
                        answers = self.plain(images, (layer, t + 1, other))[0].argmax(1).numpy()
                        right = float((answers == category).mean())
                        found.setdefault((layer, t + 1, variable), []).append(right)
        return np.array([found[key] for key in sorted(found)])

    def perturb(self, count: int) -> Work:
        block = CONFIG.perturbation.model_copy(
            update={"renderings": ["opposite"], "repeats": 1, "scenes": count}
        )
        experiment = Experiment(self.fast, self.sources, UNJITTERED, 1)
        progress = Progress("benchmark", [], count, np.inf)

        def work() -> npt.NDArray[np.float64]:
            table = perturb(experiment, block, progress)
            return table[["accuracy_systematic", "accuracy_control"]].to_numpy()

        return work

    @cached_property
    def feature_sets(self) -> dict[tuple[str, str, int, str], npt.NDArray[np.float16]]:
        """All features of a repeat: activations and flows, by (kind, image, t from 0, layer)."""
        sets: dict[tuple[str, str, int, str], list[npt.NDArray[np.float16]]] = {}
        for image, scenes in self.scenes.items():
            for batch in scenes.split(BATCH):
                with torch.inference_mode():
                    run = self.fast(batch)
                for t in range(self.fast.timesteps):
                    kinds = {"activation": run.activities[t].outputs}
                    if image == "scenes" and t:
                        kinds["recurrent_flow"] = run.flows[t]
                    for kind, maps in kinds.items():
                        for layer in LAYERS:
                            rounded = round_mantissa(maps[layer].flatten(1), MANTISSA[kind])
                            sets.setdefault((kind, image, t, layer), []).append(rounded)
        return {name: np.concatenate(parts) for name, parts in sets.items()}

    def decode_plainly(self) -> Work:
        """``LinearSVC`` on the raw features of every set, for every variable; returns accuracies (44, 6)."""
        fit = CONFIG.decoding.fit
        sets = self.feature_sets.values()
        return lambda: np.array(
            [
                [
                    read_out(values.astype(np.float64), labels, fit, 0)
                    for labels in self.labels.values()
                ]
                for values in sets
            ]
        )

    def decode(self) -> Work:
        fit, most = CONFIG.decoding.fit, CONFIG.decoding.max_iter
        sets = self.feature_sets.values()

        def from_one(values: npt.NDArray[np.float16]) -> list[float]:
            factor = decoding.gram_factor(values)
            return [decoding.read_out(factor, y, fit, 0, most)[0] for y in self.labels.values()]

        return lambda: np.array([from_one(values) for values in sets])


def _update(
    network: torch.nn.Module, logits: Tensor, categories: Tensor, optimizer: torch.optim.Optimizer
) -> float:
    """One step of training; gives the loss before it."""
    optimizer.zero_grad()
    loss = F.cross_entropy(logits, categories)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def _painted_plainly(sources: SourceImages, recipe: Any) -> Tensor:
    scenes = np.stack([paint(sources, recipe, n) for n in range(len(recipe))])
    return torch.from_numpy(scenes.astype(np.float32))[:, None]

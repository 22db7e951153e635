"""The recurrent network (paper 2.1, 2.2 and A.2; docs/experiment.md 2): a loop over timesteps and layers.

Each layer gets feedforward drive from the layer below. From the second timestep on it also gets
recurrent flow: the sum of its lateral and top-down connections, computed from the activity of the
timestep before. The two interact by one of the rules of :mod:`recurrence.interactions`. A feedforward network has no
recurrent flow, and so one timestep: a control that the paper's discussion suggests, also with wider layers
(:mod:`recurrence.costs`).
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from recurrence.configuration.blocks import Network
from recurrence.connections import RowConvolution, ToMap, UpConvolution, fixed_parameters
from recurrence.costs import Sizes, block_of, costs
from recurrence.devices import resolve_precision
from recurrence.interactions import RULES, interactions
from recurrence.names import CANVAS, CATEGORIES, FIRST_FLOW, LAYERS, POOL
from recurrence.storage import atomic, reading
from recurrence.wiring import ends


@dataclass(frozen=True)
class Activity:
    """The activity of the layers at one timestep, each (batch, channels, height, width) or (batch, units).

    Lateral connections read ``maps``. Feedforward and top-down connections read ``outputs``: the
    pooled maps, or the maps themselves at input and fc.
    """

    maps: dict[str, Tensor]
    outputs: dict[str, Tensor]


@dataclass(frozen=True)
class Trajectory:
    """A forward pass: the logits (batch, 20), and the activity and recurrent flow at each timestep."""

    logits: Tensor
    activities: list[Activity]
    flows: list[dict[str, Tensor]]

    def flow(self, layer: str, timestep: int) -> Tensor:
        """The recurrent flow to ``layer`` at ``timestep``, in the shape of the layer's map.

        Raises ``ValueError`` if there is none, as at the first timestep.
        """
        if not 1 <= timestep <= len(self.flows) or layer not in self.flows[timestep - 1]:
            there = [(name, t) for t, flow in enumerate(self.flows, 1) for name in flow]
            raise ValueError(
                f"no recurrent flow to {layer!r} at t = {timestep}: there is "
                f"{', '.join(f'{name} at t = {t}' for name, t in there) or 'none'}"
            )
        return self.flows[timestep - 1][layer]


@dataclass(frozen=True)
class Intervention:
    """Replace the recurrent flow to ``layer`` at ``timestep`` with ``flow``, which has the shape of the layer's map.

    The first timestep with a flow is ``FIRST_FLOW``.
    """

    layer: str
    timestep: int
    flow: Tensor

    @property
    def layers(self) -> list[str]:
        """The layers whose flow differs at ``timestep``."""
        return [self.layer]


@dataclass(frozen=True)
class Ablation:
    """Remove ``connections``, with their biases, at all timesteps. Their names are as in the configuration."""

    connections: Collection[str]
    timestep: int = FIRST_FLOW  # the first one that differs

    @property
    def layers(self) -> list[str]:
        """The layers that lose flow, the lowest first."""
        targets = {ends(connection)[1] for connection in self.connections}
        return [layer for layer in LAYERS if layer in targets]


class RecurrentNetwork(nn.Module):
    """The network of one interaction type, with only the connections that it uses.

    ``initialisation``: weights are drawn as in the ``released`` code, or as the ``paper`` says
    (docs/experiment.md 2).
    """

    def __init__(self, interaction: str, block: Network, initialisation: str = "released") -> None:
        super().__init__()
        if interaction not in interactions():
            raise ValueError(
                f"no interaction {interaction!r}: choose one of {', '.join(interactions())}"
            )
        self.interaction = interaction
        self.rule = RULES.get(interaction)  # none without recurrence
        block = block_of(interaction, block)
        self.timesteps: int = block.timesteps
        kernel, units = block.kernel, block.units
        sizes = Sizes.of(block)
        channels, pooled = sizes.channels, sizes.pooled

        def shapes(side: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
            maps = {layer: (channels[layer], side[layer], side[layer]) for layer in LAYERS[:3]}
            return {**maps, "fc": (units,)}

        self.shapes, self.output_shapes = shapes(sizes.side), shapes(pooled)

        self.feedforward = nn.ModuleDict(
            {
                "conv1": RowConvolution(1, channels["conv1"], kernel),
                "conv2": RowConvolution(channels["conv1"], channels["conv2"], kernel),
                "fc": nn.Linear(channels["conv2"] * pooled["conv2"] ** 2, units),
            }
        )
        self.readout = nn.Linear(units * self.timesteps, CATEGORIES)

        def lateral(layer: str) -> nn.Module:
            if layer == "fc":
                return nn.Linear(units, units)
            return RowConvolution(channels[layer], channels[layer], kernel, padding=kernel // 2)

        def topdown(name: str) -> nn.Module:
            source, target = ends(name)
            if source == "fc":
                return ToMap(units, self.shapes[target])  # type: ignore[arg-type]
            kernel, stride = sizes.upward(source, target)
            return UpConvolution(channels[source], channels[target], kernel, stride)

        self.lateral = nn.ModuleDict({layer: lateral(layer) for layer in block.lateral})
        self.topdown = nn.ModuleDict({name: topdown(name) for name in block.topdown})
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                if isinstance(module, nn.ConvTranspose2d) and initialisation == "released":
                    continue  # the released code keeps PyTorch's default here
                nn.init.xavier_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        self.to(memory_format=torch.channels_last)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.readout.weight.device

    @property
    def connections(self) -> list[str]:
        """The names of the recurrent connections: lateral ones, then top-down ones."""
        return [*self.lateral, *self.topdown]

    def forward(
        self,
        image: Tensor,
        intervention: Intervention | Ablation | None = None,
        undisturbed: Trajectory | None = None,
    ) -> Trajectory:
        """Run all timesteps on images (batch, 1, 100, 100).

        ``undisturbed`` is the trajectory of the same images without the ``intervention``. If it is
        given, nothing before the intervention is computed again, neither earlier timesteps nor
        lower layers.

        Raises ``ValueError`` for images of another shape, for an intervention where no flow of that shape arrives, and
        for the ablation of a connection that the network lacks.
        """
        self._require_fitting(image, intervention)
        image = image.contiguous(memory_format=torch.channels_last)
        activities: list[Activity] = []
        flows: list[dict[str, Tensor]] = []
        removed = intervention.connections if isinstance(intervention, Ablation) else ()
        with fixed_parameters(self):
            for timestep in range(1, self.timesteps + 1):
                t = timestep - 1
                if undisturbed and intervention and timestep < intervention.timestep:
                    activities.append(undisturbed.activities[t])
                    flows.append(undisturbed.flows[t])
                elif undisturbed and intervention and timestep == intervention.timestep:
                    layers, there = intervention.layers, undisturbed.flows[t].items()
                    flow = {layer: same for layer, same in there if layer not in layers}
                    if isinstance(intervention, Intervention):
                        flow[intervention.layer] = intervention.flow
                    else:
                        flow |= self.recurrent_flow(activities[-1], removed, layers)
                    flows.append(flow)
                    activities.append(self.step(image, flow, layers[0], undisturbed.activities[t]))
                else:
                    flow = self.recurrent_flow(activities[-1], removed) if activities else {}
                    if isinstance(intervention, Intervention) and timestep == intervention.timestep:
                        flow[intervention.layer] = intervention.flow
                    flows.append(flow)
                    activities.append(self.step(image, flow))
        read = torch.cat([activity.maps["fc"] for activity in activities], dim=1)
        return Trajectory(self.readout(read), activities, flows)

    def _require_fitting(self, image: Tensor, intervention: Intervention | Ablation | None) -> None:
        if tuple(image.shape[1:]) != self.shapes["input"]:
            raise ValueError(
                f"images of shape {tuple(image.shape)}: give (batch, 1, {CANVAS}, {CANVAS})"
            )
        if intervention is None:
            return
        if isinstance(intervention, Ablation):
            lacking = {*intervention.connections} - {*self.connections}
            if lacking or not intervention.connections:
                raise ValueError(
                    f"no connection {', '.join(sorted(lacking))} to remove: this network has "
                    f"{', '.join(self.connections) or 'none'}"
                )
            return
        layer, timestep = intervention.layer, intervention.timestep
        reached = {ends(connection)[1] for connection in self.connections}
        if layer not in reached or not FIRST_FLOW <= timestep <= self.timesteps:
            raise ValueError(
                f"no recurrent flow to {layer!r} at t = {timestep}: this network has flow to "
                f"{', '.join(each for each in LAYERS if each in reached) or 'none of its layers'}, "
                f"at t = {FIRST_FLOW} to {self.timesteps}"
            )
        expected = (len(image), *self.shapes[layer])
        if tuple(intervention.flow.shape) != expected:
            raise ValueError(
                f"flow of shape {tuple(intervention.flow.shape)} to {layer}: give {expected}"
            )

    def recurrent_flow(
        self, previous: Activity, removed: Collection[str] = (), layers: Collection[str] = LAYERS
    ) -> dict[str, Tensor]:
        """The flow to each of ``layers``, in the shape of its map, from the activity at the ``previous`` timestep.

        Without the ``removed`` connections; a layer that has no others gets none.
        """
        terms = self.terms(previous, removed, layers)
        return {layer: total(terms[layer].values()) for layer in layers if layer in terms}

    def terms(
        self, previous: Activity, removed: Collection[str] = (), layers: Collection[str] = LAYERS
    ) -> dict[str, dict[str, Tensor]]:
        """What each connection carries to each layer: the terms of :meth:`recurrent_flow`, by layer and connection."""
        terms: dict[str, dict[str, Tensor]] = {}
        for name in self.connections:
            source, target = ends(name)
            if target not in layers or name in removed:
                continue
            lateral = name in self.lateral
            connection = self.lateral[name] if lateral else self.topdown[name]
            activity = previous.maps if lateral else previous.outputs
            terms.setdefault(target, {})[name] = connection(activity[source])
        return terms

    def step(
        self,
        image: Tensor,
        flow: Mapping[str, Tensor],
        start: str = "input",
        below: Activity | None = None,
    ) -> Activity:
        """Compute one timestep with this recurrent flow; layers below ``start`` are copied from ``below``."""
        first = LAYERS.index(start)
        maps = {layer: below.maps[layer] for layer in LAYERS[:first]} if below else {}
        outputs = {layer: below.outputs[layer] for layer in LAYERS[:first]} if below else {}
        for layer in LAYERS[first:]:
            match layer:
                case "input":
                    maps[layer] = outputs[layer] = self._modulate_image(image, flow.get(layer))
                case "conv1" | "conv2":
                    below_it = LAYERS[LAYERS.index(layer) - 1]
                    drive = self.feedforward[layer](outputs[below_it])
                    maps[layer] = self._interact(drive, flow.get(layer))
                    outputs[layer] = F.max_pool2d(maps[layer], POOL)
                case "fc":
                    drive = self.feedforward[layer](outputs["conv2"].flatten(1))
                    maps[layer] = outputs[layer] = self._interact(drive, flow.get(layer))
        return Activity(maps, outputs)

    def read_outs(self, trajectory: Trajectory, alone: bool = False) -> Tensor:
        """The logits (batch, timesteps, 20) of the output layer if it sees fc only up to each timestep; the rest is 0.

        Up to the last timestep they are the network's own logits. With ``alone`` it sees only that timestep.
        """
        fc = torch.stack([activity.maps["fc"] for activity in trajectory.activities], 1)
        every = fc.new_ones(self.timesteps, self.timesteps)
        seen = every.triu().tril() if alone else every.tril()
        logits = self.readout((seen[:, :, None] * fc[:, None]).flatten(2))
        # Computed again, the network's own logits would be the same only up to rounding.
        return logits if alone else torch.cat([logits[:, :-1], trajectory.logits[:, None]], 1)

    def _modulate_image(self, image: Tensor, flow: Tensor | None) -> Tensor:
        if flow is None or self.rule is None:
            return image
        return self.rule(image, flow, lambda drive: drive).clamp(0, 1)

    def _interact(self, drive: Tensor, flow: Tensor | None) -> Tensor:
        if flow is None or self.rule is None:
            return F.relu(drive)
        return self.rule(drive, flow, F.relu)


def parameter_table(interaction: str, block: Network) -> pd.DataFrame:
    """The parameters of a network, one row each.

    ``parameter`` is its name, ``shape`` is like ``16 x 8 x 5 x 5``, ``size`` the number of its values, and
    ``multiply_accumulates`` those of its connection for one scene (:mod:`recurrence.costs`), with the weights.
    """
    with torch.device("meta"):  # shapes alone, no numbers
        network = RecurrentNetwork(interaction, block)
    cost = costs(interaction, block)
    rows = [
        (
            name,
            " x ".join(map(str, p.shape)),
            p.numel(),
            cost[name.removesuffix(".weight")].arithmetic if name.endswith(".weight") else 0,
        )
        for name, p in network.named_parameters()
    ]
    return pd.DataFrame(rows, columns=["parameter", "shape", "size", "multiply_accumulates"])


def mixed_precision(device: torch.device, precision: str) -> torch.autocast:
    """Automatic mixed precision in bfloat16, or none for float32; ``auto`` is as :func:`resolve_precision` says."""
    enabled = resolve_precision(precision, device) == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def total(terms: Iterable[Tensor]) -> Tensor:
    """The sum of the terms of a flow, in their order."""
    result, *others = terms
    for term in others:
        result = result + term
    return result


def save_network(
    path: str | Path, network: RecurrentNetwork, block: Network, **provenance: Any
) -> None:
    """Write the weights. The file's metadata have the interaction, the ``network`` block and ``provenance`` as JSON.

    They are one entry, ``provenance``: safetensors writes several in any order, but equal networks must be equal files.
    """
    metadata = {"interaction": network.interaction, "network": block.plain(), **provenance}
    weights = {
        name: weight.detach().cpu().contiguous() for name, weight in network.state_dict().items()
    }
    with atomic(path) as temporary:
        temporary.write_bytes(save(weights, {"provenance": json.dumps(metadata, sort_keys=True)}))


def load_network(path: str | Path) -> RecurrentNetwork:
    """Read a network written by :func:`save_network`, ready for inference on the CPU. The file knows its shape.

    Raises ``ValueError``, naming the file, if it is not such a file, or if its weights do not fit its metadata.
    """
    with reading(
        path,
        "is not a network of this project: {}",
        SafetensorError,
        KeyError,
        RuntimeError,
        json.JSONDecodeError,
        ValidationError,
        ValueError,  # an interaction that is not in this code
    ):
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {})["provenance"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = RecurrentNetwork(
            metadata["interaction"], Network.model_validate(metadata["network"])
        )
        network.load_state_dict(weights)
    return network.eval()

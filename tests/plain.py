"""Plain counterparts of the fast code, for tests and for `make benchmark` to compare with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from sklearn.svm import LinearSVC
from torch import Tensor, nn

from recurrence.configuration.blocks import Network
from recurrence.names import CATEGORIES, LAYERS
from recurrence.scenes import Recipe, SourceImages

# Of top-down connections from that layer, if it leaves no gaps.
STRIDE = {"conv1": 3, "conv2": 10}


def paint(sources: SourceImages, recipe: Recipe, n: int) -> npt.NDArray[np.float64]:
    """Scene ``n`` of a recipe (docs/experiment.md 1), painted with scipy one object at a time: (100, 100)."""
    canvas = np.zeros((100, 100))
    for i in range(8):
        if not recipe.present[n, i]:
            continue
        image = sources.images[recipe.image[n, i]] / 255.0
        image = ndimage.zoom(image, recipe.factor[n, i])
        if recipe.second_factor[n, i] != 1:
            image = ndimage.zoom(image, recipe.second_factor[n, i])
        image = ndimage.rotate(image, recipe.angle[n, i], reshape=False)
        if recipe.second_angle[n, i] != 0:
            image = ndimage.rotate(image, recipe.second_angle[n, i], reshape=False)
        side = len(image)
        if i != recipe.target[n]:
            b = side // 3
            pieces = [
                image[k // 3 * b : k // 3 * b + b, k % 3 * b : k % 3 * b + b] for k in range(9)
            ]
            image = np.zeros_like(image)
            for k, shown in enumerate(recipe.blocks[n, i]):
                image[k // 3 * b : k // 3 * b + b, k % 3 * b : k % 3 * b + b] = pieces[shown]
        image = image - image.min()
        image = image / image.max() if image.max() > 0 else image
        row, column = recipe.centre[n, i] - side // 2
        under = canvas[row : row + side, column : column + side]
        under[:] = (1 - image) * under + image * image
    canvas = canvas - canvas.min()
    return canvas / canvas.max() if canvas.max() > 0 else canvas


class PlainNetwork(nn.Module):
    """The network of docs/experiment.md 2 in PyTorch's own layers, with both interactions, as in the released network.

    ``interaction`` says which of the two counts (feedforward: none); the flows of the other are computed and count
    nothing.
    """

    def __init__(self, interaction: str, block: Network, shapes: Mapping[str, Any]) -> None:
        super().__init__()
        self.interaction, self.block, self.shapes = interaction, block, shapes
        c1, c2 = block.channels.conv1, block.channels.conv2
        kernel, units, steps = block.kernel, block.units, block.timesteps
        pooled = {layer: shapes[layer][1] // 3 for layer in ("conv1", "conv2")}
        self.conv1, self.conv2 = nn.Conv2d(1, c1, kernel), nn.Conv2d(c1, c2, kernel)
        self.fc = nn.Linear(c2 * pooled["conv2"] ** 2, units)
        self.readout = nn.Linear(units * steps, CATEGORIES)

        def recurrent(source: str, target: str) -> nn.Module:
            if source == target:
                c = shapes[source][0]
                return (
                    nn.Linear(c, c)
                    if source == "fc"
                    else nn.Conv2d(c, c, kernel, padding=kernel // 2)
                )
            if source == "fc":
                return nn.Linear(units, int(np.prod(shapes[target])))
            stride = min(STRIDE[source], shapes[target][1] // pooled[source])
            size = shapes[target][1] - (pooled[source] - 1) * stride
            return nn.ConvTranspose2d(shapes[source][0], shapes[target][0], size, stride)

        self.connections = [(layer, layer) for layer in block.lateral]
        topdown = (name.split("_to_") for name in block.topdown)
        self.connections += [(source, target) for source, target in topdown]
        self.recurrent = nn.ModuleDict(
            {
                f"{kind}:{source}:{target}": recurrent(source, target)
                for kind in ("multiplicative", "additive")
                for source, target in self.connections
            }
        )

    def weights_of(self, network: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of a network of the same interaction and block, with the names and order of this one."""
        found = {}
        for theirs, weight in network.items():
            kind, *name, part = theirs.split(".")
            ours, value = name[0] if name else kind, weight
            if kind in ("lateral", "topdown"):
                source, target = name[0].split("_to_") if kind == "topdown" else 2 * name
                ours = f"recurrent.{self.interaction}:{source}:{target}"
                if source == "fc" != target:  # rows there are in the order height, width, channel
                    channels, height, width = self.shapes[target]
                    split = weight.view(height, width, channels, *weight.shape[1:])
                    value = split.movedim(2, 0).reshape(weight.shape)
            found[f"{ours}.{part}"] = value
        return found

    def forward(
        self, image: Tensor, replaced: tuple[str, int, Tensor] | None = None
    ) -> tuple[Tensor, list[dict[str, Tensor]], list[dict[str, Tensor]]]:
        """Equations 1 and 2: logits (batch, 20), and at each timestep each layer's map and the flow that is used."""
        maps: dict[str, Tensor] = {}
        outputs: dict[str, Tensor] = {}
        read, all_maps, used_flows = [], [], []
        for timestep in range(1, self.block.timesteps + 1):
            flow: dict[str, dict[str, Tensor]] = {"multiplicative": {}, "additive": {}}
            for kind, flows in flow.items() if maps else ():
                for source, target in self.connections:
                    connection = self.recurrent[f"{kind}:{source}:{target}"]
                    if source == "fc" and target != "fc":
                        term = connection(outputs["fc"]).view(-1, *self.shapes[target])
                    else:
                        term = connection((maps if source == target else outputs)[source])
                    flows[target] = flows[target] + term if target in flows else term
            if replaced and timestep == replaced[1]:
                flow[self.interaction][replaced[0]] = replaced[2]
            used_flows.append(flow.get(self.interaction, {}))
            counts = {kind: float(kind == self.interaction) for kind in flow}
            b, g = (
                {layer: flow[kind].get(layer, torch.zeros(())) * counts[kind] for layer in LAYERS}
                for kind in ("additive", "multiplicative")
            )
            maps = {"input": ((image + b["input"]) * (1 + g["input"])).clamp(0, 1)}
            outputs = {"input": maps["input"]}
            for layer, below in (("conv1", "input"), ("conv2", "conv1")):
                drive = getattr(self, layer)(outputs[below])
                maps[layer] = F.relu(drive + b[layer]) * (1 + g[layer])
                outputs[layer] = F.max_pool2d(maps[layer], 3)
            drive = self.fc(outputs["conv2"].flatten(1))
            maps["fc"] = outputs["fc"] = F.relu(drive + b["fc"]) * (1 + g["fc"])
            read.append(maps["fc"])
            all_maps.append(maps)
        return self.readout(torch.cat(read, 1)), all_maps, used_flows


def read_out(features: npt.NDArray[Any], labels: npt.NDArray[Any], fit: int, seed: int) -> float:
    """The accuracy of a ``LinearSVC`` on raw features."""
    classifier = LinearSVC(dual=True, random_state=seed)
    classifier.fit(features[:fit], labels[:fit])
    return float(classifier.score(features[fit:], labels[fit:]))

"""What a network costs, by connection, and the feedforward controls that are as large or as costly as a recurrent one.

Imports no torch. Costs are parameters, and multiply-accumulates: products of an input and a weight, for one scene over
all timesteps. A recurrent network computes its feedforward connections at each timestep and its recurrent ones from
the second on; a feedforward network, which never changes, computes once. The plain operations of
docs/experiment.md 2 are counted, not the faster ones that compute the same.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from recurrence.configuration.blocks import Channels, Network
from recurrence.names import CANVAS, CATEGORIES, FEEDFORWARD, FIRST_FLOW, POOL
from recurrence.wiring import ends

AS_CONFIGURED = ""  # an interaction whose networks are built from the block as it is
MATCHED = {"feedforward_parameters": "parameters", "feedforward_arithmetic": "arithmetic"}
TOLERANCE = 0.01  # of a match, as a fraction
NEARBY = 3  # feature maps around the ideal number that are tried
STRIDES = {"conv1": 3, "conv2": 10}  # the paper's, of top-down connections from maps


@dataclass(frozen=True)
class Sizes:
    """The sizes of the layers of a network: feature maps, and sides of maps before and after pooling."""

    channels: dict[str, int]
    side: dict[str, int] = field(default_factory=lambda: {"input": CANVAS})
    pooled: dict[str, int] = field(default_factory=lambda: {"input": CANVAS})

    @classmethod
    def of(cls, block: Network) -> "Sizes":
        """The sizes that the block ``network`` gives."""
        sizes = cls({"input": 1, "conv1": block.channels.conv1, "conv2": block.channels.conv2})
        for below, layer in (("input", "conv1"), ("conv1", "conv2")):
            sizes.side[layer] = sizes.pooled[below] - block.kernel + 1
            sizes.pooled[layer] = sizes.side[layer] // POOL
        return sizes

    def elements(self, layer: str) -> int:
        """The number of values in a map before pooling."""
        return self.channels[layer] * self.side[layer] ** 2

    def upward(self, source: str, target: str) -> tuple[int, int]:
        """Kernel and stride of a transposed convolution: the largest stride without gaps, at most the paper's."""
        stride = min(STRIDES[source], self.side[target] // self.pooled[source])
        return self.side[target] - (self.pooled[source] - 1) * stride, stride


@dataclass(frozen=True)
class Cost:
    """Parameters, and multiply-accumulates for one scene over all timesteps (``arithmetic``)."""

    parameters: int
    arithmetic: int


def costs(interaction: str, block: Network) -> dict[str, Cost]:
    """The cost of each connection of a network, by the name of its module, such as ``topdown.fc_to_conv1``."""
    block = block_of(interaction, block)
    sizes, units = Sizes.of(block), block.units
    channels, side, pooled = sizes.channels, sizes.side, sizes.pooled
    found: dict[str, Cost] = {}

    def add(name: str, weights: int, biases: int, products: int, times: int) -> None:
        found[name] = Cost(weights + biases, products * times)

    for below, layer in (("input", "conv1"), ("conv1", "conv2")):
        weights = channels[below] * channels[layer] * block.kernel**2
        products = weights * side[layer] ** 2
        add(f"feedforward.{layer}", weights, channels[layer], products, block.timesteps)
    into_fc = channels["conv2"] * pooled["conv2"] ** 2 * units
    add("feedforward.fc", into_fc, units, into_fc, block.timesteps)
    later = block.timesteps + 1 - FIRST_FLOW
    for layer in block.lateral:
        width, places = (units, 1) if layer == "fc" else (channels[layer], side[layer] ** 2)
        weights = width * width * (1 if layer == "fc" else block.kernel**2)
        add(f"lateral.{layer}", weights, width, weights * places, later)
    for name in block.topdown:
        source, target = ends(name)
        if source == "fc":
            weights = units * sizes.elements(target)
            add(f"topdown.{name}", weights, sizes.elements(target), weights, later)
        else:
            weights = channels[source] * channels[target] * sizes.upward(source, target)[0] ** 2
            places = pooled[source] ** 2
            add(f"topdown.{name}", weights, channels[target], weights * places, later)
    readout = units * block.timesteps * CATEGORIES
    add("readout", readout, CATEGORIES, readout, 1)
    return found


def total(interaction: str, block: Network) -> Cost:
    """The cost of a whole network."""
    each = costs(interaction, block).values()
    return Cost(sum(cost.parameters for cost in each), sum(cost.arithmetic for cost in each))


def block_of(interaction: str, block: Network) -> Network:
    """The block ``network`` that an interaction's networks are built from.

    Feedforward networks have one timestep and no recurrent connections. The matched ones have layers that are wider by
    one factor, such that they have as many parameters as a recurrent network of ``block``, or need as much arithmetic.
    Raises ``ValueError`` if no widths come within :data:`TOLERANCE`.
    """
    if interaction not in FEEDFORWARD:
        return block
    plain = block.model_copy(update={"timesteps": 1, "lateral": [], "topdown": []})
    if interaction not in MATCHED:
        return plain
    quantity = MATCHED[interaction]
    target = getattr(total(AS_CONFIGURED, block), quantity)

    def cost(conv1: int, conv2: int, units: int) -> int:
        return int(
            getattr(total(AS_CONFIGURED, _with_widths(plain, conv1, conv2, units)), quantity)
        )

    factor = _factor(
        lambda by: cost(*(max(1, round(by * width)) for width in _widths(plain))), target
    )
    ideal = [factor * width for width in _widths(plain)]
    best: tuple[float, Network] | None = None
    for conv1 in range(max(1, round(ideal[0]) - NEARBY), round(ideal[0]) + NEARBY + 1):
        for conv2 in range(max(1, round(ideal[1]) - NEARBY), round(ideal[1]) + NEARBY + 1):
            # The cost grows linearly with the units of fc.
            one, each = cost(conv1, conv2, 1), cost(conv1, conv2, 2) - cost(conv1, conv2, 1)
            units = max(1, 1 + round((target - one) / each))
            if abs(cost(conv1, conv2, units) / target - 1) > TOLERANCE:
                continue
            shift = sum(
                abs(math.log(width / wanted))
                for width, wanted in zip((conv1, conv2, units), ideal, strict=True)
            )
            if best is None or shift < best[0]:
                best = shift, _with_widths(plain, conv1, conv2, units)
    if best is None:
        raise ValueError(
            f"no widths give a {interaction} network within {TOLERANCE:.0%} of a recurrent one: take it out of "
            "run.interactions, or make the network larger"
        )
    return best[1]


def _widths(block: Network) -> tuple[int, int, int]:
    return block.channels.conv1, block.channels.conv2, block.units


def _with_widths(block: Network, conv1: int, conv2: int, units: int) -> Network:
    channels = Channels.model_construct(conv1=conv1, conv2=conv2)
    return block.model_copy(update={"channels": channels, "units": units})


def _factor(cost: Callable[[float], float], target: float) -> float:
    """The factor at which ``cost``, which grows with it, reaches ``target``, by bisection."""
    low, high = 0.0, 1.0
    while cost(high) < target:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if cost(middle) < target else (low, middle)
    return high

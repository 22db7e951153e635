"""What networks cost, against PyTorch's own counts on plain layers, and the matched controls."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from blocks import PAPER, SMALL, block_with
from plain import PlainNetwork
from recurrence.configuration.blocks import Network
from recurrence.configuration.rules import without_match
from recurrence.costs import MATCHED, block_of, costs, total
from recurrence.interactions import interactions
from recurrence.messages import network_size
from recurrence.names import FEEDFORWARD
from recurrence.network import RecurrentNetwork, parameter_table

BLOCKS = {
    "paper": PAPER,
    "small": SMALL,
    "tiny": block_with(SMALL, channels={"conv1": 2, "conv2": 3}, units=8),
    "one map": block_with(SMALL, channels={"conv1": 1, "conv2": 1}, units=1, timesteps=2),
    "few connections": block_with(PAPER, lateral=["fc"], topdown=["conv2_to_conv1"]),
    "wide kernel": block_with(PAPER, kernel=9, timesteps=6),
}


def products(block: Network) -> int:
    """Multiply-accumulates of a forward pass of one image: PyTorch counts two operations for each.

    The plain network computes its recurrent connections twice, once for each interaction.
    """

    def counted(block: Network) -> int:
        shapes = RecurrentNetwork("additive", block).shapes
        network = PlainNetwork("additive", block, shapes)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            network(torch.zeros(1, 1, 100, 100))
        return counter.get_total_flops() // 2

    upward = counted(block_with(block, lateral=[], topdown=[]))
    return upward + (counted(block) - upward) // 2


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize("interaction", interactions())
def test_costs_are_those_that_pytorch_counts(interaction: str, block: Network) -> None:
    network = RecurrentNetwork(interaction, block)
    size = sum(parameter.numel() for parameter in network.parameters())
    cost = total(interaction, block)
    assert cost.parameters == size
    assert set(costs(interaction, block)) == {
        name.removesuffix(".weight") for name, _ in network.named_parameters() if "weight" in name
    }
    if (
        interaction not in MATCHED
    ):  # the limits of the configuration's block are too narrow for these
        made = block_of(interaction, block)
        assert cost.arithmetic == products(made)


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize(("interaction", "quantity"), MATCHED.items())
def test_controls_match_a_recurrent_network(
    interaction: str, quantity: str, block: Network
) -> None:
    recurrent, control = (
        RecurrentNetwork("multiplicative", block),
        RecurrentNetwork(interaction, block),
    )
    assert not control.lateral and not control.topdown and control.timesteps == 1
    with torch.inference_mode():
        run = control.eval()(torch.rand(2, 1, 100, 100))
    assert len(run.activities) == 1 and run.logits.shape == (2, 20)
    if quantity == "parameters":
        ours, theirs = (
            sum(parameter.numel() for parameter in network.parameters())
            for network in (control, recurrent)
        )
    else:
        theirs = products(block)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            layers = control.feedforward
            maps = torch.zeros(1, 1, 100, 100)
            for layer in ("conv1", "conv2"):
                plain = torch.nn.functional.conv2d(maps, layers[layer].weight)
                maps = torch.nn.functional.max_pool2d(plain, 3)
            control.readout(layers["fc"](maps.flatten(1)))
        ours = counter.get_total_flops() // 2
    assert ours == pytest.approx(theirs, rel=0.01)


def test_the_controls_of_the_paper_have_the_same_proportions() -> None:
    for interaction in MATCHED:
        made = block_of(interaction, PAPER)
        factors = made.channels.conv1 / 8, made.channels.conv2 / 16, made.units / 128
        assert min(factors) > 6 and max(factors) / min(factors) < 1.05
    assert block_of("multiplicative", PAPER) is PAPER
    assert block_of("feedforward", PAPER).units == 128


def test_what_was_matched_is_said() -> None:
    line = network_size("feedforward_parameters", PAPER)
    assert "matched in parameters: 12,662,894 in a recurrent network, -0.0" in line
    assert "matched" not in network_size("feedforward", PAPER)


def test_the_table_of_parameters_has_the_costs() -> None:
    for interaction in ("additive", *FEEDFORWARD):
        table, cost = parameter_table(interaction, SMALL), total(interaction, SMALL)
        assert table["size"].sum() == cost.parameters
        assert table["multiply_accumulates"].sum() == cost.arithmetic


def test_networks_that_cannot_be_matched_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert without_match(interactions(), SMALL) == []
    monkeypatch.setattr("recurrence.costs.TOLERANCE", -1.0)
    assert without_match(interactions(), SMALL) == [*MATCHED]

"""The network against a plain one that follows the paper's equations."""

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from blocks import PAPER, SMALL, block_with
from plain import PlainNetwork
from recurrence.configuration.blocks import Network
from recurrence.connections import RowConvolution, ToMap, UpConvolution, fixed_parameters
from recurrence.costs import block_of
from recurrence.interactions import interactions
from recurrence.names import LAYERS
from recurrence.network import (
    Ablation,
    Intervention,
    RecurrentNetwork,
    load_network,
    mixed_precision,
    parameter_table,
    save_network,
)
from recurrence.wiring import ends


def made(interaction: str, block: Network = SMALL, seed: int = 0) -> RecurrentNetwork:
    torch.manual_seed(seed)
    network = RecurrentNetwork(interaction, block)
    for parameter in network.parameters():  # biases too, so that a missing one is noticed
        torch.nn.init.uniform_(parameter, -0.05, 0.05)
    return network


def plain(network: RecurrentNetwork, block: Network) -> PlainNetwork:
    """The plain network with the weights of ``network``."""
    block = block_of(network.interaction, block)
    other = PlainNetwork(network.interaction, block, network.shapes)
    other.load_state_dict(other.weights_of(network.state_dict()), strict=False)
    return other


@pytest.mark.parametrize("interaction", interactions())
@pytest.mark.parametrize(
    "block",
    [
        SMALL,
        PAPER,
        block_with(SMALL, timesteps=1),
        block_with(SMALL, lateral=["conv1"], topdown=["fc_to_input"]),
    ],
    ids=["small", "paper", "one step", "few connections"],
)
def test_network_equals_the_equations(interaction: str, block: Network) -> None:
    network, images = made(interaction, block), torch.rand(2, 1, 100, 100)
    with torch.inference_mode():
        run, (logits, maps, flows) = network(images), plain(network, block)(images)
    close = {"atol": 1e-5, "rtol": 1e-4}
    torch.testing.assert_close(run.logits, logits, **close)
    assert [activity.maps.keys() for activity in run.activities] == [set(LAYERS)] * len(maps)
    for ours, theirs in zip(run.activities, maps, strict=True):
        torch.testing.assert_close(ours.maps, theirs, **close)
    for ours, theirs in zip(run.flows, flows, strict=True):
        torch.testing.assert_close(ours, theirs, **close)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_pass_leaves_the_weights_as_they_are(precision: str) -> None:
    network = made("additive")
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    with mixed_precision(network.device, precision):
        network(torch.rand(2, 1, 100, 100)).logits.sum().backward()
    after = network.state_dict()
    assert set(after) == set(before)
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight, atol=0, rtol=0)


@pytest.mark.parametrize("interaction", ["multiplicative", "additive"])
def test_gradients_equal_those_of_the_equations(interaction: str) -> None:
    network, images = made(interaction), torch.rand(2, 1, 100, 100)
    labels = torch.tensor([3, 11])
    F.cross_entropy(network(images).logits, labels).backward()
    weights = {n: w.detach().clone().requires_grad_() for n, w in network.state_dict().items()}
    other = PlainNetwork(interaction, SMALL, network.shapes)
    logits, *_ = functional_call(other, other.weights_of(weights), (images,))
    F.cross_entropy(logits, labels).backward()
    for name, parameter in network.named_parameters():
        expected = weights[name].grad
        assert expected is not None and expected.abs().max() > 0, name
        torch.testing.assert_close(parameter.grad, expected, atol=1e-6, rtol=1e-3, msg=name)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("losses", [["logits"], ["early"], ["early", "logits"]])
def test_gradients_of_any_loss_are_those_of_plain_layers(
    losses: list[str], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = torch.rand(2, 1, 100, 100)

    def gradients() -> dict[str, Tensor]:
        network = made("multiplicative")
        with mixed_precision(network.device, precision):
            passed = network(images)
        for loss in losses:  # one backward pass after another
            of = passed.logits if loss == "logits" else passed.activities[1].maps["conv1"]
            of.float().square().mean().backward(retain_graph=True)
        return {n: p.grad for n, p in network.named_parameters() if p.grad is not None}

    ours = gradients()

    def plainly(self: ToMap, input: Tensor) -> Tensor:
        flat = F.linear(input, self.weight, self.bias)
        return flat.view(-1, self.height, self.width, self.channels).permute(0, 3, 1, 2)

    monkeypatch.setattr(ToMap, "forward", plainly)
    monkeypatch.setattr(RowConvolution, "forward", torch.nn.Conv2d.forward)
    monkeypatch.setattr(UpConvolution, "forward", torch.nn.ConvTranspose2d.forward)
    expected = gradients()
    assert ours.keys() == expected.keys()
    tolerance = 2e-3 if precision == "float32" else 0.05
    for name, gradient in ours.items():
        scale = expected[name].abs().max().item()
        torch.testing.assert_close(
            gradient, expected[name], atol=tolerance * scale, rtol=tolerance, msg=name
        )


def test_a_pass_keeps_nothing_in_the_network() -> None:
    network, images = made("additive"), torch.rand(2, 1, 100, 100)
    network(images)
    other = made("additive", seed=1)
    network.load_state_dict(other.state_dict())
    torch.testing.assert_close(network(images).logits, other(images).logits, atol=0, rtol=0)
    copy.deepcopy(network)  # fails for tensors inside a graph


@pytest.mark.parametrize("interaction", ["multiplicative", "additive"])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("timestep", [2, 3])
def test_intervention_equals_a_full_rerun(interaction: str, layer: str, timestep: int) -> None:
    network, images = made(interaction), torch.rand(2, 1, 100, 100)
    flow = torch.randn(2, *network.shapes[layer])
    intervention = Intervention(layer, timestep, flow)
    with torch.inference_mode():
        known = network(images)
        short, full = network(images, intervention, known), network(images, intervention)
        logits, *_ = plain(network, SMALL)(images, (layer, timestep, flow))
    torch.testing.assert_close(full.logits, logits, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(short.logits, full.logits, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(full.logits, known.logits)


@pytest.mark.parametrize(
    ("channels", "filters", "side", "padding", "kernel"),
    [
        (1, 8, 100, 0, 5),
        (8, 8, 96, 2, 5),
        (8, 16, 32, 0, 5),
        (16, 16, 28, 2, 5),
        (1, 3, 100, 0, 3),
        (4, 4, 94, 3, 7),
        (2, 5, 33, 1, 3),
        (1, 6, 40, 0, 1),
    ],
)
def test_row_convolution_is_a_convolution(
    channels: int, filters: int, side: int, padding: int, kernel: int
) -> None:
    layer = RowConvolution(channels, filters, kernel, padding=padding)
    x = torch.rand(2, channels, side, side)
    expected = F.conv2d(x, layer.weight, layer.bias, padding=padding)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("n", "kernel", "stride"),
    [(32, 7, 3), (9, 20, 10), (9, 16, 10), (5, 3, 3), (4, 9, 2), (6, 1, 1)],
)
def test_up_convolution_is_a_transposed_convolution(n: int, kernel: int, stride: int) -> None:
    layer, x = UpConvolution(4, 3, kernel, stride), torch.rand(2, 4, n, n)
    expected = F.conv_transpose2d(x, layer.weight, layer.bias, stride)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-4)


def test_only_the_used_connections_exist() -> None:
    assert not any(n.startswith(("lateral", "topdown")) for n in made("feedforward").state_dict())
    few = made("additive", block_with(SMALL, lateral=["fc"], topdown=["conv2_to_conv1"]))
    names = {n.rsplit(".", 1)[0] for n in few.state_dict()}
    recurrent = {"lateral.fc", "topdown.conv2_to_conv1"}
    layers = {"feedforward.conv1", "feedforward.conv2", "feedforward.fc", "readout"}
    assert names == recurrent | layers


def test_a_network_of_the_papers_size_has_12_7_million_parameters() -> None:
    count = sum(p.numel() for p in RecurrentNetwork("multiplicative", PAPER).parameters())
    assert count == 12_662_894


def test_the_table_of_parameters_is_that_of_the_network() -> None:
    table = parameter_table("additive", SMALL)
    network = RecurrentNetwork("additive", SMALL)
    shapes = {name: " x ".join(map(str, p.shape)) for name, p in network.named_parameters()}
    assert dict(zip(table["parameter"], table["shape"], strict=True)) == shapes
    sizes = {name: p.numel() for name, p in network.named_parameters()}
    assert dict(zip(table["parameter"], table["size"], strict=True)) == sizes


def test_unknown_interaction_is_refused() -> None:
    with pytest.raises(ValueError, match="no interaction 'divisive'"):
        RecurrentNetwork("divisive", SMALL)


def test_saved_network_is_the_same_network(tmp_path: Path) -> None:
    network, path = made("multiplicative"), tmp_path / "model.safetensors"
    save_network(path, network, SMALL, seed="1")
    again = load_network(path)
    assert not again.training and again.interaction == "multiplicative"
    images = torch.rand(2, 1, 100, 100)
    with torch.inference_mode():
        torch.testing.assert_close(again(images).logits, network(images).logits, atol=0, rtol=0)


def test_a_network_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    network = made("multiplicative")
    save_network(path, network, block_with(SMALL, units=11))
    with pytest.raises(ValueError, match=r"(?s)model\.safetensors .*size mismatch"):
        load_network(path)
    network.interaction = "divisive"  # a rule of someone else's own
    save_network(path, network, SMALL)
    with pytest.raises(
        ValueError, match=r"model\.safetensors is not .*: no interaction 'divisive'"
    ):
        load_network(path)
    path.write_bytes(b"<html>not a network</html>")
    with pytest.raises(ValueError, match=r"model\.safetensors is not a network"):
        load_network(path)


def test_images_of_another_shape_are_refused() -> None:
    for shape in ((100, 100), (2, 100, 100), (2, 1, 100, 99), (2, 3, 100, 100)):
        with pytest.raises(ValueError, match=r"images of shape .*: give \(batch, 1, 100, 100\)"):
            made("additive")(torch.rand(shape))


@pytest.mark.parametrize("layer", ["input", "conv1", "conv2", "fc"])
def test_a_trajectory_gives_its_flows_by_layer_and_timestep(layer: str) -> None:
    run = made("additive")(torch.rand(2, 1, 100, 100))
    assert run.flow(layer, 3) is run.flows[2][layer]
    for wrong in (("input", 1), ("input", 0), ("input", 4), ("conv3", 2)):
        with pytest.raises(ValueError, match=r"no recurrent flow to .*: there is input at t = 2, "):
            run.flow(*wrong)
    with pytest.raises(ValueError, match="there is none"):
        made("feedforward")(torch.rand(2, 1, 100, 100)).flow(layer, 2)


@pytest.mark.parametrize(
    ("interaction", "layer", "timestep", "said"),
    [
        ("additive", "conv3", 2, "no recurrent flow to 'conv3' at t = 2: this network has flow to"),
        ("additive", "conv1", 1, "at t = 1: this network has flow to input, conv1, fc, at t = 2 to"),
        ("additive", "conv1", 4, "no recurrent flow to 'conv1' at t = 4: .*, at t = 2 to 3"),
        ("additive", "conv2", 2, "no recurrent flow to 'conv2' at t = 2"),
        ("feedforward", "conv1", 2, "this network has flow to none of its layers"),
        ("additive", "input", 2, r"flow of shape \(2, 3, 96, 96\) to input: give \(2, 1, 100, 100\)"),
    ],
)  # fmt: skip
def test_an_intervention_where_no_such_flow_arrives_is_refused(
    interaction: str, layer: str, timestep: int, said: str
) -> None:
    block = block_with(SMALL, lateral=["conv1", "fc"], topdown=["fc_to_input"])
    network, flow = made(interaction, block), torch.zeros(2, 3, 96, 96)
    with pytest.raises(ValueError, match=said):
        network(torch.rand(2, 1, 100, 100), Intervention(layer, timestep, flow))


def test_the_papers_initialisation_is_xavier_everywhere() -> None:
    name, gain = "topdown.conv2_to_conv1.weight", 1.0
    for reading, xavier in (("released", False), ("paper", True)):
        torch.manual_seed(0)
        weight = RecurrentNetwork("additive", PAPER, reading).state_dict()[name]
        fan_in, fan_out = (weight.shape[i] * weight[0, 0].numel() for i in (1, 0))
        bound = gain * (6 / (fan_in + fan_out)) ** 0.5
        assert (weight.abs().max() > 0.99 * bound and weight.abs().max() <= bound) == xavier


@torch.inference_mode()
def test_weights_are_derived_once_in_a_context_and_again_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, image = made("multiplicative"), torch.rand(2, 1, 100, 100)
    derive, derived = ToMap.derive, list[ToMap]()
    monkeypatch.setattr(
        ToMap, "derive", lambda layer, dtype: derived.append(layer) or derive(layer, dtype)
    )
    before = network(image).logits
    derived.clear()
    with fixed_parameters(network):
        inside = [network(image).logits for _ in range(2)]
    assert len(derived) == len(set(derived)) == 3
    assert all(torch.equal(each, before) for each in inside)
    for weight in network.parameters():
        weight.mul_(0.5)
    fresh = made("multiplicative")
    fresh.load_state_dict(network.state_dict())
    assert torch.equal(network(image).logits, fresh(image).logits)
    assert not torch.equal(network(image).logits, before)


@pytest.mark.parametrize("interaction", ["multiplicative", "additive"])
def test_terms_are_what_each_connection_carries(interaction: str) -> None:
    network, images = made(interaction), torch.rand(2, 1, 100, 100)
    with torch.inference_mode():
        run, other = network(images), plain(network, SMALL)
        _, maps, flows = other(images)
        for t in (1, 2):
            terms = network.terms(run.activities[t - 1])
            assert {name for each in terms.values() for name in each} == {*network.connections}
            for layer, carried in terms.items():
                for name, term in carried.items():
                    source, target = ends(name)
                    read = maps[t - 1][source]
                    if source != target and source != "fc":
                        read = F.max_pool2d(read, 3)
                    expected = other.recurrent[f"{interaction}:{source}:{target}"](read)
                    close = {"atol": 1e-5, "rtol": 1e-4}
                    torch.testing.assert_close(term, expected.view(term.shape), **close)
                torch.testing.assert_close(sum(carried.values()), flows[t][layer], **close)


NAMES = [*PAPER.lateral, *PAPER.topdown]
ABLATIONS = [[name] for name in NAMES] + [PAPER.lateral, PAPER.topdown, NAMES]


@pytest.mark.parametrize("shared", [False, True], ids=["afresh", "from the intact pass"])
@pytest.mark.parametrize("interaction", ["multiplicative", "additive"])
def test_an_ablated_network_is_one_without_the_connections(interaction: str, shared: bool) -> None:
    network, images = made(interaction), torch.rand(2, 1, 100, 100)
    with torch.inference_mode():
        intact = network(images)
        for removed in ABLATIONS:
            run = network(images, Ablation(removed), intact if shared else None)
            lateral, topdown = (
                [name for name in names if name not in removed]
                for names in (SMALL.lateral, SMALL.topdown)
            )
            block = block_with(SMALL, lateral=lateral, topdown=topdown)
            without = PlainNetwork(interaction, block, network.shapes)
            kept = {
                name: weight
                for name, weight in network.state_dict().items()
                if name.split(".")[0] not in ("lateral", "topdown")
                or name.split(".")[1] not in removed
            }
            without.load_state_dict(without.weights_of(kept), strict=False)
            logits, maps, flows = without(images)
            close = {"atol": 1e-5, "rtol": 1e-4}
            torch.testing.assert_close(run.logits, logits, **close)
            assert not torch.allclose(run.logits, intact.logits, atol=1e-5), removed
            for ours, theirs in zip(run.activities, maps, strict=True):
                torch.testing.assert_close(ours.maps, theirs, **close)
            for flow, expected in zip(run.flows, flows, strict=True):
                torch.testing.assert_close(flow, expected, **close)


@pytest.mark.parametrize(
    ("interaction", "removed"),
    [("additive", ["fc_to_fc"]), ("feedforward", ["fc"]), ("additive", [])],
)
def test_what_cannot_be_removed_is_refused(interaction: str, removed: list[str]) -> None:
    network = made(interaction)
    with pytest.raises(ValueError, match=r"no connection .*to remove: this network has"):
        network(torch.rand(1, 1, 100, 100), Ablation(removed))

"""The network against a plain one written straight from the paper's equations, one image at a time."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from networks import PAPER, SMALL
from plain import PlainNetwork
from recurrence.connections import RowConvolution, ToMap, UpConvolution, fixed_parameters
from recurrence.names import LAYERS
from recurrence.network import (
    Intervention,
    RecurrentNetwork,
    load_network,
    mixed_precision,
    save_network,
)


def made(interaction: str, config: Mapping[str, Any] = SMALL, seed: int = 0) -> RecurrentNetwork:
    torch.manual_seed(seed)
    network = RecurrentNetwork(interaction, config)
    for parameter in network.parameters():  # biases too, so that a forgotten one shows
        torch.nn.init.uniform_(parameter, -0.05, 0.05)
    return network


def plain(
    weights: dict[str, Tensor],
    interaction: str,
    config: Mapping[str, Any],
    image: Tensor,
    replaced: tuple[str, int, Tensor] | None = None,
) -> tuple[Tensor, list[dict[str, Tensor]], list[dict[str, Tensor]]]:
    """Equations 1 and 2 on one image (1, 100, 100): logits, maps and flows of every timestep."""

    def connect(name: str, x: Tensor, **how: Any) -> Tensor:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        if weight.dim() == 2:
            return weight @ x.flatten() + bias
        if name.startswith("topdown"):
            source = name.removeprefix("topdown.").split("_to_")[0]
            stride = {"conv1": 3, "conv2": 10}[source]
            return F.conv_transpose2d(x[None], weight, bias, stride)[0]
        return F.conv2d(x[None], weight, bias, **how)[0]

    def up_to_map(name: str, fc: Tensor, shape: tuple[int, int, int]) -> Tensor:
        channels, height, width = shape
        return connect(name, fc).view(height, width, channels).permute(2, 0, 1)

    maps: list[dict[str, Tensor]] = []
    all_flows: list[dict[str, Tensor]] = []
    pooled: dict[str, Tensor] = {}
    read = []
    for timestep in range(1, config["timesteps"] + 1):
        flows: dict[str, Tensor] = {}
        if timestep > 1 and interaction != "feedforward":
            for layer in config["lateral"]:
                flows[layer] = connect(
                    f"lateral.{layer}",
                    maps[-1][layer],
                    **({} if layer == "fc" else {"padding": config["kernel"] // 2}),
                )
            for name in config["topdown"]:
                source, target = name.split("_to_")
                if source == "fc":
                    shape = tuple(maps[-1][target].shape)
                    term = up_to_map(f"topdown.{name}", maps[-1]["fc"], shape)
                else:
                    term = connect(f"topdown.{name}", pooled[source])
                flows[target] = flows[target] + term if target in flows else term
        if replaced and timestep == replaced[1]:
            flows[replaced[0]] = replaced[2]
        zero = torch.zeros(())
        r = {layer: flows.get(layer, zero) for layer in LAYERS}

        def interact(drive: Tensor, flow: Tensor) -> Tensor:
            if interaction == "multiplicative":
                return torch.relu(drive) * (1 + flow)
            return torch.relu(drive + flow)

        now: dict[str, Tensor] = {}
        raw = image * (1 + r["input"]) if interaction == "multiplicative" else image + r["input"]
        now["input"] = raw.clamp(0, 1)
        now["conv1"] = interact(connect("feedforward.conv1", now["input"]), r["conv1"])
        pooled["conv1"] = F.max_pool2d(now["conv1"], 3, 3)
        now["conv2"] = interact(connect("feedforward.conv2", pooled["conv1"]), r["conv2"])
        pooled["conv2"] = F.max_pool2d(now["conv2"], 3, 3)
        now["fc"] = interact(connect("feedforward.fc", pooled["conv2"]), r["fc"])
        maps.append(now)
        all_flows.append(flows)
        read.append(now["fc"])
    return connect("readout", torch.cat(read)), maps, all_flows


@pytest.mark.parametrize("interaction", ["multiplicative", "additive", "feedforward"])
@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        PAPER,
        {**SMALL, "timesteps": 1},
        {**SMALL, "lateral": ["conv1"], "topdown": ["fc_to_input"]},
    ],
    ids=["small", "paper", "one step", "few connections"],
)
def test_network_equals_the_equations(interaction: str, config: dict[str, Any]) -> None:
    network, images = made(interaction, config), torch.rand(2, 1, 100, 100)
    with torch.inference_mode():
        run = network(images)
        for n, image in enumerate(images):
            logits, maps, flows = plain(network.state_dict(), interaction, config, image)
            torch.testing.assert_close(run.logits[n], logits, atol=1e-5, rtol=1e-4)
            for t in range(config["timesteps"]):
                assert set(run.flows[t]) == set(flows[t])
                for layer in LAYERS:
                    ours = run.activities[t].maps[layer][n]
                    torch.testing.assert_close(ours, maps[t][layer], atol=1e-5, rtol=1e-4)
                for layer, flow in flows[t].items():
                    torch.testing.assert_close(run.flows[t][layer][n], flow, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("interaction", ["multiplicative", "additive"])
def test_network_equals_the_one_that_the_benchmark_measures_against(interaction: str) -> None:
    network, images = made(interaction), torch.rand(2, 1, 100, 100)
    other = PlainNetwork(interaction, SMALL, network.shapes)
    other.copy_weights(network)
    flow = torch.randn(2, *network.shapes["conv1"])
    with torch.inference_mode():
        run, (logits, flows) = network(images), other(images)
        torch.testing.assert_close(run.logits, logits, atol=1e-5, rtol=1e-4)
        for ours, theirs in zip(run.flows, flows, strict=True):
            for layer in ours:
                torch.testing.assert_close(ours[layer], theirs[layer], atol=1e-5, rtol=1e-4)
        changed = network(images, Intervention("conv1", 2, flow)).logits
        torch.testing.assert_close(
            changed, other(images, ("conv1", 2, flow))[0], atol=1e-4, rtol=1e-4
        )


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
    logits = torch.stack([plain(weights, interaction, SMALL, image)[0] for image in images])
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


def test_nothing_of_a_pass_is_kept() -> None:
    network, images = made("additive"), torch.rand(2, 1, 100, 100)
    network(images)
    other = made("additive", seed=1)
    network.load_state_dict(other.state_dict())
    torch.testing.assert_close(network(images).logits, other(images).logits, atol=0, rtol=0)
    copy.deepcopy(network)  # which tensors within a graph refuse


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
        for n, image in enumerate(images):
            replaced = (layer, timestep, flow[n])
            logits = plain(network.state_dict(), interaction, SMALL, image, replaced)[0]
            torch.testing.assert_close(full.logits[n], logits, atol=1e-5, rtol=1e-4)
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
    few = made("additive", {**SMALL, "lateral": ["fc"], "topdown": ["conv2_to_conv1"]})
    names = {n.rsplit(".", 1)[0] for n in few.state_dict()}
    recurrent = {"lateral.fc", "topdown.conv2_to_conv1"}
    layers = {"feedforward.conv1", "feedforward.conv2", "feedforward.fc", "readout"}
    assert names == recurrent | layers


def test_the_papers_network_has_its_12_6_million_parameters() -> None:
    count = sum(p.numel() for p in RecurrentNetwork("multiplicative", PAPER).parameters())
    assert count == 12_662_894


def test_unknown_interaction_is_refused() -> None:
    with pytest.raises(ValueError, match="no interaction 'divisive'"):
        RecurrentNetwork("divisive", SMALL)


def test_saved_network_is_the_same_network(tmp_path: Path) -> None:
    network, path = made("multiplicative"), tmp_path / "model.safetensors"
    save_network(path, network, SMALL, seed="1")
    again = load_network(path, torch.device("cpu"), "multiplicative", SMALL)
    images = torch.rand(2, 1, 100, 100)
    with torch.inference_mode():
        torch.testing.assert_close(again(images).logits, network(images).logits, atol=0, rtol=0)


def test_a_network_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_network(path, made("multiplicative"), {**SMALL, "units": 11})
    with pytest.raises(ValueError, match=r"(?s)model\.safetensors .*size mismatch"):
        load_network(path, torch.device("cpu"), "multiplicative", SMALL)
    path.write_bytes(b"<html>not a network</html>")
    with pytest.raises(ValueError, match=r"model\.safetensors is not a network"):
        load_network(path, torch.device("cpu"), "multiplicative", SMALL)


def test_a_network_of_another_configuration_is_refused_with_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_network(path, made("additive"), SMALL)
    with pytest.raises(
        ValueError,
        match=r"model\.safetensors .*interaction is additive, not multi.*; units is 10, not 12",
    ):
        load_network(path, torch.device("cpu"), "multiplicative", {**SMALL, "units": 12})


def test_the_papers_initialisation_is_xavier_everywhere() -> None:
    name, gain = "topdown.conv2_to_conv1.weight", 1.0
    for reading, xavier in (("released", False), ("paper", True)):
        torch.manual_seed(0)
        weight = RecurrentNetwork("additive", PAPER, reading).state_dict()[name]
        fan_in, fan_out = (weight.shape[i] * weight[0, 0].numel() for i in (1, 0))
        bound = gain * (6 / (fan_in + fan_out)) ** 0.5
        assert (weight.abs().max() > 0.99 * bound and weight.abs().max() <= bound) == xavier


@torch.inference_mode()
def test_weights_are_derived_once_in_a_context_and_anew_after_it(
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

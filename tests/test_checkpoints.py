"""Released checkpoints: an imported network computes what the authors' weights say, with their names and row order."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from blocks import PAPER, SMALL, block_with
from plain import PlainNetwork
from recurrence.checkpoints import CURVE, import_checkpoint
from recurrence.configuration.blocks import Network
from recurrence.network import RecurrentNetwork
from study import TINY, WHOLE_FLOWS, Study

NAMES = {
    "multiplicative": "rnn_bglt_0111_t_{t}_num_1.pth",
    "additive": "rnn_bglt_1011_t_{t}_num_1.pth",
}
CONNECTIONS = {  # by the released names: source and target
    "c1x": "conv1:input",
    "c2x": "conv2:input",
    "fc1x": "fc:input",
    "c1c1": "conv1:conv1",
    "c2c1": "conv2:conv1",
    "fc1c1": "fc:conv1",
    "c2c2": "conv2:conv2",
    "fc1c2": "fc:conv2",
    "fc1fc1": "fc:fc",
}
Weights = dict[str, Tensor]


def released(block: Network = SMALL, seed: int = 0) -> Weights:
    """Random weights with the names and shapes of the released script, both variants of each connection."""
    torch.manual_seed(seed)
    c1, c2, units = block.channels.conv1, block.channels.conv2, block.units
    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(1, c1, 5),
        "conv2": nn.Conv2d(c1, c2, 5),
        "fc1": nn.Linear(c2 * 9 * 9, units),
        "fc2": nn.Linear(units * block.timesteps, 20),
    }
    for variant in "bg":
        layers |= {
            f"c1x{variant}": nn.ConvTranspose2d(c1, 1, 7, 3),
            f"c2x{variant}": nn.ConvTranspose2d(c2, 1, 20, 10),
            f"fc1x{variant}": nn.Linear(units, 100 * 100),
            f"c1c1{variant}": nn.Conv2d(c1, c1, 5, padding=2),
            f"c2c1{variant}": nn.ConvTranspose2d(c2, c1, 16, 10),
            f"fc1c1{variant}": nn.Linear(units, c1 * 96 * 96),
            f"c2c2{variant}": nn.Conv2d(c2, c2, 5, padding=2),
            f"fc1c2{variant}": nn.Linear(units, c2 * 28 * 28),
            f"fc1fc1{variant}": nn.Linear(units, units),
        }
    return nn.ModuleDict(layers).state_dict()


def saved(folder: Path, interaction: str, weights: Any, block: Network = SMALL) -> Path:
    path = folder / NAMES[interaction].format(t=block.timesteps)
    torch.save(weights, path)
    return path


def logits(weights: Weights, interaction: str, images: Tensor, block: Network = SMALL) -> Tensor:
    """Equations 1 and 2 on images (n, 1, 100, 100) with released weights, by the plain network (same order)."""
    network = PlainNetwork(interaction, block, RecurrentNetwork(interaction, block).shapes)
    names = {"conv1": "conv1", "conv2": "conv2", "fc1": "fc", "fc2": "readout"}
    for theirs, ours in CONNECTIONS.items():
        names[f"{theirs}b"] = f"recurrent.additive:{ours}"
        names[f"{theirs}g"] = f"recurrent.multiplicative:{ours}"
    layers = ((*key.split("."), weight) for key, weight in weights.items())
    network.load_state_dict({f"{names[layer]}.{part}": weight for layer, part, weight in layers})
    result, *_ = network(images)
    return result


@pytest.mark.parametrize("interaction", NAMES)
@pytest.mark.parametrize("block", [SMALL, PAPER], ids=["small", "paper"])
def test_an_imported_network_computes_what_the_released_weights_say(
    tmp_path: Path, interaction: str, block: Network
) -> None:
    weights, images = released(block), torch.rand(2, 1, 100, 100)
    network = import_checkpoint(saved(tmp_path, interaction, weights, block), interaction, block)
    with torch.inference_mode():
        expected = logits(weights, interaction, images, block)
        torch.testing.assert_close(network(images).logits, expected, atol=1e-5, rtol=1e-4)


def test_each_released_weight_of_the_interaction_counts_and_no_other(tmp_path: Path) -> None:
    """Zeros in one place at a time, so that a connection with little effect on the logits is noticed too."""
    weights, images = released(), torch.rand(1, 1, 100, 100)
    intact = logits(weights, "additive", images)
    with torch.inference_mode():
        for name in weights:
            changed = weights | {name: torch.zeros_like(weights[name])}
            network = import_checkpoint(saved(tmp_path, "additive", changed), "additive", SMALL)
            expected = logits(changed, "additive", images)
            torch.testing.assert_close(network(images).logits, expected, atol=1e-6, rtol=1e-5)
            unused = name.split(".")[0].endswith("g")
            assert torch.equal(expected, intact) == unused, name


def test_connections_that_are_not_configured_are_left_out(tmp_path: Path) -> None:
    weights, images = released(), torch.rand(1, 1, 100, 100)
    few = block_with(SMALL, lateral=["conv1", "conv2"])
    network = import_checkpoint(saved(tmp_path, "additive", weights), "additive", few)
    without = {k: 0 * w if k.startswith("fc1fc1b") else w for k, w in weights.items()}
    with torch.inference_mode():
        expected = logits(without, "additive", images)
        torch.testing.assert_close(network(images).logits, expected, atol=1e-6, rtol=1e-5)


class Code:
    """An object that runs code when a careless pickle loads it."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


WEIGHTS = released()
REFUSED: dict[str, tuple[Any, str]] = {
    "a list": (list(WEIGHTS.values()), "is not a state dict"),
    "weights within a dict": ({"state_dict": WEIGHTS}, "is not a state dict"),
    "something beside": ({**WEIGHTS, "iteration": 300_000}, "is not a state dict"),
    "code": ({**WEIGHTS, "conv1.bias": Code()}, "has other objects, which could run code"),
    "too few": (
        {k: w for k, w in WEIGHTS.items() if k not in ("fc1.bias", "c1xb.weight")},
        r"it lacks fc1\.bias, c1xb\.weight$",
    ),
    "too many": ({**WEIGHTS, "fc3.bias": torch.zeros(1)}, r"it has fc3\.bias, which a released"),
    "channels": (
        released(block_with(SMALL, channels={"conv1": 3, "conv2": 5})),
        r"does not fit the configured network: network\.channels\.conv2 is 5 there and 4 in the",
    ),
    "units and timesteps": (
        released(block_with(SMALL, units=12, timesteps=4)),
        r"network: network\.units is 12 there and 10 in the configuration; network\.timesteps is 4",
    ),
    "classes": (
        {**WEIGHTS, "fc2.weight": torch.zeros(10, 30), "fc2.bias": torch.zeros(10)},
        r"network: fc2\.weight is 10 x 30, not 20 x 30; fc2\.bias is 10, not 20$",
    ),
    "dimensions": (
        {**WEIGHTS, "conv1.weight": torch.tensor(1.0)},
        r"network: conv1\.weight is a single number, not 3 x 1 x 5 x 5$",
    ),
    "nothing in it": (
        {**WEIGHTS, "fc1.weight": torch.zeros(0, 324)},
        r"network: fc1\.weight is 0 x 324, not 10 x 324$",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_released_network_of_the_configured_sizes_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    content, expected = REFUSED[case]
    path = saved(tmp_path, "additive", content)
    with pytest.raises(ValueError, match=rf"^{path} .*{expected}"):
        import_checkpoint(path, "additive", SMALL)
    assert not Path("ran").exists()


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, share: float) -> None:
    path = saved(tmp_path, "additive", WEIGHTS)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ValueError, match=r"num_1\.pth is not a file of weights only.* damaged"):
        import_checkpoint(path, "additive", SMALL)
    path.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"num_1\.pth is not a file of weights only"):
        import_checkpoint(path, "additive", SMALL)


def test_a_missing_file_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        import_checkpoint(tmp_path / "network.pth", "additive", SMALL)


@pytest.mark.parametrize(
    ("name", "change", "asked"),
    [
        ("rnn_bglt_0111_t_3_num_1.pth", {}, "0111 .* need 1011"),
        ("rnn_bglt_1111_t_3_num_1.pth", {}, "1111 .* need 1011"),
        ("rnn_bglt_1001_t_3_num_1.pth", {}, "1001 .* need 1011"),
        ("rnn_bglt_1011_t_3_num_1.pth", {"topdown": []}, "1011 .* need 1010"),
    ],
)
def test_another_networks_name_is_refused(
    tmp_path: Path, name: str, change: dict[str, Any], asked: str
) -> None:
    path = tmp_path / name
    torch.save(WEIGHTS, path)
    with pytest.raises(ValueError, match=rf"^{path} is another network: its name has {asked}"):
        import_checkpoint(path, "additive", block_with(SMALL, **change))
    path = path.rename(tmp_path / "mine.pth")
    import_checkpoint(path, "additive", block_with(SMALL, **change))


def test_a_run_of_imported_networks_trains_nothing_and_ends_in_a_scorecard(tmp_path: Path) -> None:
    network = block_with(SMALL, **TINY["network"])
    file = saved(tmp_path, "additive", released(network, 0), network)
    files = {"additive": [str(file)]}
    run = {**TINY["run"], "interactions": ["additive"], "instances": 1, "checkpoints": files}
    study = Study(tmp_path / "study", {**TINY, **WHOLE_FLOWS, "run": run})
    targets = ("--", "results/tiny/scorecard.txt", "results/tiny/config.yaml")
    result = study.snakemake(*targets)
    assert result.returncode == 0, result.stdout + result.stderr
    results = study.folder / "results/tiny"
    assert not (results / "logs/train").exists()
    with safe_open(results / "additive/instance1/model.safetensors", "np") as model:
        assert file.name in model.metadata()["provenance"]
    training = pd.read_csv(results / "tables/training.csv")
    assert list(training) == ["interaction", "instance", *CURVE]
    assert training.empty
    for table in ("accuracy", "decoding", "perturbation", "scorecard"):
        assert len(pd.read_csv(results / f"tables/{table}.csv")), table
    assert "num_1.pth" in (results / "config.yaml").read_text()
    assert study.planned(*targets) == {}
    # Another file of the same name, even one with an older date, is another network.
    saved(tmp_path, "additive", released(network, 1), network)
    os.utime(file, (0, 0))
    assert study.planned(*targets)["import_network"] == 1
    shutil.rmtree(study.folder / ".snakemake")
    told = study.dry_run(*targets)
    assert told.returncode != 0 and "checkpoint.sha256 is " in told.stdout
    assert re.search(r"^ {4}results/tiny/\S*\badditive\b", told.stdout, re.MULTILINE)  # all of it

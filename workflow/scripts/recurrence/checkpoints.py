"""The authors' released networks (OSF project pf4u5, ``rnn_bglt_*.pth``), read as networks of this project.

A released file is a PyTorch state dict. Besides the layers it has nine recurrent connections, named
by source and target. Each of them is there twice: ``b`` is added to the drive, ``g`` is multiplied
with it. The digits in the file's name say which of them the network used: additive, multiplicative,
lateral and top-down connections. A connection from fc to a map has its rows in the order channel,
height, width (in the released script: ``view(-1, channels, height, width)``).
"""

import re
from pathlib import Path

import torch
from torch import Tensor

from recurrence import messages
from recurrence.configuration.blocks import Network
from recurrence.connections import ToMap
from recurrence.names import LAYERS
from recurrence.network import RecurrentNetwork
from recurrence.storage import reading

CURVE = (  # the columns of training.csv, which has no rows for an imported network
    "iteration",
    "loss",
    "validation_loss",
    "validation_accuracy",
    "learning_rate",
    "scenes_per_second",
    *(f"{what}_{layer}" for what in ("drive", "flow") for layer in LAYERS),
)
FEEDFORWARD = {
    "conv1": "feedforward.conv1",
    "conv2": "feedforward.conv2",
    "fc1": "feedforward.fc",
    "fc2": "readout",
}
RECURRENT = {
    "c1x": "topdown.conv1_to_input",
    "c2x": "topdown.conv2_to_input",
    "fc1x": "topdown.fc_to_input",
    "c1c1": "lateral.conv1",
    "c2c1": "topdown.conv2_to_conv1",
    "fc1c1": "topdown.fc_to_conv1",
    "c2c2": "lateral.conv2",
    "fc1c2": "topdown.fc_to_conv2",
    "fc1fc1": "lateral.fc",
}
VARIANTS = {"additive": "b", "multiplicative": "g"}
PARTS = ("weight", "bias")


def import_checkpoint(path: str | Path, interaction: str, block: Network) -> RecurrentNetwork:
    """Read a released network; ``interaction`` is multiplicative or additive, ``block`` the block ``network``.

    Connections that ``block`` does not name are left out. Raises ``ValueError``, naming the file, when
    it is not a state dict of weights only, when its weights are not those of a released network or do
    not have the sizes in ``block``, or when its name says that it is another network.
    """
    _check_name(path, interaction, block)
    released = _load(path)
    network = RecurrentNetwork(interaction, block)
    state = network.state_dict()
    used = FEEDFORWARD | {name + VARIANTS[interaction]: ours for name, ours in RECURRENT.items()}
    names = {  # of weights, from theirs to ours
        f"{theirs}.{part}": f"{ours}.{part}"
        for theirs, ours in used.items()
        for part in PARTS
        if f"{ours}.{part}" in state
    }
    shapes = {theirs: released[theirs].shape for theirs in names}
    expected = {theirs: state[ours].shape for theirs, ours in names.items()}
    if shapes != expected:
        raise ValueError(
            f"{path} does not fit the configured network: {messages.misfit(shapes, expected)}"
        )
    weights = {ours: released[theirs] for theirs, ours in names.items()}
    for name, module in network.named_modules():
        if isinstance(module, ToMap):
            shape = (module.channels, module.height, module.width)
            for key in (f"{name}.{part}" for part in PARTS):
                weights[key] = weights[key].unflatten(0, shape).movedim(0, 2).flatten(0, 2)
    network.load_state_dict(weights)
    return network


def _check_name(path: str | Path, interaction: str, block: Network) -> None:
    """Compare the digits in a released file's name; other names are accepted."""
    match = re.match(r"rnn_bglt_([01]{4})_t_\d+_num_\d+", Path(path).name)
    parts = (*(interaction == name for name in VARIANTS), block.lateral, block.topdown)
    digits = "".join("1" if part else "0" for part in parts)
    if match and match[1] != digits:
        raise ValueError(
            f"{path} is another network: its name has {match[1]} (additive, multiplicative, lateral, "
            f"top-down), but the interaction {interaction}, network.lateral and network.topdown "
            f"need {digits}"
        )


def _load(path: str | Path) -> dict[str, Tensor]:
    """Read the released weights, by name. No code in the file is run."""
    with reading(
        path,
        "is not a file of weights only, as torch.save(network.state_dict(), ...) writes: it is "
        "damaged, or has other objects, which could run code and are not loaded",
        Exception,  # of any type: a damaged file can raise anything
    ):
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(loaded, dict) or not all(isinstance(w, Tensor) for w in loaded.values()):
        raise ValueError(f"{path} is not a state dict: weights by name, and nothing else")
    connections = [name + variant for name in RECURRENT for variant in VARIANTS.values()]
    expected = [f"{name}.{part}" for name in (*FEEDFORWARD, *connections) for part in PARTS]
    if missing := [name for name in expected if name not in loaded]:
        raise ValueError(f"{path} is not a released network: it lacks {', '.join(missing)}")
    if unknown := [str(name) for name in loaded if name not in expected]:
        raise ValueError(
            f"{path} is not a released network: it has {', '.join(unknown)}, which a released network has not"
        )
    return loaded

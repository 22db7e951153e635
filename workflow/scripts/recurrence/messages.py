"""Lines that jobs print, and messages of errors that take more than a sentence to make. No number comes from here."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from recurrence.configuration.blocks import Network
from recurrence.costs import AS_CONFIGURED, MATCHED, block_of, total
from recurrence.names import IMAGE
from recurrence.source_files import FILES, NPZ, SHA256

Shapes = Mapping[str, Sequence[int]]


def network_size(interaction: str, block: Network) -> str:
    """A line that says how large a network is and, of a control, what was matched with a recurrent network."""
    made, cost = block_of(interaction, block), total(interaction, block)
    line = (
        f"{interaction}: conv1 {made.channels.conv1} and conv2 {made.channels.conv2} feature maps, fc {made.units} "
        f"units; {cost.parameters:,} parameters, {cost.arithmetic:,} multiply-accumulates a scene"
    )
    if interaction in MATCHED:
        quantity, recurrent = MATCHED[interaction], total(AS_CONFIGURED, block)
        ours, theirs = (getattr(each, quantity) for each in (cost, recurrent))
        what = {"parameters": "parameters", "arithmetic": "multiply-accumulates"}[quantity]
        line += f"; matched in {what}: {theirs:,} in a recurrent network, {ours / theirs - 1:+.2%}"
    return line


def latest(curve: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """What the progress of a training shows of its curve so far."""
    return {"validation accuracy": curve[-1]["validation_accuracy"]} if curve else {}


def misfit(released: Shapes, expected: Shapes) -> str:
    """How released weights differ from those ``expected``: in keys of the configuration, or else each by itself."""
    wrong = [name for name in expected if released[name] != expected[name]]
    differences = []
    if all(
        len(released[name]) == len(expected[name]) and math.prod(released[name]) for name in wrong
    ):
        theirs, ours = _sizes(released), _sizes(expected)
        differences = [
            f"{key} is {theirs[key]} there and {ours[key]} in the configuration"
            for key in ours
            if theirs[key] != ours[key]
        ]
    return "; ".join(
        differences
        or [f"{name} is {_by(released[name])}, not {_by(expected[name])}" for name in wrong]
    )


def _sizes(shapes: Shapes) -> dict[str, int]:
    """The configuration's keys that the shapes of released weights determine."""
    units = shapes["fc1.weight"][0]
    return {
        "network.channels.conv1": shapes["conv1.weight"][0],
        "network.channels.conv2": shapes["conv2.weight"][0],
        "network.kernel": shapes["conv1.weight"][-1],
        "network.units": units,
        "network.timesteps": shapes["fc2.weight"][-1] // units,
    }


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def missing_images(
    dataset: str, folder: Path, lacking: Sequence[str], failed: Mapping[str, Exception]
) -> str:
    """Which files of ``dataset`` are lacking, why each download of them failed, and what to do."""
    reasons = [f"own files: {folder / dataset} lacks {', '.join(lacking)}"]
    reasons += [f"{name}: {error}" for name, error in failed.items()]
    listed = "\n- ".join(reasons)
    files = "  ".join(FILES)
    place = f"{folder / dataset} (config key data.files)"
    if dataset not in SHA256:
        return (
            f"the images of {dataset} are missing:\n- {listed}\n"
            f"Put these four idx files in {place}, plain or .gz, and start again:\n  {files}\n"
            f"Or these two, each with arrays images (n, {IMAGE}, {IMAGE}) and labels (n,):\n  {'  '.join(NPZ)}"
        )
    return (
        f"the images of {dataset} are missing, and all downloads failed:\n- {listed}\n"
        f"Put these four files in {place}, plain or .gz, and start again:\n  {files}\n"
        "Or set data.source to sample, to try the workflow with the small sample of the project."
    )

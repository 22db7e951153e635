"""The paper's design, and where a run departs from it. Imports nothing, so that the Snakefile can read it too.

A run with other datasets, scenes, layers, timesteps or connections asks another question than the paper does: its
results are not compared with the published ones. Training and the number of scenes and repeats are no part of the
design.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# docs/experiment.md 1, 2 and 5, by the blocks and keys of the configuration.
PAPER: dict[str, dict[str, Any]] = {
    "data": {"pair": {"first": {"name": "mnist"}, "second": {"name": "fashion"}}},
    "scenes": {
        "clutter": 7,
        "scale": {"small": 0.9, "large": 1.5, "jitter": 0.1},
        "orientation": {"angle": 30, "jitter": 5},
        "location": {"jitter": 2.5},
    },
    "network": {
        "timesteps": 4,
        "channels": {"conv1": 8, "conv2": 16},
        "kernel": 5,
        "units": 128,
        "lateral": ["conv1", "conv2", "fc"],
        "topdown": [
            "conv1_to_input",
            "conv2_to_input",
            "fc_to_input",
            "conv2_to_conv1",
            "fc_to_conv1",
            "fc_to_conv2",
        ],
    },
    "perturbation": {
        "scale": {"small": 0.8, "large": 1.6, "jitter": 0},
        "orientation": {"angle": 35, "jitter": 0},
        "location": {"jitter": 0},
    },
}


def departures(config: Mapping[str, Any]) -> list[str]:
    """The dotted keys of a whole configuration whose values are not those of the paper's design, in order."""
    return list(_differing(PAPER, config))


def _differing(
    paper: Mapping[str, Any], ours: Mapping[str, Any], within: str = ""
) -> Iterator[str]:
    for key, value in paper.items():
        if isinstance(value, Mapping):
            yield from _differing(value, ours[key], f"{within}{key}.")
        elif isinstance(value, list):  # of connections, whose order does not count
            if {*value} != {*ours[key]}:
                yield within + key
        elif value != ours[key]:
            yield within + key


def stated(departures: Sequence[str]) -> str:
    """A sentence that says in which keys a run departs from the paper's design; empty for none."""
    if not departures:
        return ""
    *others, last = departures
    keys = f"{', '.join(others)} and {last}" if others else last
    return (
        f"This run is not of the paper's design: it departs from it in {keys}. Its results are not "
        "compared with the published ones, and its tests have no verdicts."
    )

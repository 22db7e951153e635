"""Departures from the paper's design: by hand, and for the presets."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from blocks import PAPER as NETWORK
from recurrence import design
from recurrence.configuration.problems import overlaid
from recurrence.design import departures, stated

ROOT = Path(__file__).parents[1]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
PRESETS = sorted((ROOT / "workflow/presets").glob("*.yaml"))


@pytest.mark.parametrize("file", PRESETS, ids=lambda file: file.stem)
def test_presets_have_the_design_of_the_paper(file: Path) -> None:
    assert departures(overlaid(DEFAULT, yaml.safe_load(file.read_text()))) == []


def test_the_network_of_the_design_is_that_of_the_tests() -> None:
    assert design.PAPER["network"] == NETWORK.plain()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"data": {"pair": {"second": {"name": "kmnist"}}}}, ["data.pair.second.name"]),
        ({"data": {"pair": {"second": {"classes": [*"abcdefghij"]}}}}, []),
        ({"network": {"timesteps": 3}}, ["network.timesteps"]),
        ({"network": {"topdown": NETWORK.topdown[::-1]}}, []),
        ({"network": {"topdown": NETWORK.topdown[1:]}}, ["network.topdown"]),
        ({"network": {"lateral": []}}, ["network.lateral"]),
        ({"network": {"channels": {"conv2": 17}}}, ["network.channels.conv2"]),
        ({"scenes": {"clutter": 6, "set": "other"}}, ["scenes.clutter"]),
        ({"scenes": {"scale": {"jitter": 0.2}}}, ["scenes.scale.jitter"]),
        (
            {"perturbation": {"scenes": 3, "location": {"jitter": 1}}},
            ["perturbation.location.jitter"],
        ),
        ({"training": {"iterations": 1}, "decoding": {"repeats": 1}}, []),
    ],
)
def test_departures(change: dict[str, Any], expected: list[str]) -> None:
    assert departures(overlaid(DEFAULT, change)) == expected


def test_departures_in_words() -> None:
    assert stated([]) == ""
    assert "departs from it in network.units. " in stated(["network.units"])
    assert "in a, b and c. " in stated(["a", "b", "c"])

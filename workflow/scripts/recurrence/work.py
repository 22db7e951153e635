"""How much work the jobs of a network are, in its forward passes of a scene: what estimates of time rest on.

These are measured, with all that a job does besides the passes. Imports nothing heavy.
"""

from collections.abc import Mapping
from typing import Any

from recurrence.names import ALTERATIONS, FEEDFORWARD, RENDERED_TWICE

TRAINING = 4  # a scene in training
RECORDING = 4.5  # a test scene
ABLATION = 7.5  # a test scene, in recurrent networks
DECODING = 24  # a scene in a repeat, all features and variables
PERTURBATION = 11  # an altered copy of a scene in a repeat
# How many times as long it takes with single connections.
DECODING_CONNECTIONS = 1.9
PERTURBATION_CONNECTIONS = 3.0


def mean_work(config: Mapping[str, Any]) -> dict[str, float]:
    """The work of one job of each rule for networks: the mean over the run's interactions."""
    works = [work(config, interaction) for interaction in config["run"]["interactions"]]
    return {rule: sum(each[rule] for each in works) / len(works) for rule in works[0]}


def work(config: Mapping[str, Any], interaction: str) -> dict[str, float]:
    """The work of each job of one network, by rule."""
    training, decoding, perturbation = (config[b] for b in ("training", "decoding", "perturbation"))
    copies = len(ALTERATIONS) + (len(perturbation["renderings"]) - 1) * len(RENDERED_TWICE)
    altered = perturbation["repeats"] * perturbation["scenes"] * copies
    decoded = decoding["repeats"] * decoding["scenes"]
    recurrent = interaction not in FEEDFORWARD
    decode = DECODING * (DECODING_CONNECTIONS if decoding["connections"] and recurrent else 1)
    perturb = PERTURBATION * (PERTURBATION_CONNECTIONS if perturbation["connections"] else 1)
    return {
        "train_network": TRAINING * training["iterations"] * training["batch"],
        "record_network": (RECORDING + ABLATION * recurrent) * config["record"]["scenes"],
        "decode_network": decode * decoded,
        "perturb_network": perturb * altered * recurrent,
    }

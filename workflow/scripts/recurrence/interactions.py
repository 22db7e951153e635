"""How recurrent flow and feedforward drive interact (paper 2.2; docs/experiment.md 2): one function for each rule.

To add a rule, write its function here. Its name is then one of run.interactions; nothing else has to be changed.

A rule gets the feedforward ``drive`` of a layer (bias included), the recurrent ``flow`` to it, in the same shape, and
``rectify``; it returns the layer's activity. ``rectify`` is ReLU in conv1, conv2 and fc. At the input, the drive is the
image, ``rectify`` changes nothing, and the activity is clipped to [0, 1]. At the first timestep there is no flow, and
the activity is ``rectify(drive)``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from recurrence.names import FEEDFORWARD

if TYPE_CHECKING:  # the Snakefile imports this, and needs no PyTorch
    from torch import Tensor

Rectifier = Callable[["Tensor"], "Tensor"]
Rule = Callable[["Tensor", "Tensor", Rectifier], "Tensor"]
RULES: dict[str, Rule] = {}


def interaction(rule: Rule) -> Rule:
    """List a rule by the name of its function."""
    RULES[rule.__name__] = rule
    return rule


def interactions() -> tuple[str, ...]:
    """The names of all interactions: the rules, and last the controls without recurrence."""
    return (*RULES, *FEEDFORWARD)


@interaction
def multiplicative(drive: "Tensor", flow: "Tensor", rectify: Rectifier) -> "Tensor":
    """Equation 1. Where the flow is below -1 the activity is negative: there is no second ReLU."""
    return rectify(drive) * (1 + flow)


@interaction
def additive(drive: "Tensor", flow: "Tensor", rectify: Rectifier) -> "Tensor":
    """Equation 2."""
    return rectify(drive + flow)

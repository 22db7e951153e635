"""The figures: how each is drawn and from what, its title and its caption.

This is the one place that names them: the rules and the report read it. It imports no matplotlib, so
that the Snakefile can. To add a figure, write its function in one of the modules that
:mod:`recurrence.figures` draws with, and its entry here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recurrence.names import PUBLISHED_INTERACTIONS


@dataclass(frozen=True)
class Entry:
    """A figure.

    ``function`` names the function that draws it, of the files and the block ``figures``, with
    ``options`` as keyword arguments. ``files`` are tables (``decoding``, ``published_decoding``, ...),
    ``variants``, or files of a network (``examples``, ``perturbation_example``, ``model``): of the
    first of ``options["interaction"]``, or of any. Where the run has no such network, it is drawn
    without them, and has to say so.
    """

    title: str
    caption: str
    function: str
    files: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


FIGURES = {
    "1": Entry(
        "The idea",
        "What we look for. Where an object is, how large it is and how it is turned say "
        "nothing about what it is, and yet a recurrent network keeps such category-orthogonal"
        " information in every layer and sends it back along its recurrent connections, where"
        " it helps to tell the target from the clutter.",
        function="idea",
        files=("variants",),
    ),
    "2A": Entry(
        "The network",
        "The connections of the trained network, drawn from its weight file. Black: "
        "feedforward; blue: lateral; orange: top-down. Recurrent terms come from the timestep"
        " before, and the read-out sees the fc vectors of all timesteps.",
        function="architecture",
        files=("model",),
    ),
    "2B": Entry(
        "Scenes and their variants",
        "Two scenes, and the altered copies that the perturbation experiment takes its "
        "recurrent flow from. All the rest of a scene stays as it is.",
        function="variants",
        files=("variants",),
    ),
    "3A": Entry(
        "What the activations of the multiplicative network tell",
        "Accuracy of linear read-outs from each layer's activations at each timestep. Bands: "
        "95 % intervals over network instances. Thin lines: published means. Dotted: chance.",
        function="decoding",
        files=("decoding", "published_decoding"),
        options={"source": "activation", "interactions": ("multiplicative",)},
    ),
    "3B": Entry(
        "The input map over time, multiplicative network",
        "The input layer's activation while scenes are looked at, beside the target alone. "
        "Framed: where the target is. The label under each row is the true class and the "
        "network's answer.",
        function="input_maps",
        files=("examples",),
        options={"interaction": "multiplicative"},
    ),
    "4A": Entry(
        "A perturbation",
        "One scene of the perturbation experiment. Above, the recurrent flow to one layer at "
        "one timestep and the input map as the network runs undisturbed; below, with the flow"
        " replaced by the one that the altered scene evokes.",
        function="perturbation_example",
        files=("perturbation_example",),
        options={"interaction": "multiplicative", "kind": "systematic"},
    ),
    "4B": Entry(
        "Its control",
        "The same scene with the control perturbation: the same changes of the flow, shuffled"
        " over its elements, so that size is kept and content is lost.",
        function="perturbation_example",
        files=("perturbation_example",),
        options={"interaction": "multiplicative", "kind": "control"},
    ),
    "4C": Entry(
        "What the location perturbation costs",
        "Test accuracy of the multiplicative network when the recurrent flow to one layer at "
        "one timestep carries the wrong location (systematic), or as large a change without "
        "content (control). Bands: 95 % intervals over instances. Thin lines: published "
        "means.",
        function="accuracies",
        files=("perturbation", "published_perturbation"),
        options={"interaction": "multiplicative"},
    ),
    "4D": Entry(
        "Functional importance, multiplicative network",
        "Accuracy that the systematic perturbation costs beyond the control, as a fraction of"
        " the unperturbed accuracy, for each layer, timestep and variable. Bars: 95 % "
        "intervals over instances. Thin lines: published means.",
        function="importance",
        files=("perturbation", "published_perturbation"),
        options={"interaction": "multiplicative"},
    ),
    "S1": Entry(
        "What the recurrent flow tells",
        "Accuracy of linear read-outs from the recurrent flow that each layer receives. "
        "Bands: 95 % intervals over network instances. Thin lines: published means. Dotted: "
        "chance.",
        function="decoding",
        files=("decoding", "published_decoding"),
        options={"source": "recurrent_flow", "interactions": PUBLISHED_INTERACTIONS},
    ),
    "S2A": Entry(
        "What the activations of the additive network tell",
        "As figure 3A, for the additive network.",
        function="decoding",
        files=("decoding", "published_decoding"),
        options={"source": "activation", "interactions": ("additive",)},
    ),
    "S2B": Entry(
        "The input map over time, additive network",
        "As figure 3B, for the additive network.",
        function="input_maps",
        files=("examples",),
        options={"interaction": "additive"},
    ),
    "S2C": Entry(
        "Functional importance, additive network",
        "As figure 4D, for the additive network.",
        function="importance",
        files=("perturbation", "published_perturbation"),
        options={"interaction": "additive"},
    ),
    "S3": Entry(
        "More input maps, multiplicative network",
        "As figure 3B, with further scenes.",
        function="input_maps",
        files=("examples",),
        options={"interaction": "multiplicative", "more": True},
    ),
}

"""All figures: how and from what each is drawn, with title and caption.

The rules and the report read this list. It does not import matplotlib, so that the Snakefile can
import it. To add a figure, write its function in one of the modules that :mod:`recurrence.figures`
uses, and add an entry here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recurrence.names import PUBLISHED_INTERACTIONS


@dataclass(frozen=True)
class Entry:
    """One figure.

    ``function`` names the function that draws it. It gets the files and the block ``figures``, and
    ``options`` as keyword arguments. ``files`` are tables (``decoding``, ``published_decoding``, ``categories``, ...),
    ``variants``, or files of a network (``examples``, ``perturbation_example``, ``model``): of the
    first network of ``options["interaction"]``, or of any interaction. If the run has no such
    network, the function gets no file and must say so in the figure.
    """

    title: str
    caption: str
    function: str
    files: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


FIGURES = {
    "1": Entry(
        "The idea",
        "Where an object is, how large it is and how it is turned say nothing about its "
        "category. Yet a recurrent network keeps this category-orthogonal information in every "
        "layer and sends it back along its recurrent connections. There it helps to separate the "
        "target from the clutter.",
        function="idea",
        files=("variants",),
    ),
    "2A": Entry(
        "The network",
        "The connections of the network, drawn from the shapes of its weights. Black: feedforward; "
        "blue: lateral; orange: top-down. Recurrent connections carry the activity of the timestep "
        "before. The output reads the fc vectors of all timesteps.",
        function="architecture",
        files=("parameters",),
    ),
    "2B": Entry(
        "Scenes and their variants",
        "Two scenes and their altered copies. The perturbation experiment takes recurrent flow "
        "from such copies. Everything else in a scene stays the same.",
        function="variants",
        files=("variants",),
    ),
    "3A": Entry(
        "What can be decoded from activations, multiplicative network",
        "Accuracy of decoding from each layer's activations at each timestep. Bands: 95 % "
        "intervals over network instances. Thin lines: published means. Dotted: chance.",
        function="decoding",
        files=("decoding", "published_decoding"),
        options={"source": "activation", "interactions": ("multiplicative",)},
    ),
    "3B": Entry(
        "The input map over time, multiplicative network",
        "The input layer's activations at each timestep, and the target alone. A frame marks "
        "the target's place. Under each row: the true class and the network's answer.",
        function="input_maps",
        files=("examples", "categories"),
        options={"interaction": "multiplicative"},
    ),
    "4A": Entry(
        "A perturbation",
        "One scene of the perturbation experiment: the recurrent flow to one layer at one "
        "timestep, and the input map over time. Above: undisturbed. Below: the flow is replaced "
        "with the flow for the altered scene.",
        function="perturbation_example",
        files=("perturbation_example", "categories"),
        options={"interaction": "multiplicative", "kind": "systematic"},
    ),
    "4B": Entry(
        "Its control",
        "The same scene with the control perturbation: the same changes of the flow, but "
        "permuted over its elements. They keep their size and lose their content.",
        function="perturbation_example",
        files=("perturbation_example", "categories"),
        options={"interaction": "multiplicative", "kind": "control"},
    ),
    "4C": Entry(
        "What the perturbation of location costs",
        "Test accuracy of the multiplicative network when the recurrent flow to one layer at "
        "one timestep carries the wrong location (systematic), or an equally large change "
        "without content (control). Bands: 95 % intervals over network instances. Thin lines: "
        "published means.",
        function="accuracies",
        files=("perturbation", "published_perturbation"),
        options={"interaction": "multiplicative"},
    ),
    "4D": Entry(
        "Functional importance, multiplicative network",
        "How much more accuracy the systematic perturbation costs than its control, as a "
        "fraction of the original accuracy, for each layer, timestep and variable. Bars: 95 % "
        "intervals over network instances. Thin lines: published means.",
        function="importance",
        files=("perturbation", "published_perturbation"),
        options={"interaction": "multiplicative"},
    ),
    "S1": Entry(
        "What can be decoded from the recurrent flow",
        "Accuracy of decoding from the recurrent flow to each layer at each timestep. Bands: "
        "95 % intervals over network instances. Thin lines: published means. Dotted: chance.",
        function="decoding",
        files=("decoding", "published_decoding"),
        options={"source": "recurrent_flow", "interactions": PUBLISHED_INTERACTIONS},
    ),
    "S2A": Entry(
        "What can be decoded from activations, additive network",
        "As figure 3A, for the additive network.",
        function="decoding",
        files=("decoding", "published_decoding"),
        options={"source": "activation", "interactions": ("additive",)},
    ),
    "S2B": Entry(
        "The input map over time, additive network",
        "As figure 3B, for the additive network.",
        function="input_maps",
        files=("examples", "categories"),
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
        "As figure 3B, with more scenes.",
        function="input_maps",
        files=("examples", "categories"),
        options={"interaction": "multiplicative", "more": True},
    ),
    "distance": Entry(
        "Distance from the published networks",
        "All published cells of decoding (cluttered scenes; four layers, five variables, "
        "activations at t = 1 to 4 and recurrent flow at t = 2 to 4) and of functional "
        "importance (altered copies as in the released script), against those of this run. "
        "Markers: means over networks; thin lines: from the lowest network of this run to the "
        "highest. Below: the mean absolute difference and the correlation r of each network "
        "of this run with the published means, from the nearest to the farthest, and those of "
        "the published networks, each left out and compared with the mean of the others.",
        function="distances",
        files=("decoding", "published_decoding", "perturbation", "published_perturbation"),
    ),
}

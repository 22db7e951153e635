"""All figures: how and from what each is drawn, with title and caption.

The rules and the report read this list. It does not import matplotlib, so that the Snakefile can
import it. To add a figure, write its function in one of the modules that :mod:`recurrence.figures`
uses, and add an entry here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recurrence.names import CANDIDATES, PUBLISHED_INTERACTIONS


@dataclass(frozen=True)
class Entry:
    """One figure.

    ``function`` names the function that draws it. It gets the files and the block ``figures``, and
    ``options`` as keyword arguments. ``files`` are tables (``decoding``, ``published_decoding``, ``categories``, ...),
    ``variants`` and ``examples`` of the run, or ``perturbation_example`` of the first network of
    ``options["interaction"]``. What the run lacks is not among the files, and the function must say so in the figure.
    """

    title: str
    caption: str
    function: str
    files: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


SHOWN_SCENES = (
    "The scenes are typical ones: of the recorded test scenes that the first networks of both interactions name "
    "correctly, those whose reduction of clutter is nearest to the median. The reduction is 1 minus the share of the "
    "input map's energy outside the target at the last timestep, relative to t = 1; mean over both networks."
)
SHOWN_PERTURBATION = (
    f"The scene is the first of {CANDIDATES} scenes of the perturbation experiment that the first network names "
    "correctly undisturbed and under the control, but not under the systematic perturbation. An orange frame marks the "
    "target, a red one the map to which the replaced flow goes. Conv1 and flow: mean over channels."
)

FIGURES = {
    "1": Entry(
        "The idea",
        "Where an object is, how large it is and how it is turned say nothing about its "
        "category. Yet a recurrent network keeps this category-orthogonal information in every "
        "layer and sends it back along its recurrent connections. There it helps to separate the "
        "target from the clutter. A frame marks the target.",
        function="idea",
        files=("variants",),
    ),
    "2A": Entry(
        "The network",
        "The connections of the network, drawn from the shapes of its weights. Black: feedforward; "
        "blue: lateral; orange: top-down. Lateral and top-down connections are recurrent: they carry the activity of "
        "the timestep before. The output reads the fc vectors of all timesteps.",
        function="architecture",
        files=("parameters",),
    ),
    "2B": Entry(
        "Scenes and their altered copies",
        "Two scenes and their altered copies, in which one variable of the target is changed; for location, the target "
        "and the object opposite change places. The perturbation experiment takes recurrent flow from such copies. A "
        "frame marks the target; under each copy: the old value and the new one.",
        function="variants",
        files=("variants", "categories"),
    ),
    "3A": Entry(
        "What can be decoded from activations, multiplicative network",
        "Accuracy of decoding from each layer's activations at each timestep. Bands: 95 % "
        "intervals over network instances. Dashed lines and pale bands: the published networks. Dotted: chance. "
        "The axes are the same as in figure S2A; that of category begins at 0, the others below chance (50 %).",
        function="decoding",
        files=("decoding", "published_decoding"),
        options={"source": "activation", "interactions": ("multiplicative",)},
    ),
    "3B": Entry(
        "The input map over time, multiplicative network",
        "The input layer's activations at each timestep, and the target alone. A frame marks "
        f"the target. Under each row: the true category and the network's answer. {SHOWN_SCENES}",
        function="input_maps",
        files=("examples", "categories"),
        options={"interaction": "multiplicative"},
    ),
    "4A": Entry(
        "A perturbation",
        "The recurrent flow to one layer at one timestep, and the maps of input and conv1 over time. Above: "
        f"undisturbed. Below: the flow is replaced with that of the altered scene. {SHOWN_PERTURBATION}",
        function="perturbation_example",
        files=("perturbation_example", "categories"),
        options={"interaction": "multiplicative", "kind": "systematic"},
    ),
    "4B": Entry(
        "Its control",
        "The scene of figure 4A with the control perturbation: the same changes of the flow, but "
        "shuffled over its elements, so that they keep their size and lose their content. "
        f"{SHOWN_PERTURBATION}",
        function="perturbation_example",
        files=("perturbation_example", "categories"),
        options={"interaction": "multiplicative", "kind": "control"},
    ),
    "4C": Entry(
        "What the perturbation of location costs",
        "Test accuracy of the multiplicative network when the recurrent flow to one layer at "
        "one timestep carries the wrong location (systematic), or an equally large change "
        "without content (control). Bands: 95 % intervals over network instances. Dashed lines and "
        "pale bands: the published networks. Dotted: chance.",
        function="accuracies",
        files=("perturbation", "published_perturbation"),
        options={"interaction": "multiplicative"},
    ),
    "4D": Entry(
        "Functional importance, multiplicative network",
        "How much more accuracy the systematic perturbation costs than its control, as a "
        "fraction of the undisturbed accuracy, for each layer, timestep and variable. Bars: 95 % "
        "intervals over network instances. Dashes and pale bars: the published networks.",
        function="importance",
        files=("perturbation", "published_perturbation"),
        options={"interaction": "multiplicative"},
    ),
    "S1": Entry(
        "What can be decoded from the recurrent flow",
        "Accuracy of decoding from the recurrent flow to each layer at each timestep. Bands: "
        "95 % intervals over network instances. Dashed lines and pale bands: the published networks. "
        "Dotted: chance.",
        function="decoding",
        files=("decoding", "published_decoding"),
        options={"source": "recurrent_flow", "interactions": PUBLISHED_INTERACTIONS},
    ),
    "S2A": Entry(
        "What can be decoded from activations, additive network",
        "As figure 3A, for the additive network, and with the same axes.",
        function="decoding",
        files=("decoding", "published_decoding"),
        options={"source": "activation", "interactions": ("additive",)},
    ),
    "S2B": Entry(
        "The input map over time, additive network",
        "As figure 3B, for the additive network and with the same scenes.",
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
        "More input maps, both networks",
        "As figures 3B and S2B, with the next most typical scenes. Both networks see the same scenes.",
        function="more_input_maps",
        files=("examples", "categories"),
        options={"interactions": PUBLISHED_INTERACTIONS},
    ),
    "4D_renderings": Entry(
        "Two readings of the perturbation",
        "Functional importance with two kinds of altered copies. Opposite, as in the paper: the target gets the other "
        "value of scale or orientation. Compounded, as in the released script, which gave the published numbers: the "
        "target is transformed once more, and ends between both values. The copies of location and category are the "
        "same in both. Bars: 95 % intervals over network instances. tables/renderings.csv has the differences.",
        function="renderings",
        files=("perturbation",),
    ),
    "answers": Entry(
        "When the answer is there",
        "What the trained output layer answers when it sees fc only up to timestep t, or at timestep t alone (the rest "
        "is set to 0). Left and middle: accuracy over all test scenes. Right: confidence (the softmax probability of "
        "the category that it chooses), for scenes that the whole network names correctly in the end and for "
        "the others. Bands: 95 % intervals over network instances. Dotted grey: chance.",
        function="answers",
        files=("answers",),
    ),
    "clutter": Entry(
        "Clutter left at the input",
        "The share of the input map's energy (sum of squares) outside the target, relative to t = 1: mean over all "
        "recorded test scenes, in the whole map, in the target's quadrant (which holds one other object) and "
        "in the three others. Bands: 95 % intervals over network instances; tables/clutter.csv has the standard error "
        "due to the number of scenes.",
        function="clutter",
        files=("clutter",),
    ),
    "controls": Entry(
        "Recurrent networks and feedforward controls",
        "Test accuracy of all networks of this run, and what they cost: parameters, and multiply-accumulates for one "
        "scene. Feedforward: without recurrent connections. Two more controls are feedforward networks with wider "
        "layers: with as many parameters as the recurrent networks, or with as much arithmetic. All are "
        "trained in the same way, on as many scenes. Grey points: networks; bars: 95 % intervals over "
        "them; dashes: the published networks.",
        function="controls",
        files=("accuracy", "parameters", "published_accuracy"),
    ),
    "3A_controls": Entry(
        "What can be decoded from activations, with the feedforward controls",
        "As figure 3A, for all interactions that this run has. Nothing changes over time in a feedforward network.",
        function="decoding",
        files=("decoding", "published_decoding"),
        options={"source": "activation", "interactions": ()},
    ),
    "S1_sources": Entry(
        "What each connection carries",
        "Accuracy of decoding from the recurrent flow along one connection at a time, and from all of it together, for "
        "each layer with several recurrent connections (fc has only the lateral one). Bands: 95 % intervals over "
        "network instances. Dashed: published means, of all together. Dotted: chance.",
        function="sources",
        files=("decoding", "published_decoding"),
        options={"table": "decoding"},
    ),
    "4D_sources": Entry(
        "Which connection is used",
        "Functional importance of one connection at a time: only the recurrent flow along that connection is replaced, "
        "and the other connections to the layer keep theirs. Black: all of the flow to the layer is "
        "replaced, as in figures 4D and S2C. Bands: 95 % intervals over network instances. Dashed: published means, of "
        "all together.",
        function="sources",
        files=("perturbation", "published_perturbation"),
        options={"table": "perturbation"},
    ),
    "ablation": Entry(
        "What is lost without a connection",
        "Test accuracy of the trained networks without one recurrent connection, without all lateral or all top-down "
        "ones, and without any. Nothing is trained again. The output layer sees fc only up to the timestep on the x "
        "axis; the last one gives the network's answer. Dashed: the intact network. Numbers: the change at the last "
        "timestep, in percentage points. Bands and ±: 95 % intervals over network instances. Dotted: chance.",
        function="ablation",
        files=("ablation_over_time",),
    ),
    "distance": Entry(
        "Distance from the published networks",
        "Each point is one value, for one layer, timestep and variable: of this run against the published one. "
        "Decoding: cluttered scenes, four layers, five variables, activations at t = 1 to 4 and recurrent flow at "
        "t = 2 to 4. Functional importance: altered copies as in the released script. Markers: means over networks; "
        "thin lines: from the lowest network of this run to the highest. Below each panel: the mean absolute "
        "difference and the correlation of the networks of this run with the published means, from the nearest to the "
        "farthest, and those of the worst published network, each compared with the mean of the others.",
        function="distances",
        files=(
            "distance",
            *("decoding", "published_decoding", "perturbation", "published_perturbation"),
        ),
    ),
}

"""The configuration: one class for each block of config.yaml, with types, ranges, units and rules.

The text below a key describes it. ``workflow/schemas/config.schema.json`` and ``docs/configuration.md`` are made from
these classes.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from recurrence.configuration.annotations import (
    ODD,
    REMAKE_REFUSED,
    REMAKES_NETWORKS,
    REMAKES_NEW_NETWORKS,
    REMAKES_NOTHING,
    REMAKES_READ_OUTS,
    REMAKES_RECORDINGS,
    REMAKES_SCENES,
    REMAKES_TEST_SCENES,
    AnyFolder,
    Channel,
    Checksums,
    Classes,
    Device,
    Files,
    Folder,
    Iterations,
    Name,
    Precision,
    Repeats,
    Scenes,
    remade,
    some_of,
    unit,
)
from recurrence.interactions import interactions
from recurrence.names import FIRST_TIMESTEP, LAYERS, RENDERINGS
from recurrence.variables import VARIABLES

TOPDOWN = [f"{source}_to_{to}" for n, to in enumerate(LAYERS) for source in LAYERS[n + 1 :]]


class Block(BaseModel):
    """A block of the configuration: all keys are required, no others are allowed, and values must have their type."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    def plain(self) -> dict[str, Any]:
        """The values in plain mappings with sorted keys: to Snakemake another order would be another parameter."""
        return json.loads(json.dumps(self.model_dump(), sort_keys=True))


class Checkpoints(Block):
    """The authors' released networks (OSF project pf4u5) to import instead of training.

    Sizes and timesteps in the block network must be those of the released networks, as in config.yaml. Connections
    may be left out, but not all lateral or all top-down ones.
    """

    multiplicative: Files
    """One file for each instance, in order; paths are absolute or relative to the working directory. If the list is
    empty, the networks are trained."""
    additive: Files
    """The same for the additive networks."""


class Run(Block):
    """The name of a run, and its networks."""

    name: Annotated[Name, remade("everything but source images and scenes, in another folder")]
    """Results are in results/<name>. A run with other values but the same name replaces them."""
    interactions: Annotated[list[str], *some_of(interactions()), REMAKES_NEW_NETWORKS]
    """How recurrent flow and feedforward drive interact (paper, Eq. 1 and 2, or a rule of your own in
    workflow/scripts/recurrence/interactions.py). feedforward has no recurrence: a control that the paper's discussion
    suggests. Two more controls have wider layers and no recurrence: feedforward_parameters has as many parameters as a
    recurrent network, feedforward_arithmetic needs as many multiply-accumulates."""
    instances: Annotated[int, Field(ge=1, le=1000), unit("networks"), REMAKES_NEW_NETWORKS]
    """Networks for each interaction, from different seeds. The paper has 5; bands need 2 or more."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1), REMAKES_SCENES]
    """Everything random in a run is derived from this number."""
    checkpoints: Annotated[Checkpoints, remade("the networks of that interaction")]


class Dataset(Block):
    """A dataset: grey images of 28 x 28 pixels in ten classes, in the folder of its name in data.files."""

    name: Name
    """The name of its folder and of its shards. mnist and fashion are MNIST and Fashion-MNIST: they are downloaded if
    they are missing, and their checksums are known. Others are your own: four idx files with the names that MNIST has,
    or train.npz and test.npz, each with the arrays images (n, 28, 28) uint8 and labels (n,)."""
    classes: Annotated[Classes, remade("categories, figures and the report")]
    """The names of its classes, in the order of their labels 0 to 9."""
    sha256: Checksums
    """Checksums of its files, as sha256sum prints them for the uncompressed files. A file with another checksum is
    refused. Files without one are watched by their dates instead."""


class Pair(Block):
    """The two datasets that objects are drawn from."""

    first: Dataset
    second: Dataset


class Data(Block):
    """The source images."""

    pair: Pair
    source: Literal["full", "sample"]
    """full: all images of the pair. sample: the small part of MNIST and Fashion-MNIST in tests/sample, to try the
    workflow without the internet."""
    folder: Folder
    """The folder for source images and test scenes, absolute or relative to the working directory. Runs with the
    same images and the same data.validation share it. The sample needs another folder than the full data."""
    files: Annotated[AnyFolder, REMAKES_NOTHING]
    """The folder for the files of the datasets, each in a folder of its name (MNIST and Fashion-MNIST also in
    torchvision's layout): your own files, or the downloaded ones."""
    validation: Annotated[int, Field(ge=1, le=59999), unit("images")]
    """The number of images for validation scenes: the first ones of each training set. The others are for training.
    It must be less than the number of images (60,000 in each of MNIST and Fashion-MNIST, 800 in each of the sample).
    The paper has 5,000."""

    @property
    def datasets(self) -> tuple[Dataset, Dataset]:
        """The two datasets, in order."""
        return self.pair.first, self.pair.second


class Scale(Block):
    """The size of objects, as a factor on 28 pixels: one of two classes, plus jitter."""

    small: Annotated[float, Field(gt=0, le=4)]
    """The factor of the class small. With jitter, an object must still have at least 3 pixels."""
    large: Annotated[float, Field(gt=0, le=4)]
    """The factor of the class large, more than small. Objects must stay on the canvas (100 x 100 pixels)."""
    jitter: Annotated[float, Field(ge=0, le=2)]
    """The largest random change: a uniform number from -jitter to jitter is added to the factor."""


class Orientation(Block):
    """The rotation of objects: one of two classes, plus jitter."""

    angle: Annotated[float, Field(gt=0, lt=180), unit("degrees")]
    """The two classes are +angle and -angle."""
    jitter: Annotated[float, Field(ge=0, le=90), unit("degrees")]
    """The largest random change: a uniform number from -jitter to jitter is added. Less than angle."""


class Location(Block):
    """The place of objects in their quadrant."""

    jitter: Annotated[float, Field(ge=0, le=25), unit("pixels")]
    """The largest random change: centres are at 25 or 75 on each axis, plus a uniform number from -jitter to jitter."""


class Poses(Block):
    """How objects are scaled, rotated and placed."""

    scale: Scale
    orientation: Orientation
    location: Location


class Distribution(Poses):
    """The distribution of cluttered scenes."""

    clutter: Annotated[int, Field(ge=0, le=7), unit("objects")]
    """The number of objects besides the target. They are cut into 3 x 3 blocks, which are shuffled."""


class TestScenes(Distribution):
    """The cluttered scenes that networks are trained and tested on (paper 2.3 and A.1)."""

    set: Annotated[Name, REMAKES_TEST_SCENES]
    """A name for the test scenes, which are in <data.folder>/scenes/<set>. If two runs differ in this block or in
    run.seed, give them different names. Otherwise the second of them is refused."""
    shard: Annotated[Scenes, Field(ge=1, le=100000), REMAKES_TEST_SCENES]
    """Test scenes in a file. A run can use at most 100 files."""


class Channels(Block):
    """Feature maps of the convolutional layers."""

    conv1: Channel
    """Feature maps of the first convolutional layer."""
    conv2: Channel
    """Feature maps of the second convolutional layer."""


class Network(Block):
    """The recurrent network (paper 2.1, 2.2 and A.2). The published one is the default."""

    timesteps: Annotated[int, Field(ge=1, le=100)]
    """The number of timesteps. The first one has no recurrence, so recurrent networks need 2 or more."""
    channels: Channels
    kernel: Annotated[int, Field(ge=1, le=23), *ODD, unit("pixels")]
    """The side of feedforward and lateral convolutions. With the largest, conv2 has one pixel after pooling."""
    units: Annotated[int, Field(ge=1, le=16384), unit("units")]
    """Units of the fc layer. The weights from fc to the maps, which are most of the network, grow with it."""
    lateral: Annotated[list[str], *some_of(LAYERS[1:], 0)]
    """Layers with a lateral connection to themselves."""
    topdown: Annotated[list[str], *some_of(TOPDOWN, 0)]
    """Top-down connections."""


class Training(Block):
    """Training (paper A.3). presets/paper.yaml has the paper's values; the default is a faster recipe."""

    initialisation: Literal["released", "paper"]
    """How weights are initialised. released: as in the authors' code, which leaves transposed convolutions at
    PyTorch's default. paper: Xavier everywhere, as the paper says."""
    iterations: Annotated[Iterations, Field(ge=1)]
    """Steps of the optimizer. More take longer and, up to the paper's 300,000, give a higher accuracy."""
    batch: Annotated[Scenes, Field(ge=1, le=65536)]
    """Scenes in a step. All scenes are new; none is used twice."""
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    """The learning rate of Adam at its peak. Take a lower one for more iterations: times their root, it should be 0.05
    to 0.11. With a higher product, additive networks use the location of objects otherwise than the published ones do
    (docs/recipe.md)."""
    warmup: Annotated[Iterations, Field(ge=0)]
    """The first iterations, in which the learning rate rises linearly from 0 to its peak. At most
    training.iterations."""
    cooldown: Annotated[Iterations, Field(ge=0)]
    """The last iterations, in which the learning rate falls linearly from its peak to 0. Warm-up and cool-down
    together are at most training.iterations."""
    curriculum: Annotated[Iterations, Field(ge=0)]
    """The first iterations, in which the clutter of training scenes grows from none to scenes.clutter. At most
    training.iterations. 0, as in the paper: all clutter from the start."""
    clip_norm: Annotated[float, Field(gt=0, le=10**6)] | None
    """Gradients with a larger norm are scaled down to this norm, to prevent divergence. null: no limit."""
    precision: Precision
    validation_scenes: Annotated[Scenes, Field(ge=1, le=10**6), REMAKE_REFUSED]
    """Scenes in a validation."""
    validate_every: Annotated[Iterations, Field(ge=1), REMAKE_REFUSED]
    """Iterations between validations; each is a row of training.csv. At most training.iterations."""


class Recording(Block):
    """The recording of activations and recurrent flow on test scenes."""

    scenes: Annotated[Scenes, Field(ge=1, le=10**6)]
    """Test scenes to record; the test accuracy is for these too. At least decoding.repeats x decoding.scenes. For
    each network, a scene takes up to 0.4 MB of disk until it is decoded (with decoding.connections 1.2 MB). The paper
    has 10,000."""
    precision: Precision


class KeptRecording(Recording):
    """The recording of activations and recurrent flow on test scenes."""

    keep: bool
    """Whether to keep each network's recording, activations.h5, after decoding."""


class FlowRecording(Recording):
    """What the stage record gets: the block ``record``, and whether to record what each connection carries."""

    connections: bool


class ReadOuts(Block):
    """Linear decoding from any features."""

    scenes: Annotated[Scenes, Field(ge=2, le=100000), REMAKES_READ_OUTS]
    """Scenes in a repeat, for fitting and scoring. The paper has 1,000."""
    fit: Annotated[Scenes, Field(ge=1, le=99999), REMAKES_READ_OUTS]
    """How many of these scenes a decoder is fitted on. It is scored on the others. The paper has 800."""
    variables: Annotated[list[str], *some_of([*VARIABLES]), REMAKES_READ_OUTS]
    """What is decoded about the target: functions in workflow/scripts/recurrence/variables.py. domain is which dataset
    it is from."""
    max_iter: Annotated[int, Field(ge=1, le=10**7), unit("iterations"), REMAKES_READ_OUTS]
    """The largest number of iterations of the solver, as in scikit-learn's LinearSVC (default 1,000)."""


class NetworkReadOuts(ReadOuts):
    """Linear decoding from the recordings."""

    repeats: Repeats
    """Repeats, each with other scenes. The paper has 10."""
    sources: Annotated[list[str], *some_of([*FIRST_TIMESTEP])]
    """What to decode from: the activations of the layers, the recurrent flow to them, or both."""
    images: Annotated[list[str], *some_of(["cluttered", "clean"])]
    """The images whose activations are decoded. cluttered: the scenes. clean: only their targets, on black. The
    paper has cluttered."""
    connections: bool
    """Whether to decode from the flow along each connection by itself, too: a row for each connection besides those of
    the sum. Takes nearly twice as long, and three times the disk for recordings. The paper has only the sum."""


class Decoding(NetworkReadOuts):
    """Linear decoding from the recordings (paper 3.1 and A.4)."""

    scene_repeats: Annotated[Repeats, remade("decoding from the scenes, the scorecard, the report")]
    """Repeats of decoding from the scenes themselves. This needs no network, and shows whether scenes and decoder
    are those of the paper. Each repeat takes seconds."""


class Perturbation(Poses):
    """Recurrent flow is replaced with that of altered scenes (paper 3.2 and A.5), which have no jitter."""

    repeats: Repeats
    """Repeats, each with other scenes. The paper has 5."""
    scenes: Annotated[Scenes, Field(ge=1, le=100000)]
    """Scenes in a repeat. The paper has 1,000."""
    precision: Precision
    renderings: Annotated[list[str], *some_of(RENDERINGS)]
    """How the target's scale and orientation are altered. opposite: it gets the other value, as the paper says.
    compounded: it is transformed once more, as in the released script, which gave the published numbers."""
    connections: bool
    """Whether to replace the flow along each connection by itself, too. Takes three times as long. The paper replaces
    only the whole flow to a layer."""


class Figures(Block):
    """The figures of the paper."""

    published: bool
    """Whether to draw the published means as dashed lines, with bands, behind ours."""
    examples: Annotated[Scenes, Field(ge=1, le=12)]
    """Scenes in figures 3B and S2B. Figure S3 shows up to eight more; twelve are kept."""
    dpi: Annotated[int, Field(ge=30, le=1200), unit("dots per inch")]
    """Dots per inch of the PNG files."""


class Compute(Block):
    """Where and how jobs run. A change here reruns nothing."""

    device: Device
    """auto: cuda if there is one, else cpu."""
    checkpoint_every: Annotated[Iterations, Field(ge=1)]
    """Iterations between checkpoints. A killed training goes on from the last one, so fewer iterations lose less
    time."""
    threads: Annotated[int, Field(ge=1, le=1024), unit("threads")]
    """Threads of a job. Two networks side by side on two cores are faster than one network on both."""


class Configuration(Block):
    """The configuration of a run, with a block for each stage."""

    run: Run
    data: Annotated[Data, remade("everything")]
    scenes: Annotated[TestScenes, REMAKES_SCENES]
    network: Annotated[Network, REMAKES_NETWORKS]
    training: Annotated[Training, REMAKES_NETWORKS]
    record: Annotated[KeptRecording, REMAKES_RECORDINGS]
    decoding: Annotated[Decoding, REMAKES_RECORDINGS]
    perturbation: Annotated[Perturbation, remade("perturbations")]
    figures: Annotated[Figures, remade("figures and the report")]
    compute: Annotated[Compute, REMAKES_NOTHING]


def block_of(field: FieldInfo) -> type[Block] | None:
    """The class of a key's block; None if its value is no block."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Block) else None


def all_keys(block: type[Block], within: str = "") -> Iterator[str]:
    """The dotted keys of a block and of the blocks inside it."""
    for name, field in block.model_fields.items():
        yield within + name
        if inner := block_of(field):
            yield from all_keys(inner, f"{within}{name}.")

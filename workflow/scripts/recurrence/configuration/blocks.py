"""The configuration: one class for each block of config.yaml, with types, ranges, units and rules.

The text under a key is its description. ``workflow/schemas/config.schema.json`` and ``docs/configuration.md`` are made
from these classes.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from recurrence.configuration.rules import conflicts
from recurrence.names import FIRST_TIMESTEP, INTERACTIONS, LABELS, LAYERS, RENDERINGS

TOPDOWN = [f"{source}_to_{to}" for n, to in enumerate(LAYERS) for source in LAYERS[n + 1 :]]

# --- what a key is annotated with ----------------------------------------------------------------


def _odd(number: int) -> int:
    if number % 2 == 0:
        raise ValueError("is even")
    return number


def _each_once(values: list[str]) -> list[str]:
    if len(values) > len(set(values)):
        raise ValueError("has a value twice")
    return values


def _unit(name: str) -> Any:
    return Field(json_schema_extra={"unit": name})


def _remade(what: str) -> Any:
    """What is made again when the key changes, or any key of the block."""
    return Field(json_schema_extra={"made again": what})


_ONCE = AfterValidator(_each_once), Field(json_schema_extra={"uniqueItems": True})


def _some_of(names: Sequence[str], at_least: int = 1) -> tuple[Any, ...]:
    """A list of some of ``names``, each once."""
    items = core_schema.list_schema(
        core_schema.literal_schema([*names]), min_length=at_least or None
    )
    return GetPydanticSchema(lambda *_: items), *_ONCE


_FOLDER = r"(?!~)(?!.*//)[^\s{}]([^\n{}]*[^\s{}/])?$(?!\n)"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)"
_A_NAME = "a name of up to 64 letters, digits and . _ - that begins with a letter or digit"
_FILES = "a list of files, each once, without { }, //, or a leading ./ or ~"
_A_FOLDER = "a folder, without { }, //, a leading ./ or ~, or a slash at the end"
Name = Annotated[str, Field(pattern=_NAME, title=_A_NAME)]
File = Annotated[str, Field(pattern=rf"^(?!\./){_FOLDER}")]
Files = Annotated[list[File], *_ONCE, Field(title=_FILES)]
Folder = Annotated[str, Field(pattern=rf"^(?!\.(/|$)){_FOLDER}", title=_A_FOLDER)]
AnyFolder = Annotated[
    str, Field(pattern=r"^[^\s~]([^\n]*\S)?$(?!\n)", title="a folder, without a leading ~")
]
Kernel = Annotated[
    int,
    *(Field(ge=1, le=23, title="an odd whole number from 1 to 23"), AfterValidator(_odd)),
    Field(json_schema_extra={"not": {"multipleOf": 2}, "unit": "pixels"}),
]
Device = Annotated[
    str, Field(pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$(?!\n)", title="auto, cpu, cuda or cuda:N")
]
Flag = Annotated[bool, Field(title="true or false")]
Scenes = Annotated[int, _unit("scenes")]
Iterations = Annotated[int, Field(le=10**9), _unit("iterations")]
Repeats = Annotated[int, Field(ge=1, le=10000)]
Channel = Annotated[int, Field(ge=1, le=1024), _unit("feature maps")]
_PRECISION = """bfloat16 is mixed precision, the faster on a GPU and on a CPU with bfloat16 arithmetic; float32 is that
of the paper."""
Precision = Annotated[
    Literal["bfloat16", "float32"], Field(description=_PRECISION.replace("\n", " "))
]

_SCENES = _remade("scenes and all that is made from them")
_NETWORKS = _remade("networks and all that is made with them")
_NEW_NETWORKS = _remade("networks that are not there yet, tables, figures, the report")
_TEST_SCENES = _remade("test scenes, recordings and all read-outs")
_RECORDINGS = _remade("recordings and their read-outs")
_READ_OUTS = _remade("recordings and all read-outs")
_NOTHING = _remade("nothing")

# --- blocks --------------------------------------------------------------------------------------


class Block(BaseModel):
    """A block of the configuration: all keys are required, no others are allowed, and a value is of its type."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        regex_engine="python-re",  # the default one has no lookahead
        use_attribute_docstrings=True,
    )

    def plain(self) -> dict[str, Any]:
        """The values in mappings, keys sorted: Snakemake holds other orders for other parameters."""
        return json.loads(json.dumps(self.model_dump(), sort_keys=True))


class Checkpoints(Block):
    """Networks that are not trained but imported: the authors' released state dicts (OSF project pf4u5).

    The block network must be theirs, as in config.yaml.
    """

    multiplicative: Files
    """One file for each instance, in their order, relative to the working directory or absolute; or none, and the
    networks are trained."""
    additive: Files
    """The same for the additive networks."""


class Run(Block):
    """What a run is called and which networks it has."""

    name: Annotated[Name, _remade("all but source images and scenes, in a folder of its own")]
    """Results go to results/<name>. A run with other values and the same name replaces them."""
    interactions: Annotated[list[str], *_some_of(INTERACTIONS), _NEW_NETWORKS]
    """How recurrent flow meets feedforward drive (paper, Eq. 1 and 2). feedforward has no recurrence: the control that
    the paper's discussion asks for."""
    instances: Annotated[int, Field(ge=1, le=1000), _unit("networks"), _NEW_NETWORKS]
    """Networks per interaction, each from a seed of its own. The paper has 5; bands need 2 or more."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1), _SCENES]
    """All that is random in a run follows from this number."""
    checkpoints: Annotated[Checkpoints, _remade("the networks of that interaction")]


class Data(Block):
    """The source images."""

    source: Literal["full", "sample"]
    """full is all of MNIST and Fashion-MNIST, downloaded if they are not here; sample is the small part of both in
    tests/sample, to try the workflow without a network."""
    folder: Folder
    """Where shards and test scenes are kept, relative to the working directory or absolute. Runs on the same images
    and with the same data.validation share it; the sample needs another one than the full data."""
    files: Annotated[AnyFolder, _NOTHING]
    """A folder with idx files that you have, plain or gzipped, in mnist/ and fashion/ below it (or in torchvision's
    layout). Downloads are kept there too. Their content is verified, so that moving them reruns nothing."""
    validation: Annotated[int, Field(ge=1, le=59999), _unit("images")]
    """The first images of each training set that are set aside for validation scenes; the others are trained on.
    Fewer than there are (60,000 a dataset; 800 in the sample). The paper has 5,000."""


class Scale(Block):
    """The size of objects, as a factor on 28 pixels; one of two classes, plus jitter."""

    small: Annotated[float, Field(gt=0, le=4)]
    """Factor of the class small. At least 3 pixels must be left of an object after jitter."""
    large: Annotated[float, Field(gt=0, le=4)]
    """Factor of the class large, more than small. Objects must stay on the canvas (100 x 100 pixels)."""
    jitter: Annotated[float, Field(ge=0, le=2)]
    """A uniform random number between -jitter and jitter is added to the factor."""


class Orientation(Block):
    """The rotation of objects; one of two classes, plus jitter."""

    angle: Annotated[float, Field(gt=0, lt=180), _unit("degrees")]
    """The two classes are +angle and -angle."""
    jitter: Annotated[float, Field(ge=0, le=90), _unit("degrees")]
    """A uniform random number between -jitter and jitter is added; less than angle."""


class Location(Block):
    """Where objects are; in each of the four quadrants, plus jitter."""

    jitter: Annotated[float, Field(ge=0, le=25), _unit("pixels")]
    """Centres are at 25 or 75 on each axis, plus a uniform random number between -jitter and jitter."""


class Poses(Block):
    """How objects are scaled, rotated and placed."""

    scale: Scale
    orientation: Orientation
    location: Location


class Distribution(Poses):
    """The distribution of cluttered scenes."""

    clutter: Annotated[int, Field(ge=0, le=7), _unit("objects")]
    """Clutter objects beside the target, out of 7. They are shuffled in 3 x 3 blocks."""


class TestScenes(Distribution):
    """The cluttered scenes that networks are trained and tested on (paper 2.3 and A.1)."""

    set: Annotated[Name, _TEST_SCENES]
    """Names the test scenes, which are kept in <data.folder>/scenes/<set>. Give runs that differ in this block or in
    run.seed different sets, or each makes the scenes of the other anew."""
    shard: Annotated[Scenes, Field(ge=1, le=100000), _TEST_SCENES]
    """Test scenes in a file. A run records 100 files at most."""


class Channels(Block):
    """Feature maps of the convolutional layers."""

    conv1: Channel
    """Feature maps of the first convolutional layer."""
    conv2: Channel
    """Feature maps of the second convolutional layer."""


class Network(Block):
    """The recurrent network (paper 2.1, 2.2 and A.2). The published one is the default."""

    timesteps: Annotated[int, Field(ge=1, le=100)]
    """Sweeps over the layers. The first has no recurrence, so that recurrent networks need 2 or more."""
    channels: Channels
    kernel: Kernel
    """Pixels along a side of the feedforward and lateral convolutions. The largest leaves conv2 a pixel after
    pooling."""
    units: Annotated[int, Field(ge=1, le=16384), _unit("units")]
    """Units of the fc layer. Weights from fc to the maps grow with it; they are most of the network."""
    lateral: Annotated[list[str], *_some_of(LAYERS[1:], 0)]
    """Layers with a lateral connection to themselves."""
    topdown: Annotated[list[str], *_some_of(TOPDOWN, 0)]
    """Top-down connections."""


class Training(Block):
    """Training (paper A.3). presets/paper.yaml has the paper's values; the default is a faster recipe."""

    initialisation: Literal["released", "paper"]
    """How weights are drawn. released is the authors' code, which leaves transposed convolutions at PyTorch's default;
    paper is Xavier everywhere, as the paper says."""
    iterations: Annotated[Iterations, Field(ge=1)]
    """Steps of the optimizer. Time and, up to the paper's 300,000, accuracy grow with it."""
    batch: Annotated[Scenes, Field(ge=1, le=65536)]
    """Scenes in a step. All of them are new; none is seen twice."""
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    """The learning rate of Adam, at its peak."""
    warmup: Annotated[Iterations, Field(ge=0)]
    """Iterations over which the learning rate rises linearly from 0 to its peak; at most iterations."""
    cooldown: Annotated[Iterations, Field(ge=0)]
    """Iterations, the last ones, over which the learning rate falls linearly from its peak to 0; warm-up and cool-down
    together are at most iterations."""
    curriculum: Annotated[Iterations, Field(ge=0)]
    """Iterations, the first ones, over which the clutter of training scenes grows from none to scenes.clutter; at most
    iterations. 0, as in the paper: all clutter from the start."""
    clip_norm: Annotated[float, Field(gt=0, le=10**6)] | None
    """Gradients with a larger norm are scaled down to this one, against divergence; null for none."""
    precision: Precision
    validation_scenes: Annotated[Scenes, Field(ge=1, le=10**6)]
    """Scenes in a validation."""
    validate_every: Annotated[Iterations, Field(ge=1)]
    """Iterations between validations, each a row of training.csv; at most iterations."""
    checkpoint_every: Annotated[Iterations, Field(ge=1)]
    """Iterations between the states that a killed training goes on from; the fewer, the less is lost."""


class Recording(Block):
    """The recording of activations and recurrent flow on test scenes."""

    scenes: Annotated[Scenes, Field(ge=1, le=10**6)]
    """Test scenes, also for the test accuracy. Enough for decoding (repeats x scenes); up to 0.4 MB of disk each and
    network, until decoded. The paper has 10,000."""
    precision: Precision


class KeptRecording(Recording):
    """The recording of activations and recurrent flow on test scenes."""

    keep: Flag
    """Whether to keep activations.h5 of each network after it was decoded."""


class ReadOuts(Block):
    """Linear read-outs of any features."""

    scenes: Annotated[Scenes, Field(ge=2, le=100000), _READ_OUTS]
    """Scenes in a repeat, to fit and to score. The paper has 1,000."""
    fit: Annotated[Scenes, Field(ge=1, le=99999), _READ_OUTS]
    """How many of these the read-out is fitted on; it is scored on the others. The paper has 800."""
    variables: Annotated[list[str], *_some_of(LABELS), _READ_OUTS]
    """What about the target is read out. domain is digit or fashion."""
    max_iter: Annotated[int, Field(ge=1, le=10**7), _unit("iterations"), _READ_OUTS]
    """Iterations of the solver at most, as in scikit-learn's LinearSVC (1,000 is its default)."""


class NetworkReadOuts(ReadOuts):
    """Linear read-outs of the recordings."""

    repeats: Repeats
    """Repeats, each on other scenes. The paper has 10."""
    sources: Annotated[list[str], *_some_of([*FIRST_TIMESTEP])]
    """What is read out, the activations of the layers or the recurrent flow to them."""
    images: Annotated[list[str], *_some_of(["cluttered", "clean"])]
    """Activations of which images, the scenes or their targets alone on black. The paper has cluttered."""


class Decoding(NetworkReadOuts):
    """Linear read-outs of the recordings (paper 3.1 and A.4)."""

    scene_repeats: Annotated[Repeats, _remade("read-outs of the scenes, the scorecard, the report")]
    """Repeats of the read-outs from the scenes themselves, which need no network and tell whether scenes and read-out
    are the paper's. They cost seconds each."""


class Perturbation(Poses):
    """Recurrent flow replaced by that of altered scenes (paper 3.2 and A.5). Scenes have no jitter there."""

    repeats: Repeats
    """Repeats, each on other scenes. The paper has 5."""
    scenes: Annotated[Scenes, Field(ge=1, le=100000)]
    """Scenes in a repeat. The paper has 1,000."""
    precision: Precision
    renderings: Annotated[list[str], *_some_of(RENDERINGS)]
    """How scale and orientation of the target are altered. opposite gives it the other value, as the paper's text says;
    compounded transforms it once more, as the released script does, whose numbers are the published ones."""


class Figures(Block):
    """The figures of the paper."""

    published: Flag
    """Whether to draw the published means as thin lines behind ours."""
    examples: Annotated[Scenes, Field(ge=1, le=12)]
    """Scenes in figures 3B and S2B; figure S3 shows up to eight more of the twelve that are kept."""
    dpi: Annotated[int, Field(ge=30, le=1200), _unit("dots per inch")]
    """Dots per inch of the PNG files."""


class Compute(Block):
    """Where and how jobs run. Nothing here triggers a rerun."""

    device: Device
    """auto is cuda where there is one, else cpu."""
    threads: Annotated[int, Field(ge=1, le=1024), _unit("threads")]
    """Threads of a job. Two networks side by side on two cores are faster than one network on both."""


class Configuration(Block):
    """The configuration of a run, one block per stage."""

    run: Run
    data: Annotated[Data, _remade("everything")]
    scenes: Annotated[TestScenes, _SCENES]
    network: Annotated[Network, _NETWORKS]
    training: Annotated[Training, _NETWORKS]
    record: Annotated[KeptRecording, _RECORDINGS]
    decoding: Annotated[Decoding, _RECORDINGS]
    perturbation: Annotated[Perturbation, _remade("perturbations")]
    figures: Annotated[Figures, _remade("figures and the report")]
    compute: Annotated[Compute, _NOTHING]

    @model_validator(mode="wrap")
    @classmethod
    def _rules(cls, values: Any, validated: ModelWrapValidatorHandler[Self]) -> Self:
        """Report broken rules about keys together along with wrong values."""
        block, problems = None, []
        try:
            block = validated(values)
        except ValidationError as error:
            problems = [
                (each["type"], each["loc"], each["input"], each["msg"]) for each in error.errors()
            ]
        wrong = [".".join(map(str, loc)) for _, loc, *_ in problems]
        problems += [
            ("rule", tuple(key.split(".")), values, text) for key, text in conflicts(values, wrong)
        ]
        if block is None or problems:
            details = [
                InitErrorDetails(
                    type=PydanticCustomError(kind, "{text}", {"text": text}),
                    loc=loc,
                    input=value,
                )
                for kind, loc, value, text in problems
            ]
            raise ValidationError.from_exception_data(cls.__name__, details)
        return block

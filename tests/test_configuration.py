"""The configuration: what is refused, in which words, and that nothing else goes wrong."""

import copy
import math
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from recurrence.configuration import SCHEMA, ConfigurationError, check

ROOT = Path(__file__).parents[1]
PRESETS = sorted((ROOT / "workflow" / "presets").glob("*.yaml"))
REMOVED = object()
Config = dict[str, Any]


def overlaid(config: Config, overlay: Config) -> Config:
    """As Snakemake does with another --configfile: blocks are merged, all else is replaced."""
    config = dict(config)
    for key, value in overlay.items():
        merge = isinstance(value, dict) and isinstance(config.get(key), dict)
        config[key] = overlaid(config[key], value) if merge else value
    return config


# The default run, with the sizes that messages below quote.
GOOD: Config = overlaid(
    yaml.safe_load((ROOT / "config.yaml").read_text()),
    {
        "training": {"iterations": 2200, "cooldown": 400},
        "record": {"scenes": 1000},
        "decoding": {"repeats": 1, "scenes": 1000, "scene_repeats": 1},
    },
)


def edited(edits: Config) -> Config:
    """The good configuration with the values at dotted keys replaced, or removed."""
    config = copy.deepcopy(GOOD)
    for key, value in edits.items():
        *path, name = key.split(".")
        block = config
        for step in path:
            block = block[step]
        if value is REMOVED:
            del block[name]
        else:
            block[name] = value
    return config


def problems(config: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        check(config)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def leaves(block: Config, within: str = "") -> list[str]:
    keys = []
    for name, value in block.items():
        keys += leaves(value, f"{within}{name}.") if isinstance(value, dict) else [within + name]
    return keys


def blocks(block: Config, within: str = "") -> list[str]:
    inner = [
        blocks(value, f"{within}{name}.")
        for name, value in block.items()
        if isinstance(value, dict)
    ]
    return [within, *(key for keys in inner for key in keys)]


ALONE: list[tuple[str, Any, str]] = [
    # Keys.
    ("network.timestep", 4, 'there is no such key: did you mean "timesteps"?'),
    ("network.Timesteps", 4, 'there is no such key: did you mean "timesteps"?'),
    ("trainings", {}, 'there is no such key: did you mean "training"?'),
    ("timesteps", 4, "there is no such key: did you mean network.timesteps?"),
    ("seed", 1, "there is no such key: did you mean run.seed?"),
    (
        "training.lr",
        0.001,
        "there is no such key: take it out, or choose one of initialisation, iterations",
    ),
    ("figures.1", 0, "there is no such key"),
    ("decoding.fit", REMOVED, "is missing: give a whole number from 1 to 99999"),
    ("record", REMOVED, "is missing: give a block with the keys scenes, precision, keep"),
    ("training", None, "got nothing: give a block with the keys initialisation, iterations"),
    ("scenes.scale", 1.5, "got 1.5: give a block with the keys small, large, jitter"),
    # Values of a wrong type.
    ("training.learning_rate", "1e-3", "got '1e-3', which is text to YAML: write 1.0e-3"),
    (
        "training.learning_rate",
        "1.0e-3",
        "got '1.0e-3', which is text to YAML: write 1.0e-3 without quotes",
    ),
    ("training.learning_rate", "-1e-3", "got '-1e-3', which is text to YAML: give a number"),
    ("training.learning_rate", "fast", "got 'fast', which is text to YAML: give a number"),
    ("training.iterations", "3e5", "got '3e5', which is text to YAML: write 300000"),
    ("training.iterations", "2200", "got '2200', which is text to YAML: write 2200 without quotes"),
    ("training.iterations", 2200.0, "got 2200.0: write 2200"),
    ("training.iterations", 2200.5, "got 2200.5: give a whole number from 1 to"),
    ("training.clip_norm", "1e2", "got '1e2', which is text to YAML: write 100"),
    ("training.clip_norm", "off", "got 'off', which is text to YAML: write null"),
    ("training.clip_norm", "None", "got 'None', which is text to YAML: write null"),
    ("training.clip_norm", False, "got false: give a number above 0 to 1000000, or null"),
    ("network.timesteps", True, "got true: give a whole number from 1 to 100"),
    ("scenes.scale.jitter", False, "got false: give a number from 0 to 2"),
    ("scenes.location.jitter", math.nan, "got nan: give a number from 0 to 25"),
    ("training.learning_rate", math.inf, "got inf: give a number above 0 to 1"),
    ("scenes.orientation.angle", [30], "got [30]: give a number above 0 below 180"),
    ("record.precision", "half", "got 'half': give one of bfloat16, float32"),
    ("perturbation.precision", None, "got nothing: give one of bfloat16, float32"),
    ("record.keep", "no", "got 'no': give true or false"),
    ("record.keep", 1, "got 1: give true or false"),
    ("run.name", 2111, 'got 2111: write "2111"'),
    ("run.name", date(2024, 5, 1), 'got the date 2024-05-01: write "2024-05-01"'),
    ("run.interactions", "additive", "got 'additive': write [additive]"),
    # Values out of range.
    ("training.batch", 0, "got 0: give a whole number from 1 to 65536"),
    ("training.batch", -32, "got -32: give a whole number from 1 to 65536"),
    ("training.learning_rate", 0, "got 0: give a number above 0 to 1"),
    ("training.learning_rate", 10, "got 10: give a number above 0 to 1"),
    ("scenes.clutter", 8, "got 8: give a whole number from 0 to 7"),
    ("network.kernel", 4, "got 4: give an odd whole number from 1 to 23"),
    ("network.kernel", 25, "got 25: give an odd whole number from 1 to 23"),
    ("network.channels.conv2", 0, "got 0: give a whole number from 1 to 1024"),
    ("run.instances", 0, "got 0: give a whole number from 1"),
    ("run.seed", -1, "got -1: give a whole number from 0"),
    ("compute.threads", 0, "got 0: give a whole number from 1"),
    ("figures.dpi", 5, "got 5: give a whole number from 30 to 1200"),
    ("training.precision", "bfloat", "got 'bfloat': write bfloat16"),
    ("training.precision", "float16", "got 'float16': write bfloat16"),
    ("training.curriculum", 2201, "2201 is more than training.iterations (2200): give less"),
    ("training.cooldown", -1, "got -1: give a whole number from 0"),
    ("data.source", "all", "got 'all': give one of full, sample"),
    ("data.validation", 60000, "got 60000: give a whole number from 1 to 59999"),
    ("compute.device", "gpu", "got 'gpu': give auto, cpu, cuda or cuda:N"),
    ("compute.device", "cuda:", "got 'cuda:': give auto, cpu, cuda or cuda:N"),
    # Names and folders.
    ("run.name", "", "got '': give a name of up to 64 letters"),
    ("run.name", "../elsewhere", "got '../elsewhere': give a name of up to 64 letters"),
    ("run.name", "a{b}", "got 'a{b}': give a name"),
    ("run.name", "quick\n", "got 'quick\\n': give a name"),
    ("scenes.set", "with space", "got 'with space': give a name of up to 64 letters"),
    ("run.checkpoints", [], "got []: give a block with the keys multiplicative, additive"),
    ("run.checkpoints.feedforward", ["a.pth"], "there is no such key: take it out, or choose one"),
    ("run.checkpoints.additive", "a.pth", "got 'a.pth': give a list of files, each once, without"),
    ("run.checkpoints.additive", ["~/a.pth"], "got ['~/a.pth']: give a list of files, each once"),
    (
        "run.checkpoints.additive",
        ["{instance}.pth"],
        "got ['{instance}.pth']: give a list of files",
    ),
    ("run.checkpoints.additive", ["a.pth"] * 5, "got ['a.pth', 'a.pth', 'a.pth', 'a.pth', 'a.pth"),
    ("run.checkpoints.additive", [None], "got [None]: give a list of files, each once"),
    ("data.folder", "data/", "got 'data/': give a folder, without"),
    ("data.folder", "./data", "got './data': give a folder, without"),
    ("data.folder", "~/data", "got '~/data': give a folder, without"),
    ("data.folder", "{interaction}", "got '{interaction}': give a folder, without"),
    ("data.files", "~/mnist", "got '~/mnist': give a folder, without a leading ~"),
    # Lists.
    ("run.interactions", [], "got []: give a list, each once, of one or more of multiplicative"),
    (
        "run.interactions",
        ["additive", "additive"],
        "got ['additive', 'additive']: write [additive]",
    ),
    ("run.interactions", ["aditive"], "got ['aditive']: write [additive]"),
    ("run.interactions", ["gated"], "got ['gated']: give a list, each once, of one or more of"),
    ("decoding.sources", ["activations"], "got ['activations']: write [activation]"),
    ("decoding.variables", [], "got []: give a list, each once, of one or more of category"),
    ("decoding.images", [None], "got [None]: give a list, each once, of one or more of cluttered"),
    ("network.topdown", ["fc_to_fc"], "got ['fc_to_fc']: "),
    (
        "network.lateral",
        ["input"],
        "got ['input']: give a list, each once, of none or more of conv1",
    ),
    # Keys that do not go together.
    (
        "decoding.fit",
        1000,
        "1000 of decoding.scenes (1000) leave none to score: give less, such as 800",
    ),
    (
        "scenes.shard",
        9,
        "9 to a file make more than 100 files of record.scenes (1000) or of "
        "decoding.scene_repeats x decoding.scenes (1 x 1000): give 10 or more",
    ),
    ("training.warmup", 1801, "1801 and training.cooldown (400) are more than training.iterations"),
    ("training.validate_every", 2201, "2201 is more than training.iterations (2200)"),
    ("network.timesteps", 1, "at one timestep there is no recurrence: give 2 or more, or set"),
]

TOGETHER: list[tuple[Config, str]] = [
    (
        {"run.checkpoints.additive": ["a.pth", "b.pth"]},
        "run.checkpoints: additive has 2 and run.instances is 5: give as many, or set run.instances",
    ),
    (
        {"run.checkpoints.additive": ["a.pth"], "run.interactions": ["multiplicative"]},
        "run.checkpoints: additive has some and is not in run.interactions: add it there, or set",
    ),
    (
        {"network.timestep": 4, "network.timesteps": REMOVED},
        "network.timestep: there is no such key: did you mean",
    ),
    (
        {"decoding.repeats": 10},
        "record.scenes: 1000 are too few for decoding.repeats x decoding.scenes (10 x 1000): ",
    ),
    ({"record.scenes": 999}, "give 1000 or more, or decode less"),
    ({"decoding.scene_repeats": 101}, "scene_repeats x decoding.scenes (101 x 1000): give 1010"),
    (
        {"figures.examples": 12, "scenes.shard": 11},
        "figures.examples: 12 are more than record.scenes (1000) or",
    ),
    ({"scenes.scale.small": 1.5}, "scenes.scale: small (1.5) is not less than large (1.5)"),
    ({"perturbation.scale.large": 0.8}, "perturbation.scale: small (0.8) is not less than large"),
    (
        {"scenes.scale.large": 1.75},
        "scenes.scale: objects of up to 52 pixels, up to 2.5 pixels off their places, leave",
    ),
    (
        {"scenes.location.jitter": 3},
        "scenes.scale: objects of up to 45 pixels, up to 3 pixels off their places, leave",
    ),
    (
        {"perturbation.location.jitter": 4},
        "perturbation.scale: objects of up to 45 pixels, up to 4 pixels off",
    ),
    # 1.5, and then 1.6 times that.
    ({"perturbation.scale.small": 1.5}, "perturbation.scale: objects of up to 68 pixels"),
    (
        {"scenes.scale.small": 0.1},
        "scenes.scale: objects are down to 0 pixels, too few to be cut into 3 x 3 blocks",
    ),
    (
        {"scenes.scale.small": 0.05, "scenes.scale.jitter": 0.1},
        "scenes.scale: objects are down to 0 pixels",
    ),
    ({"scenes.orientation.jitter": 30}, "scenes.orientation: jitter (30) is not less than angle"),
    (
        {"perturbation.orientation.jitter": 40},
        "perturbation.orientation: jitter (40) is not less than angle (35)",
    ),
    ({"scenes.orientation.angle": 176}, "scenes.orientation: angle and jitter (176 + 5) make half"),
    (
        {"network.lateral": [], "network.topdown": []},
        "network.lateral: without it and network.topdown nothing is",
    ),
    (
        {"decoding.sources": ["recurrent_flow"], "decoding.images": ["clean"]},
        "decoding.sources: the flow is recorded",
    ),
    (
        {"decoding.sources": ["recurrent_flow"], "run.interactions": ["feedforward"]},
        "decoding.sources: feedforward networks have no recurrent flow: add activation",
    ),
    (
        {"data.source": "sample", "data.validation": 100},
        "data.folder: data is for the full data, which the sample",
    ),
    (
        {"data.source": "sample", "data.folder": "data/x"},
        "data.validation: 5000 of the sample's 800 images leave none",
    ),
]


def numbered(table: list[Any]) -> list[str]:
    return [
        f"{number}-{next(iter(row[0])) if isinstance(row[0], dict) else row[0]}"
        for number, row in enumerate(table)
    ]


@pytest.mark.parametrize(("key", "value", "expected"), ALONE, ids=numbered(ALONE))
def test_a_bad_value_is_one_line_with_its_key_and_what_to_do(
    key: str, value: Any, expected: str
) -> None:
    [line] = problems(edited({key: value}))
    assert line.startswith(f"{key}: {expected}")


def test_what_is_advised_is_right() -> None:
    """The text after "write", read as YAML, is accepted."""
    advised = 0
    for key, value, _ in ALONE:
        [line] = problems(edited({key: value}))
        _, found, text = line.partition(": write ")
        if found:
            check(edited({key: yaml.safe_load(text.removesuffix(" without quotes"))}))
            advised += 1
    assert advised > 10


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "2.5e-4", "1e-03", ".5", "0.001"])
def test_numbers_as_yaml_reads_them(text: str) -> None:
    """The trap of YAML 1.1: 1e-3 is text. What it says to write is the number that was meant."""
    value = yaml.safe_load(text)
    if isinstance(value, float):
        check(edited({"training.learning_rate": value}))
        return
    [line] = problems(edited({"training.learning_rate": value}))
    assert yaml.safe_load(line.partition(": write ")[2]) == float(text)


def test_the_largest_kernel_is_the_largest_that_leaves_a_map() -> None:
    schema = yaml.safe_load(SCHEMA.read_text())
    largest = schema["properties"]["network"]["properties"]["kernel"]["maximum"]

    def pooled(kernel: int) -> int:
        return ((100 - kernel + 1) // 3 - kernel + 1) // 3

    assert pooled(largest) >= 1
    assert pooled(largest + 2) < 1


@pytest.mark.parametrize(("edits", "expected"), TOGETHER, ids=numbered(TOGETHER))
def test_keys_that_do_not_go_together_are_one_line(edits: Config, expected: str) -> None:
    [line] = problems(edited(edits))
    assert expected in line


@pytest.mark.parametrize(
    "edits",
    [
        {"network.timesteps": 1, "run.interactions": ["feedforward"]},
        {"network.lateral": [], "network.topdown": [], "run.interactions": ["feedforward"]},
        {"network.topdown": []},
        {"network.kernel": 23},
        {"training.clip_norm": None, "training.learning_rate": 1},
        {"compute.device": "cuda:1"},
        {"data.folder": "/scratch/my images", "data.files": "/home/me/data/"},
        {"decoding.sources": ["recurrent_flow"]},
        {"scenes.clutter": 0},
        {"run.checkpoints.additive": ["/a b/1.pth", "../2.pth"], "run.instances": 2},
        {"perturbation.renderings": ["opposite"], "perturbation.scale.small": 1.5},
    ],
)
def test_unusual_but_right(edits: Config) -> None:
    check(edited(edits))


@pytest.mark.parametrize(
    "preset", [None, *PRESETS], ids=lambda preset: preset.stem if preset else "config"
)
def test_presets_are_valid(preset: Path | None) -> None:
    overlay = yaml.safe_load(preset.read_text()) if preset else {}
    config = overlaid(GOOD, overlay)
    check(config)
    if preset:
        assert config["run"]["name"] == preset.stem, "each preset has results of its own"


def test_there_are_presets() -> None:
    assert {preset.stem for preset in PRESETS} >= {"smoke", "overnight", "paper"}


def test_all_problems_are_told_at_once() -> None:
    edits = {
        "run.name": "a b",
        "network.units": 0,
        "training.lr": 1,
        "record.keep": REMOVED,
        "decoding.fit": 2000,
    }
    assert [line.split(":")[0] for line in problems(edited(edits))] == [
        "run.name",
        "network.units",
        "training.lr",
        "record.keep",
        "decoding.fit",
    ]


def test_rules_do_not_judge_values_that_are_wrong_by_themselves() -> None:
    [line] = problems(edited({"decoding.scenes": "many"}))
    assert line.startswith("decoding.scenes: got 'many'")


@pytest.mark.parametrize("config", [None, [], "quick", 3])
def test_no_configuration_at_all(config: Any) -> None:
    assert problems(config)[0].startswith("all of it: got")


def test_unknown_keys_are_refused_in_every_block() -> None:
    places = blocks(GOOD)
    assert len(places) > 15
    for place in places:
        [line] = problems(edited({f"{place}zzz": 1}))
        assert line.startswith(f"{place}zzz: there is no such key")


def test_every_key_is_required_and_described() -> None:
    for key in leaves(GOOD):
        [line] = problems(edited({key: REMOVED}))
        assert line.startswith(f"{key}: is missing: give ")

    def described(schema: Config) -> None:
        assert schema["description"]
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
            for part in schema["properties"].values():
                described(part)

    schema = yaml.safe_load(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    described(schema)


@given(
    small=st.floats(0.1, 1.5),
    more=st.floats(0.01, 0.8),
    jitter=st.sampled_from([0.0, 0.05, 0.1]),
    shift=st.one_of(st.sampled_from([0.0, 0.5, 1.5, 2.5]), st.floats(0, 5)),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=200, deadline=None)
def test_accepted_objects_stay_on_the_canvas(
    small: float, more: float, jitter: float, shift: float, seed: int
) -> None:
    """The rule of SPEC 1 for side and corner, on random objects."""
    large = small + more
    edits = {
        "scenes.scale": {"small": small, "large": large, "jitter": jitter},
        "scenes.location.jitter": shift,
    }
    try:
        check(edited(edits))
    except ConfigurationError:
        return
    random = np.random.default_rng(seed)
    u, v = np.concatenate(
        [random.uniform(-1, 1, (2, 500)), [[-1, 1 - 1e-9] * 2, [-1, -1, 1 - 1e-9, 1 - 1e-9]]],
        axis=1,
    )
    for factor in (small, large):
        side = np.rint(28 * (factor + jitter * u)).astype(int)
        for centre in (25, 75):
            corner = np.rint(centre + shift * v).astype(int) - side // 2
            assert side.min() >= 3
            assert corner.min() >= 0
            assert (corner + side).max() <= 100


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.integers(-2, 5),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [
            "1e-3",
            "nan",
            "inf",
            "1e400",
            "4",
            "null",
            "additive",
            "~",
            "0x10",
            "1_0",
            10**400,
            -0.0,
            1e-320,
        ]
    ),
    st.dates(),
    st.lists(
        st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=5), st.just([])),
        max_size=3,
    ),
    st.dictionaries(
        st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.none()),
        st.integers(),
        max_size=2,
    ),
)


@given(
    st.dictionaries(
        st.sampled_from([*leaves(GOOD), "scenes.scale", "network"]), JUNK, min_size=1, max_size=2
    )
)
@settings(max_examples=600, deadline=None)
def test_junk_is_refused_or_right_but_never_another_error(edits: Config) -> None:
    edits = dict(sorted(edits.items(), reverse=True))  # leaves before the block that they are in
    config = edited(edits)
    try:
        check(config)
    except ConfigurationError as error:
        lines = str(error).splitlines()
        assert len(lines) > 1
        assert all(line.startswith("  ") and ": " in line and len(line) < 300 for line in lines[1:])
    else:
        for key, value in edits.items():
            kept: Any = GOOD
            for step in key.split("."):
                kept = kept[step]
            if type(value) in (int, float):
                assert type(kept) in (int, float)
                assert math.isfinite(value)
            else:
                assert type(value) is type(kept) or (key, value) == ("training.clip_norm", None)


ZERO = {  # the numbers that may be 0
    "run.seed",
    "scenes.clutter",
    "scenes.scale.jitter",
    "scenes.orientation.jitter",
    "scenes.location.jitter",
    "training.warmup",
    "training.cooldown",
    "training.curriculum",
    "perturbation.scale.jitter",
    "perturbation.orientation.jitter",
    "perturbation.location.jitter",
}
HUGE = {"run.seed", "training.iterations", "training.checkpoint_every"}  # those without a limit


@pytest.mark.parametrize(
    ("value", "welcome"), [(-1, set()), (0, ZERO), (10**9, HUGE), (math.nan, set()), ("1", set())]
)
def test_every_number_has_its_bounds(value: Any, welcome: set[str]) -> None:
    accepted = set()
    for key in leaves(GOOD):
        kept: Any = GOOD
        for step in key.split("."):
            kept = kept[step]
        if type(kept) in (int, float):
            try:
                check(edited({key: value}))
                accepted.add(key)
            except ConfigurationError:
                pass
    assert accepted == welcome


def test_import_is_light() -> None:
    """The Snakefile imports it each time that it is parsed."""
    code = "import recurrence.configuration, sys; print(*sys.modules)"
    folder = SCHEMA.parents[1] / "scripts"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert not {"numpy", "torch", "scipy", "h5py", "pandas", "snakemake"} & set(done.stdout.split())

"""Wrong values and combinations of the configuration, each with what its message must begin with."""

import math
from datetime import date
from typing import Any

REMOVED = object()  # stands for a key that is left out

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
    ("record.precision", "half", "got 'half': give one of auto, bfloat16, float32"),
    ("perturbation.precision", None, "got nothing: give one of auto, bfloat16, float32"),
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

TOGETHER: list[tuple[dict[str, Any], str]] = [
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

"""Wrong values and combinations of the configuration, each with what its message must begin with."""

import math
from datetime import date
from typing import Any

REMOVED = object()  # stands for a key that is left out

ALONE: list[tuple[str, Any, str]] = [
    # Keys.
    ("network.timestep", 4, "there is no such key: did you mean network.timesteps?"),
    ("network.Timesteps", 4, "there is no such key: did you mean network.timesteps?"),
    ("trainings", {}, "there is no such key: did you mean training?"),
    ("timesteps", 4, "there is no such key: did you mean network.timesteps?"),
    ("seed", 1, "there is no such key: did you mean run.seed?"),
    (
        "training.lr",
        0.001,
        "there is no such key: take it out",
    ),
    ("figures.1", 0, "there is no such key: take it out"),
    ("decoding.fit", REMOVED, "is missing: docs/configuration.md has its default"),
    ("record", REMOVED, "is missing: docs/configuration.md has its default"),
    ("training", None, "got null: should be a block of keys"),
    ("scenes.scale", 1.5, "got 1.5: should be a block of keys"),
    # Values of a wrong type.
    ("training.learning_rate", "1e-3", "got '1e-3': should be a valid number (to YAML"),
    (
        "training.learning_rate",
        "1.0e-3",
        "got '1.0e-3': should be a valid number (to YAML",
    ),
    ("training.learning_rate", "-1e-3", "got '-1e-3': should be a valid number (to YAML"),
    ("training.learning_rate", "fast", "got 'fast': should be a valid number (to YAML"),
    ("training.iterations", "3e5", "got '3e5': should be a valid integer (to YAML"),
    ("training.iterations", "2200", "got '2200': should be a valid integer (to YAML"),
    ("training.iterations", 2200.0, "got 2200.0: should be a valid integer"),
    ("training.iterations", 2200.5, "got 2200.5: should be a valid integer"),
    ("training.clip_norm", "1e2", "got '1e2': should be a valid number (to YAML"),
    ("training.clip_norm", "off", "got 'off': should be a valid number (to YAML"),
    ("training.clip_norm", "None", "got 'None': should be a valid number (to YAML"),
    ("training.clip_norm", False, "got false: should be a valid number"),
    ("network.timesteps", True, "got true: should be a valid integer"),
    ("scenes.scale.jitter", False, "got false: should be a valid number"),
    ("scenes.location.jitter", math.nan, "got nan: should be a finite number"),
    ("training.learning_rate", math.inf, "got inf: should be a finite number"),
    ("scenes.orientation.angle", [30], "got [30]: should be a valid number"),
    ("record.precision", "half", "got 'half': should be 'auto', 'bfloat16' or 'float32'"),
    ("perturbation.precision", None, "got null: should be 'auto', 'bfloat16' or 'float32'"),
    ("record.keep", "no", "got 'no': should be a valid boolean"),
    ("record.keep", 1, "got 1: should be a valid boolean"),
    ("run.name", 2111, "got 2111: should be a valid string (put it"),
    (
        "run.name",
        date(2024, 5, 1),
        "got datetime.date(2024, 5, 1): should be a valid string (put it",
    ),
    ("run.interactions", "additive", "got 'additive': should be a valid list"),
    # Values out of range.
    ("training.batch", 0, "got 0: should be greater than or equal to 1"),
    ("training.batch", -32, "got -32: should be greater than or equal to 1"),
    ("training.learning_rate", 0, "got 0: should be greater than 0"),
    ("training.learning_rate", 10, "got 10: should be less than or equal to 1"),
    ("scenes.clutter", 8, "got 8: should be less than or equal to 7"),
    ("network.kernel", 4, "got 4: should be odd"),
    ("network.kernel", 25, "got 25: should be less than or equal to 23"),
    ("network.channels.conv2", 0, "got 0: should be greater than or equal to 1"),
    ("run.instances", 0, "got 0: should be greater than or equal to 1"),
    ("run.seed", -1, "got -1: should be greater than or equal to 0"),
    ("compute.threads", 0, "got 0: should be greater than or equal to 1"),
    ("figures.dpi", 5, "got 5: should be greater than or equal to 30"),
    ("training.precision", "bfloat", "got 'bfloat': should be 'auto', 'bfloat16' or 'float32'"),
    ("training.precision", "float16", "got 'float16': should be 'auto', 'bfloat16' or 'float32'"),
    ("training.curriculum", 2201, "2201 is more than training.iterations (2200)"),
    ("training.cooldown", -1, "got -1: should be greater than or equal to 0"),
    ("data.source", "all", "got 'all': should be 'full' or 'sample'"),
    ("data.validation", 60000, "got 60000: should be less than or equal to 59999"),
    ("compute.device", "gpu", "got 'gpu': should be auto, cpu, cuda or cuda:N"),
    ("compute.device", "cuda:", "got 'cuda:': should be auto, cpu, cuda or cuda:N"),
    # Names and folders.
    ("run.name", "", "got '': should be a name of up to 64 letters"),
    ("run.name", "../elsewhere", "got '../elsewhere': should be a name of up to 64 letters"),
    ("run.name", "a{b}", "got 'a{b}': should be a name of up to 64 letters"),
    ("run.name", "quick\n", "got 'quick\\n': should be a name of up to 64 letters"),
    ("scenes.set", "with space", "got 'with space': should be a name of up to 64 letters"),
    ("run.checkpoints", [], "got []: should be a block of keys"),
    ("run.checkpoints.feedforward", ["a.pth"], "there is no such key: take it out"),
    ("run.checkpoints.additive", "a.pth", "got 'a.pth': should be a valid list"),
    (
        "run.checkpoints.additive",
        ["~/a.pth"],
        "got '~/a.pth': should be a path without { }, //, a leading ./ or ~, or a s",
    ),
    (
        "run.checkpoints.additive",
        ["{instance}.pth"],
        "got '{instance}.pth': should be a path without { }, //, a leading ./ or ~,",
    ),
    (
        "run.checkpoints.additive",
        ["a.pth"] * 5,
        "got ['a.pth', 'a.pth', 'a.pth', 'a.pth', 'a.pth']: should be a list without repeats",
    ),
    ("run.checkpoints.additive", [None], "got null: should be a valid string"),
    (
        "data.folder",
        "data/",
        "got 'data/': should be a path without { }, //, a leading ./ or ~, or a sla",
    ),
    (
        "data.folder",
        "./data",
        "got './data': should be a path without { }, //, a leading ./ or ~, or a sl",
    ),
    (
        "data.folder",
        "~/data",
        "got '~/data': should be a path without { }, //, a leading ./ or ~, or a sl",
    ),
    (
        "data.folder",
        "{interaction}",
        "got '{interaction}': should be a path without { }, //, a leading ./ or ~, ",
    ),
    (
        "data.folder",
        "a\0b",
        "got 'a\\x00b': should be a path without { }, //, a leading ./ or ~, or a sl",
    ),
    ("data.files", "a\tb", "got 'a\\tb': should be a folder, without a leading ~"),
    ("data.files", "~/mnist", "got '~/mnist': should be a folder, without a leading ~"),
    ("data.pair", ["mnist", "fashion"], "got ['mnist', 'fashion']: should be a block of keys"),
    ("data.pair.third", {}, "there is no such key"),
    (
        "data.pair.first.name",
        "my letters",
        "got 'my letters': should be a name of up to 64 letters",
    ),
    (
        "data.pair.first.classes",
        [*"abcdefghi"],
        "got ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']: should be ten names, as other numbers of "
        "classes are not supported",
    ),
    (
        "data.pair.first.classes",
        [*"abcdefghijk"],
        "got ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'",
    ),
    (
        "data.pair.first.classes",
        [*"aacdefghij"],
        "got ['a', 'a', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'",
    ),
    ("data.pair.first.classes", [*range(10)], "got 0: should be a valid string (put it"),
    (
        "data.pair.first.classes",
        ["a\n", *"bcdefghij"],
        "got 'a\\n': should be a name of up to 40 letters",
    ),
    ("data.pair.first.sha256", ["train.npz"], "got 'train.npz': should be a line of sha256sum"),
    ("data.pair.second.name", "mnist", "mnist is the first dataset too: give two datasets"),
    # Lists.
    ("run.interactions", [], "got []: List should have at least 1 item after validation, not 0"),
    (
        "run.interactions",
        ["additive", "additive"],
        "got ['additive', 'additive']: should be a list without repeats",
    ),
    (
        "run.interactions",
        ["aditive"],
        "got 'aditive': should be 'multiplicative', 'additive', 'feedforward', 'feedforward_parameters' or "
        "'feedforward_arithmetic'",
    ),
    (
        "run.interactions",
        ["gated"],
        "got 'gated': should be 'multiplicative', 'additive', 'feedforward', 'feedforward_parameters' or "
        "'feedforward_arithmetic'",
    ),
    (
        "decoding.sources",
        ["activations"],
        "got 'activations': should be 'activation' or 'recurrent_flow'",
    ),
    ("decoding.variables", [], "got []: List should have at least 1 item after validation, not 0"),
    ("decoding.images", [None], "got null: should be 'cluttered' or 'clean'"),
    (
        "network.topdown",
        ["fc_to_fc"],
        "got 'fc_to_fc': should be 'conv1_to_input', 'conv2_to_input', 'fc_to_input",
    ),
    (
        "network.lateral",
        ["input"],
        "got 'input': should be 'conv1', 'conv2' or 'fc'",
    ),
    # Keys that do not go together.
    (
        "decoding.fit",
        1000,
        "1000 of decoding.scenes (1000) leave none to score",
    ),
    (
        "scenes.shard",
        9,
        "record.scenes (1000) are more than 100 files of 9",
    ),
    (
        "training.warmup",
        1801,
        "1801 and training.cooldown (400) are more than training.iterations (2200)",
    ),
    ("training.validate_every", 2201, "2201 is more than training.iterations (2200)"),
    ("network.timesteps", 1, "one timestep has no recurrence"),
]

TOGETHER: list[tuple[dict[str, Any], str]] = [
    (
        {"run.checkpoints.additive": ["a.pth", "b.pth"]},
        "run.checkpoints: each list needs as many files as run.instances (5), or no",
    ),
    (
        {"run.checkpoints.additive": ["a.pth"], "run.interactions": ["multiplicative"]},
        "run.checkpoints: some are for an interaction that is not in run.interactio",
    ),
    (
        {"network.timestep": 4, "network.timesteps": REMOVED},
        "network.timestep: there is no such key: did you mean network.timesteps?",
    ),
    (
        {"decoding.repeats": 10},
        "record.scenes: 1000 are fewer than decoding.repeats x decoding.scenes (10 ",
    ),
    (
        {"record.scenes": 999},
        "record.scenes: 999 are fewer than decoding.repeats x decoding.scenes (1 x ",
    ),
    (
        {"decoding.scene_repeats": 101},
        "scenes.shard: decoding.scene_repeats x decoding.scenes (101 x 1000) are mo",
    ),
    ({"scenes.scale.small": 1.5}, "scenes.scale: small (1.5) is not less than large (1.5)"),
    (
        {"perturbation.scale.large": 0.8},
        "perturbation.scale: small (0.8) is not less than large (0.8)",
    ),
    (
        {"scenes.scale.large": 1.75},
        "scenes.scale: some objects leave the canvas of 100 x 100 pixels",
    ),
    (
        {"scenes.location.jitter": 3},
        "scenes.scale: some objects leave the canvas of 100 x 100 pixels",
    ),
    (
        {"perturbation.location.jitter": 4},
        "perturbation.scale: some objects leave the canvas of 100 x 100 pixels",
    ),
    # 1.5, and then 1.6 times that.
    (
        {"perturbation.scale.small": 1.5},
        "perturbation.scale: some objects leave the canvas of 100 x 100 pixels",
    ),
    (
        {"scenes.scale.small": 0.1},
        "scenes.scale: some objects are too few pixels to be cut into 3 x 3 blocks",
    ),
    (
        {"scenes.scale.small": 0.05, "scenes.scale.jitter": 0.1},
        "scenes.scale: some objects are too few pixels to be cut into 3 x 3 blocks",
    ),
    (
        {"scenes.orientation.jitter": 30},
        "scenes.orientation: jitter (30) is not less than angle (30)",
    ),
    (
        {"perturbation.orientation.jitter": 40},
        "perturbation.orientation: jitter (40) is not less than angle (35)",
    ),
    (
        {"scenes.orientation.angle": 176},
        "scenes.orientation: angle and jitter (176 + 5) make half a turn",
    ),
    (
        {"network.lateral": [], "network.topdown": []},
        "network.lateral: nothing is recurrent without it and network.topdown",
    ),
    (
        {"decoding.sources": ["recurrent_flow"], "decoding.images": ["clean"]},
        "decoding.sources: recurrent flow is recorded on cluttered images only",
    ),
    (
        {"decoding.sources": ["recurrent_flow"], "run.interactions": ["feedforward"]},
        "decoding.sources: feedforward networks have no recurrent flow",
    ),
    (
        {"decoding.sources": ["activation"], "decoding.connections": True},
        "decoding.connections: it is about the recurrent flow on cluttered images: add recurrent_flow",
    ),
    (
        {"decoding.images": ["clean"], "decoding.connections": True},
        "decoding.connections: it is about the recurrent flow on cluttered images: add recurrent_flow",
    ),
    (
        {
            "data.source": "sample",
            "data.pair.first.name": "kmnist",
            "data.folder": "data/x",
            "data.validation": 100,
        },
        "data.source: the sample has only mnist and fashion, not kmnist and fashion: give full",
    ),
    (
        {"data.source": "sample", "data.validation": 100},
        "data.folder: data is for the full data, not the sample",
    ),
    (
        {"data.source": "sample", "data.folder": "data/x"},
        "data.validation: 5000 of the sample's 800 images leave none to train on",
    ),
]

"""Rules about several keys."""

import functools
import math
import operator
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from recurrence.configuration.blocks import Network
from recurrence.costs import block_of
from recurrence.names import CANVAS, FEEDFORWARD, IMAGE, SAMPLED

CUTS = 3  # a clutter object is cut into CUTS x CUTS blocks, which are shuffled
FULL_FOLDER = "data"  # where the default run keeps the full data
SAMPLE_IMAGES = 800  # to train on, of each dataset in tests/sample
SHARDS = 100  # at most, as the names of files of test scenes have two digits


def conflicts(config: Any, wrong: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Keys of ``config`` that break a rule, and how. Rules about keys that are already ``wrong`` are skipped."""
    for names, breaks, text in RULES:
        keys = names.split()
        if not any(_overlap(key, other) for key in keys for other in wrong):
            values = [functools.reduce(operator.getitem, key.split("."), config) for key in keys]
            if breaks(*values):
                yield keys[0], text.format(*values)


def _overlap(one: str, other: str) -> bool:
    """Whether two keys are the same, or one is inside the other; the empty key is everything."""
    return not other or f"{one}.".startswith(f"{other}.") or other.startswith(f"{one}.")


def _largest_rounded(middle: float, jitter: float) -> int:
    """The largest ``rint(middle + jitter * u)``, u in [-1, 1)."""
    return math.ceil(middle + jitter - 0.5) if jitter else round(middle)


def _sides(scale: Mapping[str, Any], renderings: Sequence[str]) -> tuple[int, int]:
    """The smallest and the largest side of objects in pixels (docs/experiment.md 1)."""
    small, large, jitter = scale["small"], scale["large"], scale["jitter"]
    sides = [round(IMAGE * (small - jitter)), _largest_rounded(IMAGE * large, IMAGE * jitter)]
    if "compounded" in renderings:
        sides += [*_twice_scaled(small, large, jitter), *_twice_scaled(large, small, jitter)]
    return min(sides), max(sides)


def _twice_scaled(middle: float, other: float, jitter: float) -> Iterator[int]:
    """The extreme sides of targets scaled by a factor f of one class, and by middle + other - f (docs/experiment.md 5).

    The side is rounded after each step, so these are at the ends of the factors that give the same side at first.
    """
    low, high = middle - jitter, middle + jitter
    for side in range(round(IMAGE * low), round(IMAGE * high) + 1):
        for end in (side - 0.5, side + 0.5):
            factor = min(max(end / IMAGE, low), high)
            yield round(side * (middle + other - factor))


def _leaves_canvas(scale: Mapping[str, Any], shift: float, renderings: Sequence[str] = ()) -> bool:
    """Whether an object is partly outside when it is up to ``shift`` pixels off its place."""
    side = _sides(scale, renderings)[1]
    first = round(CANVAS / 4 - shift) - side // 2
    last = _largest_rounded(3 * CANVAS / 4, shift) - side // 2 + side
    return first < 0 or last > CANVAS


def _too_small(scale: Mapping[str, Any], renderings: Sequence[str] = ()) -> bool:
    return _sides(scale, renderings)[0] < CUTS


def _poses(block: str, renderings: str = "") -> list[tuple[str, Callable[..., object], str]]:
    """The rules about the poses of objects in a block; ``renderings`` is the key of perturbations."""
    return [
        (
            f"{block}.scale",
            lambda scale: scale["small"] >= scale["large"],
            "small ({0[small]}) is not less than large ({0[large]})",
        ),
        (
            f"{block}.scale {renderings}",
            _too_small,
            f"some objects are too few pixels to be cut into {CUTS} x {CUTS} blocks: "
            "make small larger, or jitter smaller",
        ),
        (
            f"{block}.scale {block}.location.jitter {renderings}",
            _leaves_canvas,
            f"some objects leave the canvas of {CANVAS} x {CANVAS} pixels: "
            f"make large, jitter or {block}.location.jitter ({{1}}) smaller",
        ),
        (
            f"{block}.orientation",
            lambda orientation: orientation["jitter"] >= orientation["angle"],
            "jitter ({0[jitter]}) is not less than angle ({0[angle]})",
        ),
        (
            f"{block}.orientation",
            lambda orientation: orientation["jitter"] + orientation["angle"] >= 180,
            "angle and jitter ({0[angle]} + {0[jitter]}) make half a turn: make them smaller",
        ),
    ]


def without_match(interactions: Sequence[str], block: Network) -> list[str]:
    """Those of ``interactions`` for which :func:`recurrence.costs.block_of` finds no widths."""
    missing = []
    for interaction in interactions:
        try:
            block_of(interaction, block)
        except ValueError:
            missing.append(interaction)
    return missing


# The keys, what their values must not do, and the message about the first key.
RULES: list[tuple[str, Callable[..., object], str]] = [
    (
        "run.checkpoints run.interactions",
        lambda files, interactions: {name for name in files if files[name]} - {*interactions},
        "some are for an interaction that is not in run.interactions ({1}): add it there, or give []",
    ),
    (
        "run.checkpoints run.instances",
        lambda files, instances: any(len(some) not in (0, instances) for some in files.values()),
        "each list needs as many files as run.instances ({1}), or none",
    ),
    (
        "data.pair.second.name data.pair.first.name",
        operator.eq,
        "{0} is the first dataset too: give two datasets",
    ),
    (
        "data.source data.pair.first.name data.pair.second.name",
        lambda source, *names: source == "sample" and not {*names} <= {*SAMPLED},
        f"the sample has only {' and '.join(SAMPLED)}, not {{1}} and {{2}}: give full",
    ),
    (
        "data.validation data.source",
        lambda images, source: source == "sample" and images >= SAMPLE_IMAGES,
        f"{{0}} of the sample's {SAMPLE_IMAGES} images leave none to train on: give less",
    ),
    (
        "data.folder data.source",
        lambda path, source: source == "sample" and posixpath.normpath(path) == FULL_FOLDER,
        "{0} is for the full data, not the sample: give another folder, such as data/sample",
    ),
    (
        "network.timesteps run.interactions",
        lambda timesteps, interactions: timesteps == 1 and not {*interactions} <= {*FEEDFORWARD},
        "one timestep has no recurrence: give 2 or more, or set run.interactions to [feedforward]",
    ),
    (
        "network.lateral network.topdown run.interactions",
        lambda lateral, topdown, names: not (lateral or topdown or {*names} <= {*FEEDFORWARD}),
        "nothing is recurrent without it and network.topdown: add some, or set run.interactions to "
        "[feedforward]",
    ),
    (
        "run.interactions network",
        lambda names, network: without_match(names, Network.model_validate(network)),
        "no wider layers match a recurrent network within 1 %: take the matched controls out, "
        "or make network.channels and network.units larger",
    ),
    (
        "training.warmup training.cooldown training.iterations",
        lambda warmup, cooldown, iterations: warmup + cooldown > iterations,
        "{0} and training.cooldown ({1}) are more than training.iterations ({2}): give less",
    ),
    *(
        (
            f"{key} training.iterations",
            operator.gt,
            "{0} is more than training.iterations ({1}): give less",
        )
        for key in ("training.curriculum", "training.validate_every")
    ),
    (
        "record.scenes decoding.repeats decoding.scenes",
        lambda recorded, repeats, scenes: recorded < repeats * scenes,
        "{0} are fewer than decoding.repeats x decoding.scenes ({1} x {2}): give more",
    ),
    (
        "scenes.shard record.scenes",
        lambda shard, recorded: SHARDS * shard < recorded,
        f"record.scenes ({{1}}) are more than {SHARDS} files of {{0}}: give more",
    ),
    (
        "scenes.shard decoding.scene_repeats decoding.scenes",
        lambda shard, repeats, scenes: SHARDS * shard < repeats * scenes,
        "decoding.scene_repeats x decoding.scenes ({1} x {2}) are more than "
        f"{SHARDS} files of {{0}}: give more",
    ),
    (
        "decoding.fit decoding.scenes",
        operator.ge,
        "{0} of decoding.scenes ({1}) leave none to score: give less",
    ),
    (
        "decoding.sources decoding.images",
        lambda sources, images: sources == ["recurrent_flow"] and images == ["clean"],
        "recurrent flow is recorded on cluttered images only: add activation",
    ),
    (
        "decoding.sources run.interactions",
        lambda sources, names: sources == ["recurrent_flow"] and {*names} <= {*FEEDFORWARD},
        "feedforward networks have no recurrent flow: add activation",
    ),
    (
        "decoding.connections decoding.sources decoding.images",
        lambda wanted, sources, images: (
            wanted and not ("recurrent_flow" in sources and "cluttered" in images)
        ),
        "it is about the recurrent flow on cluttered images: add recurrent_flow to decoding.sources "
        "and cluttered to decoding.images, or give false",
    ),
    *_poses("scenes"),
    *_poses("perturbation", "perturbation.renderings"),
]

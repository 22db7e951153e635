"""Rules about several keys. Each rule gets their values and yields what is wrong with the first key, if anything."""

import functools
import math
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from recurrence.names import CANVAS, CUTS, IMAGE

FULL_FOLDER = "data"  # where the default run keeps the full data
SAMPLE_IMAGES = 800  # to train on, of each dataset in tests/sample
SHARDS = 100  # at most, as the names of files of test scenes have two digits

Rule = Callable[..., Iterator[str]]
_RULES: list[tuple[tuple[str, ...], Rule]] = []


def conflicts(config: Any, wrong: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Keys of ``config`` that break a rule, and how. Rules about keys that are already ``wrong`` are skipped."""
    for keys, rule in _RULES:
        if not any(_overlap(key, other) for key in keys for other in wrong):
            yield from ((keys[0], text) for text in rule(*(value_of(config, key) for key in keys)))


def value_of(config: Any, key: str) -> Any:
    """The value at a dotted key."""
    return functools.reduce(lambda block, name: block[name], key.split("."), config)


def _overlap(one: str, other: str) -> bool:
    """Whether two keys are the same, or one is inside the other; the empty key is everything."""
    return not other or f"{one}.".startswith(f"{other}.") or other.startswith(f"{one}.")


def _together(*keys: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        _RULES.append((keys, rule))
        return rule

    return register


@_together("run.checkpoints", "run.interactions", "run.instances")
def _checkpoints(files: Mapping[str, Any], interactions: list[str], count: int) -> Iterator[str]:
    for name, number in ((name, len(paths)) for name, paths in files.items() if paths):
        if name not in interactions:
            other = f"add it there, or set run.checkpoints.{name} to []"
            yield f"{name} has some and is not in run.interactions: {other}"
        elif number != count:
            other = f"give as many, or set run.instances to {number}"
            yield f"{name} has {number} and run.instances is {count}: {other}"


@_together("data.validation", "data.source")
def _images_to_train_on(validation: int, source: str) -> Iterator[str]:
    if source == "sample" and validation >= SAMPLE_IMAGES:
        left = f"{validation} of the sample's {SAMPLE_IMAGES} images leave none to train on"
        yield f"{left}: give less, such as 100"


@_together("data.folder", "data.source")
def _own_folder(folder: str, source: str) -> Iterator[str]:
    if source == "sample" and posixpath.normpath(folder) == FULL_FOLDER:
        what = f"{folder} is for the full data, which the sample would replace"
        yield f"{what}: give another, such as data/sample"


@_together("network.timesteps", "run.interactions")
def _time_to_recur(timesteps: int, interactions: list[str]) -> Iterator[str]:
    if timesteps == 1 and interactions != ["feedforward"]:
        other = "give 2 or more, or set run.interactions to [feedforward]"
        yield f"at one timestep there is no recurrence: {other}"


@_together("network.lateral", "network.topdown", "run.interactions")
def _connections(lateral: list[str], topdown: list[str], interactions: list[str]) -> Iterator[str]:
    if not lateral and not topdown and interactions != ["feedforward"]:
        other = "name some, or set run.interactions to [feedforward]"
        yield f"without it and network.topdown nothing is recurrent: {other}"


@_together("training.warmup", "training.cooldown", "training.iterations")
def _peak(warmup: int, cooldown: int, iterations: int) -> Iterator[str]:
    if warmup + cooldown > iterations:
        both = f"{warmup} and training.cooldown ({cooldown})"
        yield f"{both} are more than training.iterations ({iterations}): give less"


@_together("training.curriculum", "training.iterations")
@_together("training.validate_every", "training.iterations")
def _within_the_training(number: int, iterations: int) -> Iterator[str]:
    if number > iterations:
        yield f"{number} is more than training.iterations ({iterations}): give less"


@_together("record.scenes", "decoding.repeats", "decoding.scenes")
def _recorded_for_decoding(recorded: int, repeats: int, scenes: int) -> Iterator[str]:
    if repeats * scenes > recorded:
        needed = f"decoding.repeats x decoding.scenes ({repeats} x {scenes})"
        other = f"give {repeats * scenes} or more, or decode less"
        yield f"{recorded} are too few for {needed}: {other}"


@_together("scenes.shard", "record.scenes", "decoding.scene_repeats", "decoding.scenes")
def _names_of_shards(shard: int, recorded: int, repeats: int, scenes: int) -> Iterator[str]:
    needed = max(recorded, repeats * scenes)
    if needed > SHARDS * shard:
        other = f"decoding.scene_repeats x decoding.scenes ({repeats} x {scenes})"
        files = f"{SHARDS} files of record.scenes ({recorded}) or of {other}"
        yield f"{shard} to a file make more than {files}: give {-(-needed // SHARDS)} or more"


@_together("figures.examples", "record.scenes", "scenes.shard")
def _examples(examples: int, recorded: int, shard: int) -> Iterator[str]:
    if examples > min(recorded, shard):
        there = f"record.scenes ({recorded}) or scenes.shard ({shard})"
        yield f"{examples} are more than {there}: give less"


@_together("decoding.fit", "decoding.scenes")
def _scenes_to_score(fit: int, scenes: int) -> Iterator[str]:
    if fit >= scenes:
        left = f"{fit} of decoding.scenes ({scenes}) leave none to score"
        yield f"{left}: give less, such as {scenes * 4 // 5}"


@_together("decoding.sources", "decoding.images", "run.interactions")
def _read_outs(sources: list[str], images: list[str], interactions: list[str]) -> Iterator[str]:
    if sources == ["recurrent_flow"] and images == ["clean"]:
        other = "add activation, or cluttered to decoding.images"
        yield f"the flow is recorded on cluttered images only: {other}"
    elif sources == ["recurrent_flow"] and interactions == ["feedforward"]:
        yield "feedforward networks have no recurrent flow: add activation"


def _largest_rounded(middle: float, jitter: float) -> int:
    """The largest ``rint(middle + jitter * u)``, u in [-1, 1)."""
    return math.ceil(middle + jitter - 0.5) if jitter else round(middle)


def _sides(small: float, large: float, jitter: float, renderings: Sequence[str]) -> tuple[int, int]:
    """The smallest and the largest side of objects in pixels (docs/experiment.md 1).

    Compounded targets are scaled by a factor f, and again by small + large - f (docs/experiment.md 5): least where f is
    extreme, most where it is next to the middle of both classes.
    """
    sides = [round(IMAGE * (small - jitter)), _largest_rounded(IMAGE * large, IMAGE * jitter)]
    if "compounded" in renderings:
        middle = (small + large) / 2
        inner = (min(small + jitter, middle), max(large - jitter, middle))
        factors = (small - jitter, *inner, large + jitter)
        sides += [round(round(IMAGE * f) * (small + large - f)) for f in factors]
    return min(sides), max(sides)


@_together("scenes.scale", "scenes.location.jitter")
@_together("perturbation.scale", "perturbation.location.jitter", "perturbation.renderings")
def _objects(
    scale: Mapping[str, Any], shift: float, renderings: list[str] | None = None
) -> Iterator[str]:
    small, large = scale["small"], scale["large"]
    smallest, largest = _sides(small, large, scale["jitter"], renderings or [])
    first = round(CANVAS / 4 - shift) - largest // 2
    last = _largest_rounded(3 * CANVAS / 4, shift) - largest // 2 + largest
    if small >= large:
        yield f"small ({small}) is not less than large ({large}): give a smaller small"
    elif smallest < CUTS:
        what = f"objects are down to {max(0, smallest)} pixels"
        other = "give a larger small, or less jitter"
        yield f"{what}, too few to be cut into {CUTS} x {CUTS} blocks: {other}"
    elif first < 0 or last > CANVAS:
        what = f"objects of up to {largest} pixels, up to {shift} pixels off their places"
        other = "give a smaller large, or less jitter here or in location"
        yield f"{what}, leave the canvas of {CANVAS} x {CANVAS}: {other}"


@_together("scenes.orientation")
@_together("perturbation.orientation")
def _orientations_differ(orientation: Mapping[str, Any]) -> Iterator[str]:
    angle, jitter = orientation["angle"], orientation["jitter"]
    if jitter >= angle:
        yield f"jitter ({jitter}) is not less than angle ({angle}): give less jitter"
    elif angle + jitter >= 180:
        yield f"angle and jitter ({angle} + {jitter}) make half a turn: give less"

"""The configuration, checked before anything runs: all problems at once, and what to do.

``workflow/schemas/config.schema.yaml`` says what each key may be; the rules below say what keys
must be to each other.
"""

import difflib
import functools
import math
import os
import posixpath
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators

SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "config.schema.yaml"
CANVAS, SOURCE, CUTS = 100, 28, 3  # as in the modules that paint, which are too slow to import
FULL_FOLDER = "data"  # where the default run keeps the full data
SAMPLE_IMAGES = 800  # to train on, of each dataset in tests/sample
SHOWN = 60  # characters of a value in a message
SHARDS = 100  # at most: the files of test scenes are named by two digits

Schema = Mapping[str, Any]
Block = Mapping[str, Any]


class ConfigurationError(ValueError):
    """A configuration that can't be run; the message has one line a problem."""


def check(config: Mapping[str, Any]) -> None:
    """Raise :class:`ConfigurationError` if ``config`` (config.yaml and its overlays) can't be run.

    Its message has one line for each key that is wrong, with the value given and what to do.
    """
    root = _schema()
    found: dict[str, str] = {}
    for error in _Validator(root).iter_errors(config):
        for key, problem in _problems(error, config, root):
            found.setdefault(key, problem)
    broken = tuple(found)
    for keys, rule in _RULES:
        if any(_overlap(key, other) for key in keys for other in broken):
            continue
        if conflict := rule(*(_value(config, key) for key in keys)):
            found.setdefault(keys[0], conflict)
    lines = [
        f"  {_one_line(key) or 'all of it'}: {problem}" for key, problem in found.items() if problem
    ]
    if lines:
        count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
        head = f"the configuration has {count} (all keys: workflow/schemas/config.schema.yaml)"
        raise ConfigurationError("\n".join([head, *lines]))


def _one_line(key: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in key)


def _overlap(one: str, other: str) -> bool:
    """Whether one key is the other or a part of it; the empty key is everything."""
    return not other or f"{one}.".startswith(f"{other}.") or other.startswith(f"{one}.")


def _value(config: Any, key: str) -> Any:
    return functools.reduce(lambda block, name: block[name], key.split("."), config)


# --- one key by itself ---------------------------------------------------------------------------


def _is_integer(_: Any, value: object) -> bool:
    """Neither true nor 1000.0, which JSON schema takes for an integer and ``range`` does not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: Any, value: object) -> bool:
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


_Validator = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


@functools.cache
def _schema() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    schema: dict[str, Any] = yaml.load(SCHEMA.read_text(encoding="utf-8"), loader)
    return schema


def _problems(error: ValidationError, config: Any, root: Schema) -> Iterator[tuple[str, str]]:
    """The keys that a validation error is about, with what is wrong and what to do.

    A key that is missing because it is misspelt has an empty text: the misspelt one tells all.
    """
    # An item of a list is a problem of the list.
    path = [step for step in error.absolute_path if isinstance(step, str)]
    schema, value = root, config
    for step in path:
        schema, value = schema["properties"][step], value[step]
    within = "".join(f"{step}." for step in path)
    match error.validator:
        case "required":
            unknown = [name for name in value if name not in schema["properties"]]
            misspelt = {_most_similar(name, schema["properties"]) for name in unknown}
            for name in schema["required"]:
                if name not in value:
                    wanted = _wanted(schema["properties"][name])
                    yield within + name, "" if name in misspelt else f"is missing: give {wanted}"
        case "additionalProperties":
            for name in value:
                if name not in schema["properties"]:
                    advice = _right_key(name, schema, root)
                    yield f"{within}{name}", f"there is no such key: {advice}"
        case _:
            yield ".".join(path), _refusal(value, schema)


def _most_similar(name: object, names: Any) -> str | None:
    return next(iter(difflib.get_close_matches(str(name).lower(), names, n=1)), None)


def _right_key(name: object, schema: Schema, root: Schema) -> str:
    """What to write for an unknown key: the same of another block, or a similar one of its own."""
    if elsewhere := [key for key in _keys(root) if key.split(".")[-1] == name]:
        return f"did you mean {' or '.join(elsewhere)}?"
    if similar := _most_similar(name, schema["properties"]):
        return f'did you mean "{similar}"?'
    return f"take it out, or choose one of {', '.join(schema['properties'])}"


def _keys(schema: Schema, within: str = "") -> Iterator[str]:
    for name, part in schema.get("properties", {}).items():
        yield within + name
        yield from _keys(part, f"{within}{name}.")


def _refusal(value: object, schema: Schema) -> str:
    is_text = isinstance(value, str) and bool({"integer", "number"} & set(_types(schema)))
    got = f"got {_shown(value)}{', which is text to YAML' if is_text else ''}"
    for meant, text in _corrections(value, schema):
        if len(text) <= SHOWN and _Validator(schema).is_valid(meant):
            return f"{got}: write {text}{' without quotes' if text == value else ''}"
    return f"{got}: give {_wanted(schema)}"


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)


def _corrections(value: object, schema: Schema) -> Iterator[tuple[object, str]]:
    """What a wrong value may have been meant to be, and how that is written."""
    if isinstance(value, str):
        if value.strip().lower() in ("none", "null", "off"):
            yield None, "null"
        try:
            number = float(value)
        except ValueError:
            pass
        else:
            if number.is_integer():
                yield int(number), str(int(number))
            yield number, _yaml_number(value)
        if similar := _most_similar(value, map(str, schema.get("enum", []))):
            yield similar, similar
    if isinstance(value, float) and value.is_integer():
        yield int(value), str(int(value))
    if isinstance(value, int | float | date) and not isinstance(value, bool):
        yield str(value), f'"{value}"'
    if "enum" in schema.get("items", {}):
        items = value if isinstance(value, list) else [value]
        names = schema["items"]["enum"]
        meant = list(dict.fromkeys(_most_similar(item, names) for item in items))
        yield meant, f"[{', '.join(map(str, meant))}]"


def _yaml_number(text: str) -> str:
    """A number that Python reads, such as 1e-3, as YAML 1.1 reads it: 1.0e-3."""
    mantissa, e, exponent = text.strip().lower().partition("e")
    mantissa = mantissa if "." in mantissa or not e else f"{mantissa}.0"
    sign = "" if not e or exponent.startswith(("+", "-")) else "+"
    return f"{mantissa}{e}{sign}{exponent}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a block"
        case date():
            return f"the date {value}"
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _wanted(schema: Schema) -> str:
    """The values that a schema allows, in words."""
    if "title" in schema:
        return str(schema["title"])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    match _types(schema):
        case ["object"]:
            return f"a block with the keys {', '.join(schema['properties'])}"
        case ["array"]:
            number = "one or more" if schema.get("minItems") else "none or more"
            return f"a list, each once, of {number} of {', '.join(schema['items']['enum'])}"
        case ["integer" | "number" as kind, *others]:
            words = "a whole number" if kind == "integer" else "a number"
            limits = {
                "minimum": "from",
                "exclusiveMinimum": "above",
                "maximum": "to",
                "exclusiveMaximum": "below",
            }
            bounds = [f"{word} {schema[name]}" for name, word in limits.items() if name in schema]
            return " ".join([words, *bounds]) + "".join(f", or {other}" for other in others)
    raise AssertionError(f"the schema {schema} says too little")


# --- keys together -------------------------------------------------------------------------------

Rule = Callable[..., str | None]
_RULES: list[tuple[tuple[str, ...], Rule]] = []


def _together(*keys: str) -> Callable[[Rule], Rule]:
    """Register a rule; it gets the values of ``keys`` and tells what is wrong with the first."""

    def register(rule: Rule) -> Rule:
        _RULES.append((keys, rule))
        return rule

    return register


@_together("run.checkpoints", "run.interactions", "run.instances")
def _checkpoints_for_all_instances(
    checkpoints: Block, interactions: list[str], instances: int
) -> str | None:
    for interaction, files in checkpoints.items():
        if files and interaction not in interactions:
            return (
                f"{interaction} has some and is not in run.interactions: "
                f"add it there, or set run.checkpoints.{interaction} to []"
            )
        if files and len(files) != instances:
            return (
                f"{interaction} has {len(files)} and run.instances is {instances}: give as many, "
                f"or set run.instances to {len(files)}"
            )
    return None


@_together("data.validation", "data.source")
def _images_to_train_on(validation: int, source: str) -> str | None:
    if source == "sample" and validation >= SAMPLE_IMAGES:
        return (
            f"{validation} of the sample's {SAMPLE_IMAGES} images leave none to train on: "
            "give less, such as 100"
        )
    return None


@_together("data.folder", "data.source")
def _own_folder(folder: str, source: str) -> str | None:
    if source == "sample" and posixpath.normpath(folder) == FULL_FOLDER:
        return (
            f"{folder} is for the full data, which the sample would replace: "
            "give another, such as data/sample"
        )
    return None


@_together("network.timesteps", "run.interactions")
def _time_to_recur(timesteps: int, interactions: list[str]) -> str | None:
    if timesteps == 1 and interactions != ["feedforward"]:
        return (
            "at one timestep there is no recurrence: give 2 or more, "
            "or set run.interactions to [feedforward]"
        )
    return None


@_together("network.lateral", "network.topdown", "run.interactions")
def _recurrent_connections(
    lateral: list[str], topdown: list[str], interactions: list[str]
) -> str | None:
    if not lateral and not topdown and interactions != ["feedforward"]:
        return (
            "without it and network.topdown nothing is recurrent: name some, "
            "or set run.interactions to [feedforward]"
        )
    return None


@_together("training.warmup", "training.cooldown", "training.iterations")
def _warmup_ends(warmup: int, cooldown: int, iterations: int) -> str | None:
    if warmup + cooldown > iterations:
        return (
            f"{warmup} and training.cooldown ({cooldown}) are more than training.iterations "
            f"({iterations}): give less"
        )
    return None


@_together("training.curriculum", "training.iterations")
def _curriculum_ends(curriculum: int, iterations: int) -> str | None:
    if curriculum > iterations:
        return f"{curriculum} is more than training.iterations ({iterations}): give less"
    return None


@_together("training.validate_every", "training.iterations")
def _validates(every: int, iterations: int) -> str | None:
    if every > iterations:
        return f"{every} is more than training.iterations ({iterations}): give less"
    return None


@_together("record.scenes", "decoding.repeats", "decoding.scenes")
def _recorded_for_decoding(recorded: int, repeats: int, scenes: int) -> str | None:
    if repeats * scenes > recorded:
        return (
            f"{recorded} are too few for decoding.repeats x decoding.scenes "
            f"({repeats} x {scenes}): give {repeats * scenes} or more, or decode less"
        )
    return None


@_together("scenes.shard", "record.scenes", "decoding.scene_repeats", "decoding.scenes")
def _shards_have_names(shard: int, recorded: int, repeats: int, scenes: int) -> str | None:
    needed = max(recorded, repeats * scenes)
    if needed > SHARDS * shard:
        return (
            f"{shard} to a file make more than {SHARDS} files of record.scenes ({recorded}) or of "
            f"decoding.scene_repeats x decoding.scenes ({repeats} x {scenes}): "
            f"give {-(-needed // SHARDS)} or more"
        )
    return None


@_together("figures.examples", "record.scenes", "scenes.shard")
def _examples_are_recorded(examples: int, recorded: int, shard: int) -> str | None:
    if examples > min(recorded, shard):
        return (
            f"{examples} are more than record.scenes ({recorded}) or scenes.shard ({shard}): "
            "give less"
        )
    return None


@_together("decoding.fit", "decoding.scenes")
def _scenes_to_score(fit: int, scenes: int) -> str | None:
    if fit >= scenes:
        return (
            f"{fit} of decoding.scenes ({scenes}) leave none to score: "
            f"give less, such as {scenes * 4 // 5}"
        )
    return None


@_together("decoding.sources", "decoding.images", "run.interactions")
def _something_to_decode(
    sources: list[str], images: list[str], interactions: list[str]
) -> str | None:
    if sources == ["recurrent_flow"]:
        if images == ["clean"]:
            return (
                "the flow is recorded on cluttered images only: add activation, "
                "or cluttered to decoding.images"
            )
        if interactions == ["feedforward"]:
            return "feedforward networks have no recurrent flow: add activation"
    return None


def _largest_rounded(middle: float, jitter: float) -> int:
    """The largest ``rint(middle + jitter * u)``, u in [-1, 1)."""
    return math.ceil(middle + jitter - 0.5) if jitter else round(middle)


def _sides(small: float, large: float, jitter: float, renderings: Sequence[str]) -> tuple[int, int]:
    """The smallest and the largest side of objects in pixels (SPEC 1).

    Compounded targets are scaled by a factor f, and again by small + large - f (SPEC 5): least
    where f is extreme, most where it is next to the middle of both classes.
    """
    sides = [round(SOURCE * (small - jitter)), _largest_rounded(SOURCE * large, SOURCE * jitter)]
    if "compounded" in renderings:
        middle = (small + large) / 2
        inner = (min(small + jitter, middle), max(large - jitter, middle))
        factors = (small - jitter, *inner, large + jitter)
        sides += [round(round(SOURCE * f) * (small + large - f)) for f in factors]
    return min(sides), max(sides)


@_together("scenes.scale", "scenes.location")
@_together("perturbation.scale", "perturbation.location", "perturbation.renderings")
def _objects_fit(scale: Block, location: Block, renderings: Sequence[str] = ()) -> str | None:
    small, large, jitter = scale["small"], scale["large"], scale["jitter"]
    if small >= large:
        return f"small ({small}) is not less than large ({large}): give a smaller small"
    smallest, largest = _sides(small, large, jitter, renderings)
    if smallest < CUTS:
        return (
            f"objects are down to {max(0, smallest)} pixels, too few to be cut into "
            f"{CUTS} x {CUTS} blocks: give a larger small, or less jitter"
        )
    first = round(CANVAS / 4 - location["jitter"]) - largest // 2
    last = _largest_rounded(3 * CANVAS / 4, location["jitter"]) - largest // 2 + largest
    if first < 0 or last > CANVAS:
        return (
            f"objects of up to {largest} pixels, up to {location['jitter']} pixels off their "
            f"places, leave the canvas of {CANVAS} x {CANVAS}: "
            "give a smaller large, or less jitter here or in location"
        )
    return None


@_together("scenes.orientation")
@_together("perturbation.orientation")
def _orientations_differ(orientation: Block) -> str | None:
    angle, jitter = orientation["angle"], orientation["jitter"]
    if jitter >= angle:
        return f"jitter ({jitter}) is not less than angle ({angle}): give less jitter"
    if angle + jitter >= 180:
        return f"angle and jitter ({angle} + {jitter}) make half a turn: give less"
    return None


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """What Snakemake makes of two config files, ``above`` the later: blocks are merged, all else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        inner = isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        merged[key] = overlaid(below[key], value) if inner else value
    return merged


def in_order(value: Any) -> Any:
    """The same values with the keys of all blocks sorted: Snakemake holds other orders for other parameters."""
    if isinstance(value, Mapping):
        return {key: in_order(value[key]) for key in sorted(value)}
    return value


def require_writable(*folders: str) -> None:
    """Raise :class:`ConfigurationError` that names the first folder in which no file can be made."""
    for folder in folders:
        try:
            os.makedirs(folder, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise ConfigurationError(
                f"nothing can be written in the folder {folder} ({error.strerror}): "
                "make it writable, or run a copy of the project elsewhere"
            ) from None

"""The configuration, checked before anything runs: every problem at once, one line a key, with what to do.

``workflow/schemas/config.schema.yaml`` says what each key may be; the rules below say what keys must be to each other.
"""

import difflib
import functools
import math
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators

SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "config.schema.yaml"
CANVAS, SOURCE, POOL = 100, 28, 3  # pixels; the modules that draw and pool are too slow to import here
SAMPLE_IMAGES = 800  # for training, of each dataset in tests/sample
FULL_FOLDER = "data"  # where the default run keeps all images
SHARDS = 100  # files of test scenes, which are named by two digits

Schema = Mapping[str, Any]


class ConfigurationError(ValueError):
    """The configuration can't be run; the message has one line a problem."""


def check(config: Mapping[str, Any]) -> None:
    """Raise :class:`ConfigurationError` with all that is wrong with a configuration (config.yaml and its overlays)."""
    schema = _schema()
    found: dict[str, str] = {}  # key -> what is wrong
    for error in _Validator(schema).iter_errors(config):
        for key, problem in _problems(error, schema):
            found.setdefault(key, problem)
    broken = tuple(found)
    for rule in _RULES:
        if not any(_touches(key, bad) for key in rule.keys for bad in broken):
            problem = rule.problem(*(_value(config, key) for key in rule.keys))
            if problem:
                found.setdefault(rule.keys[0], problem)
    if found:
        count = "a problem" if len(found) == 1 else f"{len(found)} problems"
        head = f"the configuration has {count} (workflow/schemas/config.schema.yaml describes every key):"
        lines = [f"  {key or 'all of it'}: {problem}" for key, problem in found.items()]
        raise ConfigurationError("\n".join([head, *lines]))


def _touches(key: str, broken: str) -> bool:
    """Whether a problem with ``broken`` is one with ``key``, or with a block that it is in, or with a part of it."""
    return not broken or f"{key}.".startswith(f"{broken}.") or broken.startswith(f"{key}.")


def _value(config: Any, key: str) -> Any:
    return functools.reduce(lambda block, name: block[name], key.split("."), config)


# --- one key by itself ---------------------------------------------------------------------------


def _is_integer(_: Any, value: object) -> bool:
    """Neither true nor 1000.0, which JSON schema takes for an integer and ``range`` does not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: Any, value: object) -> bool:
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


_Validator = validators.extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number}),
)


@functools.cache
def _schema() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    schema: dict[str, Any] = yaml.load(SCHEMA.read_text(encoding="utf-8"), loader)
    return schema


def _problems(error: ValidationError, root: Schema) -> Iterator[tuple[str, str]]:
    """The keys that a validation error is about, and for each what is wrong and what to do."""
    path, schema, value = [*error.absolute_path], error.schema, error.instance
    if isinstance(path[-1] if path else None, int):  # an item: its list is the key
        assert error.parent is None
        path.pop()
        schema, value = _lookup(root, path), _ListWith(error.instance)
    key = ".".join(map(str, path))
    within = f"{key}." if key else ""
    match error.validator:
        case "required":
            unknown = [str(name) for name in value if name not in schema["properties"]]
            for name in schema["required"]:
                # A misspelt key is told of once, as what it is.
                if name not in value and not any(_similar(other, schema["properties"]) == name for other in unknown):
                    yield within + name, f"is missing: give {_wanted(schema['properties'][name])}"
        case "additionalProperties":
            for name in value:
                if name not in schema["properties"]:
                    yield within + str(name), f"there is no such key: {_right_key(str(name), schema, root)}"
        case _:
            yield key, _refusal(value, schema)

"""Check the configuration before any job starts: all problems at once, one line for each key, with what to do."""

import difflib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from recurrence.configuration.blocks import Block, Configuration
from recurrence.configuration.rules import value_of

SHOWN = 60  # characters of a value in a message
UNKNOWN = ("extra_forbidden", "invalid_key")  # pydantic's names for unknown keys


class ConfigurationError(ValueError):
    """A configuration that can't be run. The message has one line for each problem."""


def check(config: Any, files: Iterable[str | Path] = ()) -> Configuration:
    """Read ``config`` (config.yaml with all overlays) as typed blocks.

    Raises :class:`ConfigurationError` if it can't be run, or if one of its ``files`` has a key twice. The message has
    one line for each wrong key, with its value and what to do.
    """
    lines = [line for file in files for line in _given_twice(Path(file))]
    try:
        checked = Configuration.model_validate(config)
    except ValidationError as error:
        problems: dict[str, str] = {}
        for each in error.errors(include_url=False):
            key, problem = _worded(dict(each), config)
            problems.setdefault(key, problem)
        lines += [
            f"{_one_line(key) or 'all of it'}: {text}" for key, text in problems.items() if text
        ]
    if lines:
        count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
        head = f"the configuration has {count} (all keys: docs/configuration.md)"
        raise ConfigurationError("\n  ".join([head, *lines]))
    return checked


def _one_line(key: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in key)


def _worded(error: dict[str, Any], config: Any) -> tuple[str, str]:
    """The key that an error is about, and a text: what is wrong, and what to do.

    The text is empty for a key that is missing because it is misspelt: the line of the misspelt key is enough.
    """
    kind, loc = error["type"], error["loc"]
    if kind not in UNKNOWN:  # a problem of an item is a problem of its list
        loc = tuple(step for step in loc if isinstance(step, str))
    key = ".".join(map(str, loc))
    if kind == "rule":
        return key, str(error["msg"])
    if not loc:
        return key, f"got {_shown(config)}: give {_keys_of(Configuration)}"
    owner: type[Block] = Configuration
    for step in loc[:-1]:
        owner = block_of(owner.model_fields[str(step)]) or owner
    name, fields = str(loc[-1]), owner.model_fields
    if kind in UNKNOWN:
        return key, f"there is no such key: {_right_key(name, owner)}"
    if kind == "missing":
        others = (str(other) for other in error["input"] if other not in fields)
        misspelt = name in (_most_similar(other, fields) for other in others)
        return key, "" if misspelt else f"is missing: give {wanted(owner, name)}"
    return key, _refusal(value_of(config, key), owner, name)


def block_of(field: FieldInfo) -> type[Block] | None:
    """The class of a key's block; None if its value is no block."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Block) else None


def _keys_of(block: type[Block]) -> str:
    return f"a block with the keys {', '.join(block.model_fields)}"


def all_keys(block: type[Block], within: str = "") -> Iterator[str]:
    """The dotted keys of a block and of the blocks inside it."""
    for name, field in block.model_fields.items():
        yield within + name
        if inner := block_of(field):
            yield from all_keys(inner, f"{within}{name}.")


def _most_similar(name: object, names: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(str(name).lower(), [*names], n=1)), None)


def _right_key(name: str, owner: type[Block]) -> str:
    """Advice for an unknown key: the same key in another block, or a similar key in the same block."""
    if elsewhere := [key for key in all_keys(Configuration) if key.split(".")[-1] == name]:
        return f"did you mean {' or '.join(elsewhere)}?"
    if similar := _most_similar(name, owner.model_fields):
        return f'did you mean "{similar}"?'
    return f"take it out, or choose one of {', '.join(owner.model_fields)}"


def schema_of(owner: type[Block], name: str) -> dict[str, Any]:
    """The JSON schema of a value that is no block. For a number or null, that of the number."""
    schema: dict[str, Any] = owner.model_json_schema()["properties"][name]
    return {**schema, **schema.get("anyOf", [{}])[0]}


def _accepts(owner: type[Block], name: str, value: object) -> bool:
    field = owner.model_fields[name]
    annotated: Any = Annotated[field.annotation, field]
    kind: TypeAdapter[Any] = TypeAdapter(annotated, config=owner.model_config)
    try:
        kind.validate_python(value)
    except ValidationError:
        return False
    return True


def _refusal(value: object, owner: type[Block], name: str) -> str:
    if block := block_of(owner.model_fields[name]):
        return f"got {_shown(value)}: give {_keys_of(block)}"
    schema = schema_of(owner, name)
    is_text = isinstance(value, str) and schema.get("type") in ("integer", "number")
    got = f"got {_shown(value)}{', which is text to YAML' if is_text else ''}"
    for meant, text in _corrections(value, schema):
        if len(text) <= SHOWN and _accepts(owner, name, meant):
            return f"{got}: write {text}{' without quotes' if text == value else ''}"
    return f"{got}: give {wanted(owner, name)}"


def _corrections(value: object, schema: Mapping[str, Any]) -> Iterator[tuple[object, str]]:
    """Values that may have been meant instead of a wrong one, and how to write them."""
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
        if similar := _most_similar(value, schema.get("enum", [])):
            yield similar, similar
    if isinstance(value, float) and value.is_integer():
        yield int(value), str(int(value))
    if isinstance(value, int | float | date) and not isinstance(value, bool):
        yield str(value), f'"{value}"'
    if names := schema.get("items", {}).get("enum"):
        items = value if isinstance(value, list) else [value]
        meant = list(dict.fromkeys(_most_similar(item, names) for item in items))
        yield meant, f"[{', '.join(map(str, meant))}]"


def _yaml_number(text: str) -> str:
    """Write a number for Python, such as 1e-3, so that YAML 1.1 reads it as a number: 1.0e-3."""
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


def wanted(owner: type[Block], name: str) -> str:
    """The allowed values of a key, in words."""
    field = owner.model_fields[name]
    if block := block_of(field):
        return _keys_of(block)
    if field.title:
        return field.title
    schema = schema_of(owner, name)
    match schema:
        case {"enum": names}:
            return f"one of {', '.join(names)}"
        case {"items": {"enum": names}}:
            number = "one or more" if schema.get("minItems") else "none or more"
            return f"a list, each once, of {number} of {', '.join(names)}"
    words = "a whole number" if schema["type"] == "integer" else "a number"
    limits = {
        "minimum": "from",
        "exclusiveMinimum": "above",
        "maximum": "to",
        "exclusiveMaximum": "below",
    }
    bounds = [f"{word} {schema[limit]}" for limit, word in limits.items() if limit in schema]
    return " ".join([words, *bounds]) + (", or null" if "anyOf" in schema else "")


# --- files and the command line ------------------------------------------------------------------


def _given_twice(file: Path) -> Iterator[str]:
    """A line for each key that a YAML file has twice. YAML itself would silently use the last."""

    def repeated(node: yaml.Node | None, within: str) -> Iterator[str]:
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                yield from repeated(item, within)
        if not isinstance(node, yaml.MappingNode):
            return
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = f"{within}{key.value}", key.start_mark.line + 1
            if name in lines:
                yield (
                    f"{name}: is given twice in {file}, in lines {lines[name]} and {line}: "
                    "join them, or take one out"
                )
            lines[name] = line
            yield from repeated(value, f"{name}.")

    if file.is_file():
        yield from repeated(yaml.compose(file.read_text("utf-8"), yaml.SafeLoader), "")


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two config files as Snakemake combines them: ``above`` replaces values of ``below``, and blocks are merged."""
    merged = dict(below)
    for key, value in above.items():
        inner = isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        merged[key] = overlaid(below[key], value) if inner else value
    return merged


def from_command_line(values: Any, owner: type[Block] = Configuration) -> Any:
    """The values of ``--config``, read as YAML would read them in a file. In blocks, Snakemake leaves them as text."""
    if not isinstance(values, Mapping):
        return values
    read = dict(values)
    for name, value in values.items():
        if not (field := owner.model_fields.get(name)):
            continue
        if block := block_of(field):
            read[name] = from_command_line(value, block)
        elif isinstance(value, str) and not _accepts(owner, name, value):
            read[name] = yaml.safe_load(value)
    return read


def require_writable(*folders: str) -> None:
    """Raise :class:`ConfigurationError`, naming the folder, if no file can be made in one of ``folders``."""
    for folder in folders:
        try:
            os.makedirs(folder, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise ConfigurationError(
                f"no file can be written in the folder {folder} ({error.strerror}): "
                "make it writable, or run a copy of the project elsewhere"
            ) from None


def require_plain_paths(python: str, folder: Path) -> None:
    """Raise :class:`ConfigurationError` if Snakemake would stumble over the path of Python or of the working directory.

    It puts the first into a shell command without quotes, and formats text that contains the second.
    """
    if re.search(r"""[\s!"#$&'()*;<>?[\\\]^`{|}~]""", python):
        raise ConfigurationError(
            f"Snakemake cannot start Python by the path {python}, for the spaces or signs in it: use "
            "an environment in a folder without these (make reproduce does that)"
        )
    if set("{}") & set(str(folder)):
        raise ConfigurationError(
            f"Snakemake cannot run in {folder}: rename the folder without {{ and }}"
        )

"""Check the configuration before anything runs: all problems at once, a line for each key, and what to do."""

import difflib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from recurrence.configuration.blocks import Block, Configuration, all_keys, block_of
from recurrence.configuration.rules import conflicts

SHOWN = 60  # characters of a value in a message
KEYS = list(all_keys(Configuration))


class ConfigurationError(ValueError):
    """A configuration that cannot be run; the message has one line for each problem."""


def check(config: Any, files: Iterable[str | Path] = ()) -> Configuration:
    """Return ``config`` (config.yaml with its overlays) as typed blocks.

    Raises :class:`ConfigurationError` if it cannot be run, or if one of its ``files`` gives a key twice. The message
    has one line for each wrong key, with what is wrong and what to do.
    """
    problems: dict[str, str] = {}
    try:
        checked = Configuration.model_validate(config)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            key, text = _worded(each)
            problems.setdefault(key, text)
    for key, text in conflicts(config, list(problems)):
        problems.setdefault(key, text)
    lines = [line for file in files for line in given_twice(Path(file))]
    lines += [f"{key or 'all of it'}: {text}" for key, text in problems.items() if text]
    if lines:
        count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
        head = f"the configuration has {count} (all keys: docs/configuration.md)"
        raise ConfigurationError("\n  ".join([head, *map(_one_line, lines)]))
    return checked


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _worded(error: ErrorDetails) -> tuple[str, str]:
    """The key that an error is about, and what is wrong with it.

    The text for a missing key is empty if another key is its misspelling: that one has the message.
    """
    kind, loc, given = error["type"], error["loc"], error["input"]
    if kind in ("extra_forbidden", "invalid_key"):
        key = ".".join(map(str, loc))
        return key, f"there is no such key: {_right_key(key)}"
    key = ".".join(step for step in loc if isinstance(step, str))  # an item's error is its list's
    if kind == "missing":
        misspelt = key in (_similar(f"{key.rpartition('.')[0]}.{other}") for other in given)
        return key, "" if misspelt else "is missing: docs/configuration.md has its default"
    message = error["msg"].removeprefix("Input ")
    if kind == "model_type":
        message = "should be a block of keys"
    elif kind in ("int_type", "float_type") and isinstance(given, str):
        message += " (to YAML this is text: write 1.0e-3 for 1e-3, and numbers without quotes)"
    elif kind == "string_type" and given is not None:
        message += " (put it in quotes)"
    return key, f"got {_shown(given)}: {message}"


def _similar(key: str) -> str | None:
    """The key of the same block that is most like an unknown one, if any is; of a known one, itself."""
    within, _, name = key.rpartition(".")
    names = [known.rpartition(".")[2] for known in KEYS if known.rpartition(".")[0] == within]
    found = difflib.get_close_matches(name.lower(), names, n=1)
    return f"{within}.{found[0]}".removeprefix(".") if found else None


def _right_key(key: str) -> str:
    """What to write for an unknown key: a key of the same name in another block, or a similar one."""
    elsewhere = [known for known in KEYS if known.split(".")[-1] == key.split(".")[-1]]
    if meant := " or ".join(elsewhere) or _similar(key):
        return f"did you mean {meant}?"
    return "take it out"


def _shown(value: object) -> str:
    yaml_words = value is None or isinstance(value, bool)
    text = json.dumps(value) if yaml_words else repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


# --- files and the command line ------------------------------------------------------------------


def given_twice(file: Path) -> Iterator[str]:
    """A line for each key that a YAML file gives twice. YAML itself keeps the last."""

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
                both = f"in lines {lines[name]} and {line}"
                yield f"{name}: is given twice in {file}, {both}: join them, or take one out"
            lines[name] = line
            yield from repeated(value, f"{name}.")

    if file.is_file():
        yield from repeated(yaml.compose(file.read_text("utf-8"), yaml.SafeLoader), "")


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """What Snakemake makes of two config files, with ``above`` the later one: only blocks are merged."""
    merged = dict(below)
    for key, value in above.items():
        inner = isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        merged[key] = overlaid(below[key], value) if inner else value
    return merged


def layered(files: Iterable[str | Path]) -> dict[str, Any]:
    """The values in config files, the later over the earlier.

    Raises :class:`ConfigurationError`, naming the file, if one cannot be read or has no keys.
    """
    values: dict[str, Any] = {}
    for file in files:
        try:
            content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            what = " ".join(str(error).split())
            raise ConfigurationError(f"{file} is not YAML (are there tabs?): {what}") from None
        if not isinstance(content, Mapping):
            raise ConfigurationError(
                f"{file} has no keys: write some, such as run: {{name: mine}} (docs/configuration.md)"
            )
        values = overlaid(values, content)
    return values


def from_command_line(values: Any, owner: type[Block] = Configuration) -> Any:
    """Read the values of ``--config`` as YAML in a file. Snakemake leaves those inside blocks as text."""
    if not isinstance(values, Mapping):
        return values
    read = dict(values)
    for name, value in values.items():
        field = owner.model_fields.get(name)
        if field and (block := block_of(field)):
            read[name] = from_command_line(value, block)
        elif field and isinstance(value, str) and field.annotation is not str:
            with suppress(yaml.YAMLError):  # else the text stays, and is refused by the key's name
                read[name] = yaml.safe_load(value)
    return read


def require_writable(*folders: str) -> None:
    """Raise :class:`ConfigurationError`, naming the first folder in which no file can be made, if there is one."""
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
    """Raise :class:`ConfigurationError` if Snakemake cannot run with this path of Python or in this folder.

    It puts the path into a shell command without quotes, and formats text that contains the folder. A colon separates
    the folders that Python looks for modules in.
    """
    if re.search(r"""[\s!"#$&'()*;<>?[\\\]^`{|}~]""", python):
        raise ConfigurationError(
            f"Snakemake cannot start Python by the path {python}, for the spaces or signs in it: use "
            "an environment in a folder without these (make reproduce does that)"
        )
    if set("{}:") & set(str(folder)):
        raise ConfigurationError(
            f"Snakemake cannot run in {folder}: rename the folder without {{, }} and :"
        )

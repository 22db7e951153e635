"""A sweep: runs that differ in one key. Write a configuration file for each, and print their names.

A sweep file has a ``key`` and its ``values``; the first one is what the others are compared with.

    python -m recurrence.sweep sweeps/timesteps.yaml config.yaml [mine.yaml ...]
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from recurrence.configuration.problems import (
    ConfigurationError,
    check,
    given_twice,
    layered,
    overlaid,
)

OVERLAY = "sweep.yaml"  # in the folder of a run's results
NAMING = ("run.name", "scenes.set", "data.folder")  # keys that a sweep sets itself


def runs(file: Path, configs: Sequence[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each run of a sweep, and the keys in which it differs from the run of the ``configs``.

    Raises :class:`ConfigurationError` if the sweep or the configuration of one of its runs is wrong.
    """
    sweep, base = layered([file]), layered(configs)
    key, values = sweep.get("key"), sweep.get("values")
    if lines := list(given_twice(file)):
        raise ConfigurationError("\n".join(lines))
    if {*sweep} != {"key", "values"} or not isinstance(key, str) or not isinstance(values, list):
        raise ConfigurationError(
            f"{file} is no sweep: write a key and its values, such as\n  key: network.timesteps\n  values: [2, 3]"
        )
    if len(values) < 2 or any(value in values[:number] for number, value in enumerate(values)):
        raise ConfigurationError(f"{file}: values should be two or more, each once")
    if "." not in key:
        raise ConfigurationError(f"{file}: {key} is no key in a block, such as network.timesteps")
    if key in NAMING:
        raise ConfigurationError(f"{file}: {key} only names things: choose another key")
    start = f"{check(base, configs).run.name}-{file.stem}"
    for number, value in enumerate(values, 1):
        name = f"{start}-{_short(value) or number}"
        overlay = overlaid({"run": {"name": name}}, _nested(key, value))
        # Files of test scenes and images are made for one set of values.
        if key.startswith("scenes.") or key == "run.seed":
            overlay = overlaid(overlay, {"scenes": {"set": name}})
        if key.startswith("data."):
            overlay = overlaid(overlay, {"data": {"folder": f"{base['data']['folder']}/{name}"}})
        try:
            check(overlaid(base, overlay))
        except ConfigurationError as error:
            raise ConfigurationError(f"{file}, {key} = {value}: {error}") from None
        yield name, overlay


def _short(value: Any) -> str:
    """A value as part of a name; empty if it cannot be."""
    text = str(value)
    return text if re.fullmatch(r"[A-Za-z0-9._-]{1,20}", text) else ""


def _nested(key: str, value: Any) -> dict[str, Any]:
    """A mapping with ``value`` at a dotted key."""
    first, _, rest = key.partition(".")
    return {first: _nested(rest, value) if rest else value}


def write(name: str, overlay: Mapping[str, Any], file: Path) -> None:
    """Write the configuration file of a run of the sweep ``file``."""
    path = Path("results", name, OVERLAY)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# made from {file} by make sweep\n{yaml.safe_dump({**overlay})}", "utf-8")


def main(words: Sequence[str]) -> None:
    """Write the files of all runs, if all are right, and print the names."""
    file, *configs = map(Path, words)
    try:
        all_runs = list(runs(file, configs))
    except ConfigurationError as error:
        sys.exit(str(error))
    for name, overlay in all_runs:
        write(name, overlay, file)
        print(name)


if __name__ == "__main__":
    main(sys.argv[1:])

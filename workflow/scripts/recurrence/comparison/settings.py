"""What a finished run was made from, as its files say: networks carry it, and each job leaves a record."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurrence.comparison.runs import FINISH, Files, RunError
from recurrence.origins import origin
from recurrence.records import differences

Network = tuple[str, int]  # interaction and instance


@dataclass(frozen=True)
class Settings:
    """What a run was made from.

    ``keys`` has the values, by the dotted keys of the configuration. ``seeds`` says what each network's random numbers
    came from: networks of two runs with equal seeds are a pair. ``made_with`` is no part of the configuration.
    """

    keys: dict[str, Any]
    seeds: dict[Network, str]
    made_with: dict[str, str]

    @classmethod
    def of(cls, files: Files) -> "Settings":
        """Read the files of a run; raises :class:`RunError` if they were made from different values."""
        keys: dict[str, dict[str, Any]] = {}  # of the networks of each interaction
        tested: dict[str, Any] = {}
        seeds: dict[Network, str] = {}
        made_with: dict[str, set[str]] = {}
        for path in files.networks:
            about = origin(path)
            interaction, instance = str(about["interaction"]), int(about["instance"])
            here = keys.setdefault(interaction, {})
            _join(here, _keys_of_network(about), path)
            for record in files.records(path):
                _join(tested, _keys_of_record(record, about, path), record)
            imported = about.get("checkpoint", {}).get("sha256")
            seeds[interaction, instance] = imported or f"{about['seed']} {interaction} {instance}"
            for what, value in _versions(about):
                made_with.setdefault(what, set()).add(value)
        merged = _merged({name: {**tested, **part} for name, part in keys.items()})
        merged["run.interactions"] = list(keys)
        merged["run.instances"] = max(instance for _, instance in seeds)
        joined = {what: ", ".join(sorted(values)) for what, values in made_with.items()}
        return cls(merged, seeds, joined)


def _keys_of_network(about: Mapping[str, Any]) -> dict[str, Any]:
    training = {**about.get("training", {}), **about.get("validation", {})}
    blocks = {key: about[key] for key in ("data", "scenes", "network") if key in about}
    run: dict[str, Any] = {"seed": about["seed"]}
    if "checkpoint" in about:
        run["checkpoints"] = "imported"
    return dict(flat({"run": run, **blocks, "training": training}))


def _keys_of_record(path: Path, about: Mapping[str, Any], network: Path) -> dict[str, Any]:
    """The keys that a job's record adds; raises :class:`RunError` if the job had another network."""
    made_from = json.loads(path.read_text())["made from"]
    shared = {
        k: made_from[k] for k in ("network", "training", "seed", "checkpoint") if k in made_from
    }
    if other := differences(about, shared):
        raise RunError(
            f"{path} is of a job with another network than {network}: {'; '.join(other)}. {FINISH}"
        )
    blocks = {k: made_from[k] for k in ("record", "decoding", "perturbation") if k in made_from}
    if tested := made_from.get("test_scenes"):
        blocks["scenes"] = {**tested["scenes"], "shard": tested["shard"]}
        blocks["data"] = tested["data"]
    return dict(flat(blocks))


def _versions(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "commit of the code", about["git_commit"]
    if "precision" in about:
        yield "trained in", about["precision"]
    yield from about["packages"].items()


def flat(block: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a nested block by their dotted keys."""
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value


def _join(keys: dict[str, Any], more: Mapping[str, Any], path: Path) -> None:
    for key, value in more.items():
        if keys.setdefault(key, value) != value:
            raise RunError(
                f"{path} was made with {key} = {value}, other files of its run with {keys[key]}. {FINISH}"
            )


def _merged(keys: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The keys of all interactions; one that differs between them is named with its interaction."""
    merged: dict[str, Any] = {}
    for key in sorted({key for part in keys.values() for key in part}):
        values = {name: part[key] for name, part in keys.items() if key in part}
        if all(value == next(iter(values.values())) for value in values.values()):
            merged[key] = next(iter(values.values()))
        else:
            merged |= {f"{key} ({name})": value for name, value in values.items()}
    return merged


def differing(runs: Sequence[Settings]) -> dict[str, list[Any]]:
    """The keys that are not the same in all runs, with the value in each; None where a run has none."""
    return _rows([run.keys for run in runs], same=False)


def shared(runs: Sequence[Settings]) -> dict[str, Any]:
    """The keys that are the same in all runs, with their values."""
    return {key: row[0] for key, row in _rows([run.keys for run in runs], same=True).items()}


def versions(runs: Sequence[Settings]) -> dict[str, list[Any]]:
    """What each run was made with."""
    parts = [run.made_with for run in runs]
    return _rows(parts, same=True) | _rows(parts, same=False)


def _rows(parts: Sequence[Mapping[str, Any]], same: bool) -> dict[str, list[Any]]:
    rows = {key: [part.get(key) for part in parts] for key in sorted(set().union(*parts))}
    return {key: row for key, row in rows.items() if same == all(value == row[0] for value in row)}

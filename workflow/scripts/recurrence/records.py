"""What each finished job was made from, in a JSON file beside its log, so that files are known without Snakemake.

Snakemake remembers in its folder ``.snakemake`` what a file was made from, and trusts a file that it does not know: one
that was copied, comes from another clone in a shared folder, or outlived that folder. This is read when the workflow
starts, so it needs nothing but the standard library.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from recurrence.machine import describe

IDENTITY = Path(".snakemake/recurrence-id")  # lies and is lost with what Snakemake remembers
NO_ORIGIN = ("code", "files", "caption", "machine", "untracked")  # parameters that are not compared
ELSEWHERE = (
    "made elsewhere, from other values than the configuration has: {}. To keep them, give this run another run.name, "
    "scenes.set or data.folder; or delete {}, which is then made anew"
)
OTHER_RUN = (
    "made for the run {}, which needs them, from other values: {{}}. Give this run another scenes.set or data.folder; "
    "or delete {{}}, which is then made anew"
)
REPLACED = "not what the job wrote: edited, or copied from elsewhere. Restore it, or delete it, and it is made anew"
VALIDATED = "trained with another validation: {}. Set it back, or delete {} to train again, which a new one needs"


def identity() -> str:
    """A random name for what Snakemake remembers in this working directory; empty if nothing can be written there."""
    try:
        IDENTITY.parent.mkdir(exist_ok=True)
        with IDENTITY.open("x") as file:
            file.write(uuid.uuid4().hex)
    except FileExistsError:
        pass
    except OSError:
        return ""
    return IDENTITY.read_text()


def remove(job: Any) -> None:
    """Remove the record of an earlier ``job`` of the same name, which the job that starts now replaces."""
    _path(job).unlink(missing_ok=True)


def _path(job: Any) -> Path:
    return Path(job.log[0]).with_suffix(".json")


def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def write(job: Any) -> None:
    """Record the finished ``job``: Snakemake's object in a script."""
    parameters = dict(job.params.items())
    record = {
        "rule": job.rule,
        "wildcards": dict(job.wildcards.items()),
        "output": list(job.output),
        "sha256": {path: _digest(path) for path in job.output if path.endswith(".csv")},
        "made from": _flat({key: parameters[key] for key in parameters if key not in NO_ORIGIN}),
        "validation": parameters.get("machine", {}).get("validation"),
        "run": job.config["run"]["name"],
        "known": identity(),
        "machine": describe(),
    }
    text = json.dumps(record, indent=1, sort_keys=True, default=str)
    _path(job).write_text(text)


def problems(
    folders: Iterable[str],
    rules: Mapping[str, Mapping[str, Any]],
    run: str,
    validation: Mapping[str, Any],
    wanted: Callable[[str, Mapping[str, str]], bool],
) -> Iterator[str]:
    """What is wrong with files that recorded jobs left, by the ``folders`` of their logs; a line a kind.

    ``rules`` has the parameters of each rule; ``wanted`` says by its rule and wildcards whether the run has a job. A
    file is wrong if it was made from other values and Snakemake will not make it again: it does not know the file, or
    another run made it and needs it. ``validation`` is that of networks, for which nothing is made again.
    """
    known = identity()
    for folder in folders:
        wrong: dict[str, dict[str, list[str]]] = {}  # files and differences, by the message
        for path in sorted(Path(folder).rglob("*.json")):
            record = _read(path)
            files = [file for file in record.get("output", []) if Path(file).exists()]
            if (
                not files
                or record["rule"] not in rules
                or not wanted(record["rule"], record["wildcards"])
            ):
                continue
            here = _evaluated(rules[record["rule"]], record["wildcards"])
            other = differences(record["made from"], here)
            tables = [file for file in files if file in record["sha256"]]
            if replaced := [file for file in tables if _digest(file) != record["sha256"][file]]:
                message, files, other = REPLACED, replaced, []
            elif other and record["known"] != known:
                message = ELSEWHERE
            elif other and record["run"] != run:
                message = OTHER_RUN.format(record["run"])
            elif not other and record["validation"] not in (None, validation):
                message = VALIDATED
                other = differences({"training": record["validation"]}, {"training": validation})
            else:
                continue
            kind = wrong.setdefault(message, {"files": [], "differences": []})
            kind["files"] += files
            kind["differences"] += [text for text in other if text not in kind["differences"]]
        for message, kind in wrong.items():
            yield _line(kind["files"], kind["differences"], message)


def _line(files: list[str], differing: list[str], message: str) -> str:
    more = f" and {len(files) - 1} other files" if len(files) > 1 else ""
    place = os.path.commonpath(files)
    return f"{files[0]}{more}: {message.format('; '.join(differing), place)}"


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):  # half-written: the job did not end
        return {}


def _evaluated(parameters: Mapping[str, Any], wildcards: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a job that are compared, as JSON has them."""
    values = {
        key: value(SimpleNamespace(**wildcards)) if callable(value) else value
        for key, value in parameters.items()
        if key not in NO_ORIGIN
    }
    return dict(json.loads(json.dumps(_flat(values))))


def _flat(parameters: dict[str, Any]) -> dict[str, Any]:
    return {**parameters.pop("made_from", {}), **parameters}


def differences(there: Mapping[str, Any], here: Mapping[str, Any], block: str = "") -> list[str]:
    """Each key of ``here`` that has another value ``there``, in words; keys of blocks are dotted."""
    differing = []
    for key, value in here.items():
        other = there.get(key)
        if isinstance(value, Mapping):
            inside = other if isinstance(other, Mapping) else {}
            differing += differences(inside, value, f"{block}{key}.")
        elif key not in there:
            differing.append(f"{block}{key} is missing there and {value} here")
        elif other != value:
            differing.append(f"{block}{key} is {other} there and {value} here")
    return differing

"""What each finished job was made from, in a JSON file beside its log, so that files are known without Snakemake.

Snakemake remembers in its folder ``.snakemake`` what a file was made from, and trusts a file that it does not know: one
that was copied, comes from another clone in a shared folder, or outlived that folder. This is read when the workflow
starts, so it needs nothing but the standard library.
"""

import hashlib
import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from recurrence.machine import describe

PROJECT = Path(__file__).resolve().parents[3]
IDENTITY = Path(".snakemake/recurrence-id")  # lies and is lost with what Snakemake remembers
NO_ORIGIN = ("code", "files", "caption", "machine", "untracked")  # parameters that are no values
FORM = {  # of a record; outputs are paths from the folder that has the logs
    "rule": str,
    "wildcards": dict,
    "folder": str,
    "output": list,
    "sha256": dict,
    "made from": dict,
    "code": str,
    "commit": str,
    "run": str,
    "known": str,
    "machine": str,
}
ELSEWHERE = (
    "made elsewhere, and not as here: {}. To keep them, give this run another run.name, scenes.set or data.folder; "
    "or delete these, and they are made anew"
)
OTHER_CODE = "made by other code of the rule {rule} (commit {commit})"
OTHER_RUN = (
    "made for the run {run}, which needs them, from other values: {{}}. Give this run another scenes.set or "
    "data.folder; or delete these, and they are made anew"
)
REPLACED = "not what the job wrote: edited, or copied from elsewhere. Restore these; or delete them to make them anew"
VALIDATED = "trained with another validation: {}. Set it back; or delete these to train again, which a new one needs"


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


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(job: Any) -> None:
    """Record the finished ``job``: Snakemake's object in a script."""
    parameters, wildcards = dict(job.params.items()), dict(job.wildcards.items())
    path = _path(job)
    folder = next(parent.parent for parent in path.parents if parent.name == "logs")
    outputs = [os.path.relpath(output, folder) for output in job.output]
    record = {
        "rule": job.rule,
        "wildcards": wildcards,
        "folder": str(folder),
        "output": outputs,
        "sha256": {file: _digest(folder / file) for file in outputs if file.endswith(".csv")},
        "made from": _values(parameters, wildcards),
        "code": parameters.get("code", ""),
        "commit": git_commit(PROJECT),
        "validation": parameters.get("machine", {}).get("validation"),
        "run": job.config["run"]["name"],
        "known": identity(),
        "machine": describe(),
    }
    path.write_text(json.dumps(record, indent=1, sort_keys=True, default=str))


def git_commit(project: Path) -> str:
    """The commit that is checked out in ``project``, followed by ``-dirty`` if a tracked file has changed since.

    ``unknown`` if ``project`` is not itself a git checkout, for example when it was unpacked inside another one.
    """
    answers = []
    environment = {k: v for k, v in os.environ.items() if k not in ("GIT_DIR", "GIT_WORK_TREE")}
    for words in ("rev-parse --show-toplevel", "describe --always --dirty --abbrev=40 --exclude=*"):
        try:
            done = subprocess.run(
                ["git", "-C", str(project), *words.split()],
                capture_output=True,
                text=True,
                check=True,
                env=environment,
            )
        except (OSError, subprocess.CalledProcessError):
            return "unknown"
        answers.append(done.stdout.rstrip("\n"))
    top, commit = answers
    return commit if Path(top).resolve() == project.resolve() else "unknown"


def read(path: Path) -> dict[str, Any]:
    """The record in a file; nothing if it cannot be read, or is not the whole record of a job."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):  # half-written: the job did not end
        return {}
    if not isinstance(record, dict):
        return {}
    fits = all(isinstance(record.get(key), kind) for key, kind in FORM.items())
    return record if fits and all(isinstance(file, str) for file in record["output"]) else {}


def problems(
    folders: Iterable[str],
    rules: Mapping[str, Mapping[str, Any]],
    run: str,
    validation: Mapping[str, Any],
    wanted: Callable[[str, Mapping[str, str]], bool],
) -> Iterator[str]:
    """What is wrong with the files of recorded jobs, by the ``folders`` that have the jobs' logs; a text a kind.

    ``rules`` has the parameters of each rule; ``wanted`` says by its rule and wildcards whether the run has a job. A
    file is wrong if it was made in another way and Snakemake will not make it again: it does not know the file, or
    another run made it and needs it. ``validation`` is that of networks, for which nothing is made again.
    """
    wrong: dict[str, tuple[list[Path], list[str]]] = {}  # files and differences, by the message
    for folder in map(Path, folders):
        for path in sorted((folder / "logs").rglob("*.json")):
            record = read(path)
            rule = rules.get(record.get("rule", ""))
            if rule is None or not wanted(record["rule"], record["wildcards"]):
                continue
            there = [file for file in record["output"] if (folder / file).exists()]
            if not there:
                continue
            message, other = _fault(record, folder, rule, run, validation)
            if replaced := _replaced(folder, there, record["sha256"]):
                message, there, other = REPLACED, replaced, []
            if message:
                files, differing = wrong.setdefault(message, ([], []))
                files += [Path(os.path.normpath(folder / file)) for file in there]
                differing += other
    for message, (files, differing) in wrong.items():
        text = message.format("; ".join(_once(differing)))
        yield "\n    ".join([f"- {text}:", *_places(files)])


def _replaced(folder: Path, files: Iterable[str], sums: Mapping[str, str]) -> list[str]:
    return [file for file in files if file in sums and _digest(folder / file) != sums[file]]


def _fault(
    record: Mapping[str, Any],
    folder: Path,
    rule: Mapping[str, Any],
    run: str,
    validation: Mapping[str, Any],
) -> tuple[str, list[str]]:
    """What is wrong with all files of a job, as a message and its differences; nothing if they fit."""
    here = json.loads(json.dumps(_values(rule, record["wildcards"])))  # as the record has it
    other = differences(record["made from"], here)
    if record["known"] != identity() or record["folder"] != str(folder):
        if record["code"] != rule.get("code", ""):
            other.append(OTHER_CODE.format(**record))
        if other:
            return ELSEWHERE, other
    elif other and record["run"] != run:
        return OTHER_RUN.format(**record), other
    if not other and record["validation"] not in (None, validation):
        return VALIDATED, differences({"training": record["validation"]}, {"training": validation})
    return "", []


def _once(differing: list[str]) -> list[str]:
    """The texts, without repetitions and without those that only name more blocks around the same key."""
    return [
        text
        for text in dict.fromkeys(differing)
        if not any(text.endswith(f".{other}") for other in differing)
    ]


def _places(files: Iterable[Path]) -> Iterator[str]:
    """What to delete, a line for each folder, as a shell understands it. A folder with nothing else is named whole."""
    wrong = set(files)

    @cache
    def is_whole(folder: Path) -> bool:
        return all(
            path in wrong for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
        )

    folders: dict[Path, dict[str, None]] = {}
    for place in files:
        while is_whole(place.parent):
            place = place.parent
        folders.setdefault(place.parent, {})[place.name] = None
    for folder, names in folders.items():
        name = next(iter(names)) if len(names) == 1 else f"{{{','.join(names)}}}"
        yield str(folder / name)


def _values(parameters: Mapping[str, Any], wildcards: Mapping[str, str]) -> dict[str, Any]:
    """The values that a job is made from, without blocks that only hold other blocks."""
    names = SimpleNamespace(**wildcards)
    values = {
        key: value(names) if callable(value) else value
        for key, value in parameters.items()
        if key not in NO_ORIGIN
    }
    return {**values.pop("made_from", {}), **values.pop("config", {}), **values}


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

"""The states that killed trainings go on from: their names, what they are of, and which are kept.

A network's states lie in its folder ``.training``, outside of the outputs that Snakemake knows and removes when a job
fails. Beside each state there is a JSON file that says what its training depends on and its iteration.

    python -m recurrence.states [--clean] config.yaml [mine.yaml ...]
"""

import argparse
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurrence.configuration.problems import check, layered
from recurrence.fingerprints import PACKAGE, fingerprint
from recurrence.origins import origin
from recurrence.records import differences
from recurrence.storage import write_text

KEPT = 3  # states of a network, the newest
SCRIPT = PACKAGE.parent / "train_network.py"


def state_file(folder: Path, shards: Iterable[str | Path], **determinants: Any) -> Path:
    """The state file in ``folder`` of the training that the images in ``shards`` and ``determinants`` fix completely.

    Raises ``ValueError`` if it is not there, but that of a training which differs only in its validation: the two have
    the same weights, but not the same curve.
    """
    determinants["images"] = [origin(path)["sha256"] for path in shards]
    text = json.dumps(determinants, sort_keys=True)
    state = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.pt"
    if not state.exists():
        for other in _states(folder):
            there = read_about(other)
            if there.pop("iteration", None) is not None:
                _refuse_other_validation(other, there, json.loads(text))
    note(state, **determinants)
    return state


def _refuse_other_validation(
    state: Path, there: Mapping[str, Any], here: Mapping[str, Any]
) -> None:
    other = differences({"training": there.get("validation")}, {"training": here.get("validation")})
    if other and {**there, "validation": 0} == {**here, "validation": 0}:
        raise ValueError(
            f"{state} is of a training with another validation: {'; '.join(other)}. Set that back to go on from there, "
            "or delete the file to train again from the start"
        )


def note(state: Path, **facts: Any) -> None:
    """Add ``facts`` about a state to the JSON file beside it."""
    write_text(
        state.with_suffix(".json"), json.dumps({**read_about(state), **facts}, sort_keys=True)
    )


def read_about(state: Path) -> dict[str, Any]:
    """What is noted about a state, nothing if that file is missing or damaged."""
    try:
        return dict(json.loads(state.with_suffix(".json").read_text()))
    except (OSError, ValueError):
        return {}


def keep_newest(folder: Path, count: int = KEPT) -> None:
    """Delete the states in ``folder`` but for the newest ``count``."""
    for state in _states(folder)[count:]:
        _delete(state)


def _delete(state: Path) -> None:
    state.unlink()
    state.with_suffix(".json").unlink(missing_ok=True)


def _states(folder: Path) -> list[Path]:
    """The states in ``folder``, the newest first."""
    return sorted(folder.glob("[!.]*.pt"), key=lambda path: -path.stat().st_mtime_ns)


def lines(run: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """A line for each state of an unfinished network: its key and iteration, and what differs from ``config``.

    The last line counts the states of finished networks.
    """
    unneeded = 0
    for folder in sorted(run.glob("*/instance*/.training")):
        if (folder.parent / "model.safetensors").exists():
            unneeded += len(_states(folder))
            continue
        for state in _states(folder):
            about = read_about(state)
            other = "; ".join(_departures(about, config)) or "as configured"
            last = about.get("training", {}).get("iterations", "?")
            where = f"{folder.parents[1].name} {folder.parent.name.removeprefix('instance')}"
            yield f"{where}: {state.stem} at iteration {about.get('iteration', '?')} of {last}, {other}"
    if unneeded:
        yield f"finished networks: {unneeded}"


def _departures(about: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """What a training that is described in ``about`` has otherwise than ``config`` and today's code, in words."""
    there = {key: about.get(key, {}) for key in ("network", "scenes")}
    there["data"] = {**about.get("data", {}), "pair": about.get("pair", {})}
    there["training"] = {**about.get("training", {}), **about.get("validation", {})}
    there["run"] = {"seed": about.get("seed")}
    other = differences(there, _like(there, config))
    return other if about.get("code") == fingerprint(SCRIPT) else [*other, "made by other code"]


def _like(there: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, Any]:
    """The values ``here`` of the keys that are ``there``, in blocks of blocks too."""
    return {
        key: _like(value, here.get(key, {})) if isinstance(value, Mapping) else here.get(key)
        for key, value in there.items()
    }


def reached(network: Path, config: Mapping[str, Any]) -> int:
    """The iteration from which the training of an unfinished network, by its folder, goes on; 0 is the start."""
    known = map(read_about, _states(network / ".training"))
    return max((each["iteration"] for each in known if not _departures(each, config)), default=0)


def clean(run: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """Delete the states of finished networks, and all but one of each other network; a line for each.

    That one is the newest of those that ``config`` goes on from, or else the newest of all.
    """
    for folder in sorted(run.glob("*/instance*/.training")):
        states = _states(folder)
        if not (folder.parent / "model.safetensors").exists():
            states.sort(key=lambda state: bool(_departures(read_about(state), config)))
            states = states[1:]
        for state in states:
            _delete(state)
            yield f"deleted {state}"


def main(words: Sequence[str] | None = None) -> None:
    """Print the states of a run, or delete those that it does not need."""
    parser = argparse.ArgumentParser(description="The states that trainings go on from.")
    parser.add_argument("--clean", action="store_true", help="delete what the run does not need")
    parser.add_argument("files", nargs="+", type=Path, help="config files, later over earlier")
    arguments = parser.parse_args(words)
    config = check(layered(arguments.files)).plain()
    run = Path("results", config["run"]["name"])
    if arguments.clean:
        print("\n".join(clean(run, config)) or "no state to delete")
    elif states := list(lines(run, config)):
        print("\nStates of trainings (make clean-states deletes those that are not needed):")
        print("\n".join(f"  {line}" for line in states))


if __name__ == "__main__":
    main()

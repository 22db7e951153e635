"""The states of trainings: which training each is of, which are kept, and what is told about them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recurrence.fingerprints import fingerprint
from recurrence.states import (
    KEPT,
    SCRIPT,
    clean,
    keep_newest,
    lines,
    main,
    note,
    reached,
    state_file,
)
from study import ROOT

BLOCKS: dict[str, Any] = {
    "network": {"units": 8},
    "scenes": {"clutter": 7},
    "training": {"iterations": 90, "learning_rate": 0.1},
    "seed": 1,
    "validation": {"validate_every": 3},
    "data": {"validation": 5000},
    "pair": {"first": {"name": "mnist"}},
    "code": fingerprint(SCRIPT),
}
CONFIG = {
    "network": {"units": 8},
    "scenes": {"clutter": 7},
    "training": {"iterations": 90, "learning_rate": 0.1, "validate_every": 3},
    "run": {"seed": 1},
    "data": {"validation": 5000, "pair": {"first": {"name": "mnist", "classes": []}}},
}


def begun(folder: Path, age: int = 0, iteration: int = 30, **blocks: Any) -> Path:
    """The state of a training, ``age`` seconds old, with a few other ``blocks``."""
    state = state_file(folder, (), **BLOCKS | blocks)
    state.write_bytes(b"state")
    note(state, iteration=iteration)
    os.utime(state, (1e9 - age, 1e9 - age))
    return state


def test_a_start_deletes_no_state(tmp_path: Path) -> None:
    states = [begun(tmp_path, age, seed=age) for age in range(6)]
    for age, state in enumerate(states):
        again = state_file(tmp_path, (), **BLOCKS | {"seed": age})
        assert again == state and state.read_bytes() == b"state"
    assert len(set(states)) == 6


def test_the_newest_states_of_a_network_are_kept(tmp_path: Path) -> None:
    states = [begun(tmp_path, age, seed=age) for age in range(5)]
    running = state_file(tmp_path, (), **BLOCKS | {"seed": 5})  # noted, without a state so far
    keep_newest(tmp_path)
    assert sorted(tmp_path.glob("*.pt")) == sorted(states[:KEPT])
    noted = [state.with_suffix(".json") for state in (*states[:KEPT], running)]
    assert sorted(tmp_path.glob("*.json")) == sorted(noted)


def test_another_validation_of_a_begun_training_is_refused_by_name(tmp_path: Path) -> None:
    state = begun(tmp_path)
    other = {**BLOCKS, "validation": {"validate_every": 4}}
    with pytest.raises(
        ValueError,
        match=rf"^{state} .* training\.validate_every is 3 there and 4 here\. Set that back",
    ):
        state_file(tmp_path, (), **other)
    state_file(tmp_path, (), **{**other, "seed": 2})  # another network
    state.unlink()
    state_file(tmp_path, (), **other)


OTHERS = {
    "training.learning_rate is 0.2 there and 0.1 here": {
        "training": BLOCKS["training"] | {"learning_rate": 0.2}
    },
    "data.validation is 4000 there and 5000 here": {"data": {"validation": 4000}},
    "data.pair.first.name is sign there and mnist here": {"pair": {"first": {"name": "sign"}}},
    "run.seed is 2 there and 1 here": {"seed": 2},
    "made by other code": {"code": "0"},
}


def test_status_tells_the_states_and_clean_deletes_those_not_needed(tmp_path: Path) -> None:
    unfinished, done = (tmp_path / f"additive/instance{k}/.training" for k in (1, 2))
    for age, blocks in enumerate(OTHERS.values()):
        begun(unfinished, age, **blocks)
    begun(unfinished, 9, iteration=40)
    begun(done, iteration=90)
    (done.parent / "model.safetensors").touch()
    *others, fitting, last = lines(tmp_path, CONFIG)
    assert all(line.startswith("additive 1: ") for line in (*others, fitting))
    for line, other in zip(others, OTHERS, strict=True):
        assert line.endswith(f" at iteration 30 of 90, {other}")
    assert fitting.endswith(" at iteration 40 of 90, as configured")
    assert last == "finished networks: 1"
    assert reached(unfinished.parent, CONFIG) == 40
    assert reached(tmp_path / "additive/instance3", CONFIG) == 0
    assert len(list(clean(tmp_path, CONFIG))) == len(OTHERS) + 1
    assert list(lines(tmp_path, CONFIG)) == [fitting]


def test_clean_leaves_the_newest_state_if_none_fits(tmp_path: Path) -> None:
    folder = tmp_path / "additive/instance1/.training"
    newest, *_ = [begun(folder, age, **blocks) for age, blocks in enumerate(OTHERS.values())]
    assert len(list(clean(tmp_path, CONFIG))) == len(OTHERS) - 1
    assert newest.exists()


def test_the_command_takes_config_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "config.yaml", tmp_path)
    main(["config.yaml"])
    assert capsys.readouterr().out == ""
    folder = tmp_path / "results/quick/additive/instance1/.training"
    state = begun(folder)
    main(["config.yaml"])
    assert f"additive 1: {state.stem} at iteration 30 of 90, " in capsys.readouterr().out
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    older = begun(folder, 9, seed=9)
    words = [f"BIN={Path(sys.executable).parent}", "INSTALLED="]
    subprocess.run(["make", "clean-states", *words], cwd=tmp_path, check=True, capture_output=True)
    assert state.exists() and not older.exists()

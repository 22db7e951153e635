"""The states of trainings: which training each is of, which are kept, and what is told about them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recurrence.states import KEPT, clean, keep_newest, lines, main, note, state_file
from study import ROOT

BLOCKS: dict[str, Any] = {
    "network": {"units": 8},
    "scenes": {"clutter": 7},
    "training": {"iterations": 90, "learning_rate": 0.1},
    "seed": 1,
    "validation": {"validate_every": 3},
}
CONFIG = {
    "network": {"units": 8},
    "scenes": {"clutter": 7},
    "training": {"iterations": 90, "learning_rate": 0.1, "validate_every": 3},
    "run": {"seed": 1},
}


def begun(folder: Path, age: int = 0, iteration: int = 30, **training: float) -> Path:
    """The state of a training, ``age`` seconds old."""
    state = state_file(folder, (), **BLOCKS | {"training": BLOCKS["training"] | training})
    state.write_bytes(b"state")
    note(state, iteration=iteration)
    os.utime(state, (1e9 - age, 1e9 - age))
    return state


def test_a_start_deletes_no_state(tmp_path: Path) -> None:
    states = [begun(tmp_path, age, learning_rate=age) for age in range(6)]
    for age, state in enumerate(states):
        training = BLOCKS["training"] | {"learning_rate": age}
        again = state_file(tmp_path, (), **BLOCKS | {"training": training})
        assert again == state and state.read_bytes() == b"state"
    assert len(set(states)) == 6


def test_the_newest_states_of_a_network_are_kept(tmp_path: Path) -> None:
    states = [begun(tmp_path, age, learning_rate=age) for age in range(5)]
    assert keep_newest(tmp_path) == states[KEPT:]
    assert sorted(tmp_path.glob("*.pt")) == sorted(states[:KEPT])
    assert len(list(tmp_path.glob("*.json"))) == KEPT


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


def test_status_tells_the_states_and_clean_deletes_those_not_needed(tmp_path: Path) -> None:
    open_one, done = (tmp_path / f"additive/instance{k}/.training" for k in (1, 2))
    begun(open_one, iteration=40)
    begun(open_one, 5, learning_rate=0.2)
    begun(done, iteration=90)
    (done.parent / "model.safetensors").touch()
    first, second, third = lines(tmp_path, CONFIG)
    assert first.startswith("additive 1: ") and first.endswith(
        " at iteration 40 of 90, as configured"
    )
    assert second.endswith(
        " at iteration 30 of 90, training.learning_rate is 0.2 there and 0.1 here"
    )
    assert third == "finished networks: 1"
    assert len(list(clean(tmp_path))) == 2
    assert list(lines(tmp_path, CONFIG)) == [first]


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
    older = begun(folder, 9, learning_rate=9)
    words = [f"BIN={Path(sys.executable).parent}", "INSTALLED="]
    subprocess.run(["make", "clean-states", *words], cwd=tmp_path, check=True, capture_output=True)
    assert state.exists() and not older.exists()

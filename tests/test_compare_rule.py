"""The rule compare and sweeps, through Snakemake and make."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from recurrence.configuration.problems import ConfigurationError, check, layered
from recurrence.sweep import main, runs
from runs import write_run
from study import ROOT, Study

ONE = {"run": {"interactions": ["multiplicative"], "instances": 2}}
PAGE = Path("results/a+b/comparison.html")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The project with two finished runs, ``a`` and ``b``."""
    study = Study(tmp_path_factory.mktemp("compare"), {"figures": {"dpi": 40}})
    write_run(study.folder / "results", "a", ONE)
    write_run(study.folder / "results", "b", ONE, effect=0.05)
    return study


def compare(study: Study, page: Path = PAGE, *words: str) -> str:
    result = study.snakemake(*words, "--allowed-rules", "compare", "--", str(page))
    return result.stdout + result.stderr


def test_the_rule_makes_the_page_and_remakes_it_when_a_run_changes(study: Study) -> None:
    told = compare(study)
    page = study.folder / PAGE
    assert page.exists(), told
    assert "Runs compared: a, b" in page.read_text()
    table = pd.read_csv(page.with_suffix(".csv"))
    assert set(table["run"]) == {"a", "b"} and (table["networks"] == 2).all()
    names = {path.name for path in (page.parent / "figures").iterdir()}
    assert {"summary.png", "summary.pdf", "functional_importance_multiplicative.png"} <= names
    assert {path.name for path in (study.folder / "results").iterdir()} == {"a", "a+b", "b"}
    assert "Nothing to be done" in compare(study)
    write_run(study.folder / "results", "b", ONE, effect=0.02)
    assert "compare: a+b" in compare(study, PAGE, "--dry-run")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("a+c", "there is no run 'c' in results/ (finished runs: a, b)"),
        ("b+b", "the run b is named twice: name each run once"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused_by_name(
    study: Study, names: str, said: str
) -> None:
    assert said in compare(study, Path(f"results/{names}/comparison.html"), "--dry-run")
    assert not (study.folder / "results" / names).exists()


def make(folder: Path, *words: str, bins: Path | None = None) -> subprocess.CompletedProcess[str]:
    where = bins or Path(sys.executable).parent
    return subprocess.run(
        ["make", "-f", ROOT / "Makefile", f"BIN={where}", "INSTALLED=", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("names", ["", "a", " a "])
def test_make_asks_for_two_runs(tmp_path: Path, names: str) -> None:
    (tmp_path / "config.yaml").touch()
    result = make(tmp_path, "compare", f"RUNS={names}")
    assert (
        result.returncode != 0 and "Name two finished runs or more: make compare" in result.stderr
    )


# --- sweeps --------------------------------------------------------------------------------------

CONFIG = ROOT / "config.yaml"


def sweep(folder: Path, text: str) -> Path:
    file = folder / "depth.yaml"
    file.write_text(text)
    return file


def test_the_projects_sweep_is_right() -> None:
    for file in (ROOT / "sweeps").glob("*.yaml"):
        assert len(dict(runs(file, [CONFIG]))) >= 2
    assert list(dict(runs(ROOT / "sweeps/timesteps.yaml", [CONFIG]))) == [
        f"quick-timesteps-{value}" for value in (2, 3, 4, 6)
    ]


@pytest.mark.parametrize(
    ("text", "names", "more"),
    [
        ("key: network.units\nvalues: [64, 128]", ["quick-depth-64", "quick-depth-128"], {}),
        ("key: network.lateral\nvalues: [[fc], [conv1]]", ["quick-depth-1", "quick-depth-2"], {}),
        (
            "key: scenes.clutter\nvalues: [0, 7]",
            ["quick-depth-0", "quick-depth-7"],
            {"scenes.set": "NAME"},
        ),
        (
            "key: run.seed\nvalues: [1, 2]",
            ["quick-depth-1", "quick-depth-2"],
            {"scenes.set": "NAME"},
        ),
        (
            "key: data.validation\nvalues: [100, 200]",
            ["quick-depth-100", "quick-depth-200"],
            {"data.folder": "data/NAME"},
        ),
    ],
)
def test_each_run_of_a_sweep_has_its_value_and_files_of_its_own(
    tmp_path: Path, text: str, names: list[str], more: dict[str, str]
) -> None:
    file = sweep(tmp_path, text)
    key, values = (yaml.safe_load(text)[part] for part in ("key", "values"))
    made = dict(runs(file, [CONFIG]))
    assert list(made) == names
    for (name, overlay), value in zip(made.items(), values, strict=True):
        expected = {"run.name": name, key: value}
        expected |= {k: path.replace("NAME", name) for k, path in more.items()}
        assert flat(overlay) == expected


def flat(block: dict[str, Any], within: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in block.items():
        inner = isinstance(value, dict)
        found |= flat(value, f"{within}{key}.") if inner else {within + key: value}
    return found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("values: [1, 2]", "is no sweep: write a key and its values"),
        ("key: network.units\nvalues: 3", "is no sweep: write a key and its values"),
        ("key: network.units\nvalues: [3, 4]\nname: a", "is no sweep: write a key and its values"),
        ("key: network.units\nvalues: [64]", "values should be two or more, each once"),
        ("key: network.units\nvalues: [64, 64]", "values should be two or more, each once"),
        ("key: network.units\nvalues: [3, 4]\nvalues: [5, 6]", "values: is given twice in "),
        ("key: run.name\nvalues: [a, b]", "run.name only names things"),
        ("key: run\nvalues: [{seed: 1}, {seed: 2}]", "run is no key in a block, such as net"),
        ("key: scenes\nvalues: [{clutter: 3}, {clutter: 5}]", "scenes is no key in a block"),
        ("key: network.unit\nvalues: [64, 65]", "did you mean network.units?"),
        ("key: network.timesteps\nvalues: [2, 0]", "depth.yaml, network.timesteps = 0: the conf"),
        ("key: training.cooldown\nvalues: [1, 9000]", "training.iterations (3000): give less"),
    ],
)
def test_a_wrong_sweep_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = sweep(tmp_path, text)
    with pytest.raises(ConfigurationError) as error:
        list(runs(file, [CONFIG]))
    assert said in str(error.value)
    with pytest.raises(SystemExit):
        main([str(file), str(CONFIG)])
    assert not (tmp_path / "results").exists()


FAKE = """#!/bin/sh
echo "$@" >> calls
case "$*" in *--configfile*) touch results/quick-depth-2/scorecard.txt results/quick-depth-3/scorecard.txt;; esac
"""


def test_make_sweep_does_all_runs_and_compares_them(tmp_path: Path) -> None:
    bins = tmp_path / "bin"
    bins.mkdir()
    (bins / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (bins / "snakemake").write_text(FAKE)
    for path in bins.iterdir():
        path.chmod(0o755)
    for name in ("config.yaml", "workflow"):
        os.symlink(ROOT / name, tmp_path / name)
    (tmp_path / "fast.yaml").write_text("training: {batch: 2}\ncompute: {device: cpu}\n")
    sweep(tmp_path, "key: network.timesteps\nvalues: [2, 3]")
    result = make(tmp_path, "sweep", "SWEEP=depth.yaml", "CONFIG=fast.yaml", "CORES=1", bins=bins)
    assert result.returncode == 0, result.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    for call, t in zip(calls[:2], (2, 3), strict=True):
        file = f"results/quick-depth-{t}/sweep.yaml"
        assert call.startswith(f"--configfile fast.yaml {file} --cores 1 --resources")
        made = check(layered([CONFIG, tmp_path / "fast.yaml", tmp_path / file]))
        assert (made.run.name, made.network.timesteps) == (f"quick-depth-{t}", t)
        assert made.training.batch == 2
    page = "results/quick-depth-2+quick-depth-3/comparison.html"
    assert calls[2].endswith(f"--allowed-rules compare -- {page}") and len(calls) == 3
    assert f"The comparison:  {page}" in result.stdout

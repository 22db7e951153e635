"""docs/tutorial.md: its files, functions and commands, run as the page has them, on a smaller network."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from study import ROOT, TINY, WHOLE_FLOWS, Study

TEXT = (ROOT / "docs/tutorial.md").read_text("utf-8")
SMALL = {"training": TINY["training"], "figures": TINY["figures"], **WHOLE_FLOWS}
SMALL |= {"run": {"instances": 1}, "record": {"scenes": 40}, "scenes": {"shard": 40}}
SMALL |= {"network": {"channels": {"conv1": 2, "conv2": 3}, "units": 8}}


def execute(folder: Path, words: list[str]) -> str:
    """Run a command in a project with that project's package; return what it prints."""
    result = subprocess.run(
        words,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "workflow/scripts")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@dataclass(frozen=True)
class Section:
    """A section's code, in order: language and text."""

    title: str
    code: list[tuple[str, str]]

    def prepare(self, folder: Path) -> None:
        """Write its files, and add its functions to the files that it names."""
        for language, text in self.code:
            first, _, rest = text.partition("\n")
            if match := re.fullmatch(r"# add to (\S+)", first):
                with (folder / match[1]).open("a") as file:
                    file.write(f"\n\n{rest}")
            elif (match := re.fullmatch(r"# (\S+\.(?:py|yaml))", first)) and language != "sh":
                (folder / match[1]).write_text(text)

    def run(self, folder: Path) -> str:
        """Run its commands, and its Python that belongs to no file; return what they print."""
        printed = ""
        for language, text in self.code:
            if language == "sh":
                words = ["bash", "-euc", local(text)]
            elif language == "python" and not text.startswith("# "):
                words = [sys.executable, "-c", text]
            else:
                continue
            printed += execute(folder, words)
        return printed


def local(command: str) -> str:
    """A command of the page, with this Python in the place of .venv, and with small.yaml on top."""
    command = command.replace(".venv/bin/python", sys.executable)
    make = f"make -f {ROOT}/Makefile BIN={Path(sys.executable).parent} INSTALLED= CORES=2"
    command = re.sub(r"^make", make, command, flags=re.MULTILINE)
    return re.sub(r'CONFIG="?([\w. ]+\.yaml)"?', r'CONFIG="\1 small.yaml"', command)


SECTIONS = [
    Section(part.partition("\n")[0], re.findall(r"^```(\w+)\n(.*?)^```$", part, re.M | re.S))
    for part in TEXT.split("\n## ")[1:]
]
CHANGES = SECTIONS[:-1]


def project(folder: Path, sections: list[Section]) -> Study:
    study = Study(folder, TINY)
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    for section in sections:
        section.prepare(folder)
    return study


def test_the_page_has_five_changes_and_a_command_for_each() -> None:
    assert len(CHANGES) == 5
    for section in CHANGES:
        [name] = re.findall(r"^# (\S+\.yaml)$", "\n".join(t for _, t in section.code), re.M)
        [command] = [text for language, text in section.code if language == "sh"]
        assert f"make reproduce PRESET=smoke CONFIG={name}\n" in command
        assert name in SECTIONS[-1].code[0][1]


# Run in the changed project: the label of the file against the object behind, the network against its equation.
CHECK = """
import h5py, recurrence, torch
run = recurrence.load("results/covered")
scenes = run.scenes(40)
with h5py.File("data/scenes/shapes/test-00.h5") as file:
    covered = file["labels/covered"][:]
for n, target in enumerate(scenes.recipe.target):
    [behind] = [i for i in range(4) if i % 4 == target % 4]
    assert covered[n] == (scenes.recipe.image[n, behind] >= scenes.sources.first)
assert set(covered) == {0, 1}
network = run.network("divisive")
passed = network(scenes.images)
at_input = scenes.images / (1 + passed.flow("input", 2).relu())
torch.testing.assert_close(passed.activities[1].maps["input"], at_input.clamp(0, 1))
drive = network.feedforward["fc"](passed.activities[1].outputs["conv2"].flatten(1))
at_fc = drive.relu() / (1 + passed.flow("fc", 2).relu())
torch.testing.assert_close(passed.activities[1].maps["fc"], at_fc)
print(run.config.scenes.clutter, run.config.scenes.set, *run.categories[::10])
"""


def test_all_changes_at_once(tmp_path: Path) -> None:
    project(tmp_path, CHANGES)
    execute(tmp_path, [sys.executable, "shapes.py"])
    assert "The report, with the figures: results/covered/report.html" in SECTIONS[-1].run(tmp_path)
    tables = tmp_path / "results/covered/tables"
    decoding, perturbation = (
        pd.read_csv(tables / f"{n}.csv") for n in ("decoding", "perturbation")
    )
    assert set(decoding["timestep"]) == set(range(1, 7))
    assert set(decoding["interaction"]) == {"multiplicative", "divisive"}
    assert set(perturbation["interaction"]) == {"multiplicative", "divisive"}
    assert decoding[decoding["variable"] == "covered"]["accuracy"].notna().all()
    assert execute(tmp_path, [sys.executable, "-c", CHECK]) == "3 shapes 0\u00b0 3 px\n"


@pytest.mark.long
@pytest.mark.parametrize("section", CHANGES, ids=lambda section: section.title)
def test_each_change_by_itself(section: Section, tmp_path: Path) -> None:
    project(tmp_path, [section])
    printed = section.run(tmp_path)
    name = yaml.safe_load(next(text for kind, text in section.code if kind == "yaml"))["run"][
        "name"
    ]
    assert f"results/{name}/report.html" in printed
    if section.code[-1][0] == "python":
        assert re.search(r"^timestep ", printed, re.MULTILINE)

"""notebooks/explore.ipynb: its code runs on a finished run, and its outputs are kept."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from study import ROOT, Study

NOTEBOOK = ROOT / "notebooks/explore.ipynb"


def kinds(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """The kinds of output of each cell with code."""
    return [
        [kind for output in cell.outputs for kind in sorted(output.get("data", {"stream": ""}))]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_its_code_runs_and_shows_what_it_showed(
    finished: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = nbformat.read(NOTEBOOK, 4)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results/quick").symlink_to(finished.folder / "results/tiny")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "workflow/scripts"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    made = nbformat.read(NOTEBOOK, 4)
    for cell in made.cells:
        cell.pop("outputs", None) if cell.cell_type == "markdown" else cell.update(outputs=[])
    NotebookClient(
        made,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": tmp_path / "notebooks"}},
    ).execute()
    assert kinds(made) == kinds(kept)


def test_its_outputs_are_kept_and_small() -> None:
    notebook = nbformat.read(NOTEBOOK, 4)
    nbformat.validate(notebook)
    shown = [kind for cell in kinds(notebook) for kind in cell]
    assert shown.count("image/png") >= 4 and shown.count("text/html") >= 4
    assert NOTEBOOK.stat().st_size < 1_000_000
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert not any("error" in output.output_type for cell in cells for output in cell.outputs)

"""All figures, from the published tables in place of ours and from made-up maps."""

from pathlib import Path
from typing import Any

import h5py
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_params_from_file
from matplotlib.figure import Figure
from matplotlib.text import Text

from blocks import block_with
from recurrence.categories import category_table, read_names
from recurrence.configuration.blocks import Figures
from recurrence.diagrams import connections
from recurrence.figure_list import FIGURES
from recurrence.figures import draw, save

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "data" / "published"
BLOCK = Figures(published=True, examples=3, dpi=50)
VARIABLES = ("location_horizontal", "location_vertical", "scale", "orientation")
WEIGHTS = {
    "feedforward.conv1": (8, 1, 5, 5),
    "feedforward.conv2": (16, 8, 5, 5),
    "feedforward.fc": (16, 1296),
    "lateral.conv1": (8, 8, 5, 5),
    "topdown.conv1_to_input": (8, 1, 7, 7),
    "topdown.conv2_to_input": (16, 1, 20, 20),
    "topdown.fc_to_conv2": (12544, 16),
    "readout": (20, 64),
}


def write_maps(folder: Path, timesteps: int) -> None:
    """Made-up example maps in the files that recording and perturbation write."""
    random = np.random.default_rng(0)
    with h5py.File(folder / "examples.h5", "w") as file:
        file["scenes"] = file["clean"] = random.random((6, 100, 100))
        file["input"] = random.random((6, timesteps, 100, 100))
        file["prediction"] = np.arange(6)
        for name in ("category", *VARIABLES):
            file[f"labels/{name}"] = np.arange(6) % (20 if name == "category" else 2)
    with h5py.File(folder / "perturbation_example.h5", "w") as file:
        file["original"] = file["altered"] = random.random((100, 100))
        for kind in ("original", "systematic", "control"):
            file[f"input_{kind}"] = random.random((timesteps, 100, 100))
            file[f"flow_{kind}"] = random.normal(size=(8, 96, 96))
            file.attrs[f"prediction_{kind}"] = 3
        facts = {"layer": "conv1", "timestep": 2, "variable": "category_within", "category": 12}
        file.attrs.update(facts)
    with h5py.File(folder / "variants.h5", "w") as file:
        file["original"] = random.random((2, 100, 100))
        for name in (*VARIABLES, "category_within", "category_between"):
            file[f"altered/{name}"] = random.random((2, 100, 100))


def write_parameters(path: Path, without: str = "nothing") -> None:
    weights = {name: shape for name, shape in WEIGHTS.items() if without not in name}
    rows = [(f"{name}.weight", " x ".join(map(str, shape))) for name, shape in weights.items()]
    rows += [(f"{name}.bias", "3") for name in weights]
    pd.DataFrame(rows, columns=["parameter", "shape"]).to_csv(path, index=False)


def make_run(
    folder: Path, interactions: list[str], instances: int, timesteps: int
) -> dict[str, str]:
    """A run with a part of the published tables; returns the files for its figures."""
    for name in ("accuracy", "decoding", "perturbation"):
        table = pd.read_csv(PUBLISHED / f"{name}.csv")
        table = table[table["interaction"].isin(interactions) & (table["instance"] <= instances)]
        if "timestep" in table:
            table = table[table["timestep"] <= timesteps]
        extra: dict[str, Any] = {"image": "cluttered"}
        if name == "decoding":
            extra |= {"repeat": 1, "unconverged": 1}
        if name == "perturbation":
            extra = {"repeat": 1, "rendering": "compounded"}
        table.assign(**extra).to_csv(folder / f"{name}.csv", index=False)
    write_maps(folder, timesteps)
    write_parameters(folder / "parameters.csv")
    datasets = [{"name": name, "classes": [f"{name} {k}" for k in range(10)]} for name in "ab"]
    category_table(datasets).to_csv(folder / "categories.csv", index=False)
    files = {name: str(folder / f"{name}.csv") for name in ("decoding", "perturbation")}
    files |= {f"published_{name}": str(PUBLISHED / f"{name}.csv") for name in files}
    files |= {name: str(folder / f"{name}.h5") for name in ("examples", "perturbation_example")}
    return files | {
        "variants": str(folder / "variants.h5"),
        "parameters": str(folder / "parameters.csv"),
        "categories": str(folder / "categories.csv"),
    }


RUNS: dict[str, tuple[list[str], int, int]] = {
    "whole": (["multiplicative", "additive"], 5, 4),
    "small": (["additive"], 1, 3),
}


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return make_run(tmp_path_factory.mktemp(request.param), *RUNS[request.param])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return make_run(tmp_path_factory.mktemp("whole"), *RUNS["whole"])


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_written(name: str, run: dict[str, str], tmp_path: Path) -> None:
    pdf, png = tmp_path / "a.pdf", tmp_path / "a.png"
    save(draw(name, run, BLOCK), pdf, png, 50)
    assert b"/FontFile2" in pdf.read_bytes()  # with the font
    assert b"CreationDate" not in pdf.read_bytes()
    assert png.read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"a.pdf", "a.png"}


@pytest.mark.parametrize("name", ["2A", "2B", "3A"])
def test_a_rerun_gives_the_same_bytes(name: str, whole: dict[str, str], tmp_path: Path) -> None:
    for copy in "ab":
        save(draw(name, whole, BLOCK), tmp_path / f"{copy}.pdf", tmp_path / f"{copy}.png", 50)
    for kind in ("pdf", "png"):
        first, second = ((tmp_path / f"{copy}.{kind}").read_bytes() for copy in "ab")
        assert first == second


HOSTILE = """\
image.origin: lower
image.cmap: jet
image.interpolation: bicubic
axes.facecolor: red
axes.grid: True
axes.autolimit_mode: round_numbers
axes.prop_cycle: cycler('color', ['yellow'])
figure.facecolor: green
figure.autolayout: True
savefig.bbox: tight
savefig.transparent: True
font.size: 20
mathtext.fontset: stix
lines.linestyle: :
legend.loc: center
text.color: blue
text.usetex: True
pdf.compression: 0
path.sketch: 5, 100, 2
"""


@pytest.mark.parametrize("name", ["1", "2A", "3A", "3B", "4A", "4C", "4D"])
def test_the_users_settings_of_matplotlib_change_nothing(
    name: str, whole: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "matplotlibrc").write_text(HOSTILE)
    for folder, settings in (
        ("plain", {}),
        ("users", rc_params_from_file(tmp_path / "matplotlibrc")),
    ):
        (tmp_path / folder).mkdir()
        with mpl.rc_context(settings):
            save(
                draw(name, whole, BLOCK),
                tmp_path / folder / "a.pdf",
                tmp_path / folder / "a.png",
                50,
            )
    for file in ("a.pdf", "a.png"):
        assert (tmp_path / "plain" / file).read_bytes() == (tmp_path / "users" / file).read_bytes()


def test_decoding_lines_are_the_means_of_the_table(whole: dict[str, str]) -> None:
    table = pd.read_csv(PUBLISHED / "decoding.csv")
    table = table[(table["interaction"] == "multiplicative") & (table["source"] == "activation")]
    figure = draw("3A", whole, block_with(BLOCK, published=False))
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert list(panels) == ["category", "location", "scale", "orientation"]
    for title, axes in panels.items():
        drawn: Any = [line.get_ydata() for line in axes.lines if line.get_marker() == "D"]  # fc
        rows = table[(table["layer"] == "fc") & table["variable"].str.startswith(title)]
        np.testing.assert_allclose(drawn, [rows.groupby("timestep")["accuracy"].mean()])


def test_importance_points_are_the_means_of_the_table(whole: dict[str, str]) -> None:
    table = pd.read_csv(PUBLISHED / "perturbation.csv")
    rows = table[(table["interaction"] == "multiplicative") & (table["layer"] == "conv1")]
    means = rows[rows["timestep"] == 2].groupby("variable")["functional_importance"].mean()
    expected = [
        (means["location_horizontal"] + means["location_vertical"]) / 2,
        means["orientation"],
        means["scale"],
        (means["category_within"] + means["category_between"]) / 2,
    ]
    figure = draw("4D", whole, block_with(BLOCK, published=False))
    panel = next(axes for axes in figure.axes if axes.get_title() == "conv1")
    first = next(line for line in panel.lines if line.get_marker() == "o")
    np.testing.assert_allclose(np.asarray(first.get_ydata(), dtype=float), expected)


def test_published_lines_can_be_left_out(whole: dict[str, str]) -> None:
    assert "published" in texts(draw("3A", whole, BLOCK))
    assert "published" not in texts(draw("3A", whole, block_with(BLOCK, published=False)))


@pytest.mark.parametrize("name", ["3A", "3B", "4A", "4B", "4C", "4D", "S3"])
def test_a_missing_interaction_is_named(name: str, tmp_path: Path) -> None:
    files = make_run(tmp_path, *RUNS["small"])
    del files["examples"], files["perturbation_example"]
    shown = texts(draw(name, files, BLOCK))
    assert "no multiplicative networks" in shown or "of multiplicative networks" in shown
    assert "could show" not in texts(draw("S2A", files, BLOCK))


def test_an_empty_example_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "example.h5", "w"):
        pass
    files = {"perturbation_example": str(tmp_path / "example.h5")}
    assert "lack the recurrent flow" in texts(draw("4A", files, BLOCK))


def test_categories_have_the_names_of_the_pair(whole: dict[str, str]) -> None:
    shown = texts(draw("3B", whole, BLOCK))
    assert "a 0, recognised" in shown and "a 2, recognised" in shown
    shown = texts(draw("4A", whole, BLOCK))
    assert "target: b 2" in shown and "answer: a 3" in shown
    rows = pd.read_csv(whole["categories"])
    rows["name"] = [*("NA", "1", "None"), *rows["name"][3:]]
    rows.to_csv(whole["categories"], index=False)
    assert read_names(whole["categories"])[:4] == ["NA", "1", "None", "a 3"]


def test_architecture_shows_the_connections_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "parameters.csv"
    write_parameters(path)
    shown = texts(draw("2A", {"parameters": str(path)}, BLOCK))
    assert {"transposed conv 20\u00d720", "transposed conv 7\u00d77"} <= set(shown.split("\n"))
    assert "linear 16 \u2192 12,544" in shown
    assert "all 4 steps" in shown
    parameters = sum(int(np.prod(shape)) + 3 for shape in WEIGHTS.values())
    assert connections(path)[1] == parameters
    write_parameters(path, without="conv2_to_input")
    assert "transposed conv 20\u00d720" not in texts(draw("2A", {"parameters": str(path)}, BLOCK))


def test_architecture_without_recurrence(tmp_path: Path) -> None:
    path = tmp_path / "parameters.csv"
    keep = [name for name in WEIGHTS if name[0] in "fr"]
    rows = [(f"{name}.weight", " x ".join(map(str, WEIGHTS[name]))) for name in keep]
    pd.DataFrame(rows, columns=["parameter", "shape"]).to_csv(path, index=False)
    assert "lateral" not in texts(draw("2A", {"parameters": str(path)}, BLOCK))

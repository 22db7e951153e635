"""All figures, from the published tables in place of ours and from made-up maps."""

import json
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
from connection_tables import ablations_over_time, with_connections
from recurrence.categories import category_table, read_names
from recurrence.clutter import QUADRANTS
from recurrence.configuration.blocks import Figures
from recurrence.diagrams import connections
from recurrence.distance import distances
from recurrence.figure_list import FIGURES
from recurrence.figures import draw, save
from recurrence.statistics import load

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "data" / "published"
BLOCK = Figures(published=True, examples=3, dpi=50)
LABELS = ("category", "location_horizontal", "location_vertical", "scale", "orientation", "domain")
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


def write_maps(folder: Path, interactions: list[str], timesteps: int) -> None:
    """Made-up example maps in the files that recording and perturbation write."""
    random = np.random.default_rng(0)
    labels = {name: np.arange(6) % (20 if name == "category" else 2) for name in LABELS}
    with h5py.File(folder / "examples.h5", "w") as file:
        file.attrs["typical"] = 6
        file["scenes"] = file["clean"] = random.random((6, 100, 100))
        for name in interactions:
            file[f"input/{name}"] = random.random((6, timesteps, 100, 100))
            file[f"prediction/{name}"] = np.arange(6)
        for name, values in labels.items():
            file[f"labels/{name}"] = values
    with h5py.File(folder / "perturbation_example.h5", "w") as file:
        file["original"] = file["altered"] = random.random((100, 100))
        for kind in ("original", "systematic", "control"):
            file[f"input_{kind}"] = random.random((timesteps, 100, 100))
            file[f"conv1_{kind}"] = random.random((timesteps, 96, 96))
            file[f"flow_{kind}"] = random.normal(size=(8, 96, 96))
            file.attrs[f"prediction_{kind}"] = 3
        facts = {"layer": "conv1", "timestep": 2, "variable": "category_within", "category": 12}
        file.attrs.update(facts | {"location_horizontal": 1, "location_vertical": 0})
    with h5py.File(folder / "variants.h5", "w") as file:
        file.attrs["scenes"] = json.dumps({"orientation": {"angle": 35}})
        copies = (f"altered/{name}" for name in (*VARIABLES, "category_within", "category_between"))
        for copy in ("original", *copies):
            file[copy] = random.random((2, 100, 100))
            for name, values in labels.items():
                changed = 1 - values if copy.endswith(f"/{name}") else values
                file[f"labels/{copy}/{name}"] = changed[:2]


def write_parameters(path: Path, without: str = "nothing") -> None:
    weights = {name: shape for name, shape in WEIGHTS.items() if without not in name}
    rows = [(f"{name}.weight", " x ".join(map(str, shape))) for name, shape in weights.items()]
    rows += [(f"{name}.bias", "3") for name in weights]
    table = pd.DataFrame(rows, columns=["parameter", "shape"])
    table.assign(interaction="additive", size=3e6, multiply_accumulates=2e6).to_csv(
        path, index=False
    )


def write_answers(path: Path, interactions: list[str], instances: int, timesteps: int) -> None:
    """Made-up answers over time: what is seen, of which scenes, when; more is seen later."""
    index = pd.MultiIndex.from_product(
        [
            interactions,
            range(1, instances + 1),
            ["so_far", "alone"],
            ["all", "right", "wrong"],
            range(1, timesteps + 1),
        ],
        names=["interaction", "instance", "seen", "answer", "timestep"],
    )
    table = index.to_frame(index=False)
    accuracy = 0.15 * table["timestep"] + 0.01 * table["instance"]
    confidence = accuracy / 2 + 0.2 * (table["answer"] == "right")
    table.assign(n=50, accuracy=accuracy, confidence=confidence).to_csv(path, index=False)


def write_clutter(path: Path, interactions: list[str], instances: int, timesteps: int) -> None:
    """Made-up clutter: less of it later, most so in the target's quadrant."""
    index = pd.MultiIndex.from_product(
        [interactions, range(1, instances + 1), QUADRANTS, range(1, timesteps + 1)],
        names=["interaction", "instance", "quadrant", "timestep"],
    )
    table = index.to_frame(index=False)
    step = table["quadrant"].map({"all": 0.05, "target": 0.1, "others": 0.02})
    relative = 1 - step * (table["timestep"] - 1) - 0.001 * table["instance"]
    frame = table.assign(energy_outside=0.5 * relative, relative=relative)
    frame.assign(standard_error=0.01, n=60).to_csv(path, index=False)


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
            copies = table.assign(functional_importance=table["functional_importance"] + 0.1)
            table = pd.concat(
                [table.assign(**extra), copies.assign(repeat=1, rendering="opposite")]
            )
            extra = {}
        table = table.assign(**extra)
        if name != "accuracy":
            table = with_connections(table)  # which the paper's figures ignore
        table.to_csv(folder / f"{name}.csv", index=False)
    ablation = ablations_over_time(interactions, instances, timesteps)
    ablation.to_csv(folder / "ablation_over_time.csv", index=False)
    write_answers(folder / "answers.csv", interactions, instances, timesteps)
    write_maps(folder, interactions, timesteps)
    write_clutter(folder / "clutter.csv", interactions, instances, timesteps)
    write_parameters(folder / "parameters.csv")
    datasets = [{"name": name, "classes": [f"{name} {k}" for k in range(10)]} for name in "ab"]
    category_table(datasets).to_csv(folder / "categories.csv", index=False)
    files = {name: str(folder / f"{name}.csv") for name in ("decoding", "perturbation")}
    files |= {f"published_{name}": str(PUBLISHED / f"{name}.csv") for name in (*files, "accuracy")}
    files |= {
        name: str(folder / f"{name}.csv")
        for name in ("ablation_over_time", "answers", "clutter", "accuracy")
    }
    files |= {name: str(folder / f"{name}.h5") for name in ("examples", "perturbation_example")}
    distance = distances(load(folder), load(PUBLISHED), 200, 1_000)
    distance.to_csv(folder / "distance.csv", index=False)
    return files | {
        "distance": str(folder / "distance.csv"),
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


@pytest.mark.parametrize("name", ["3A", "3B", "4A", "4B", "4C", "4D"])
def test_a_missing_interaction_is_named(name: str, tmp_path: Path) -> None:
    files = make_run(tmp_path, *RUNS["small"])
    del files["examples"], files["perturbation_example"]
    shown = texts(draw(name, files, BLOCK))
    assert "no multiplicative networks" in shown or "of multiplicative networks" in shown
    assert "could show" not in texts(draw("S2A", files, BLOCK))


@pytest.mark.parametrize(
    ("missing", "shown"),
    [("flow", "lack the recurrent flow"), ("scene", "none of the first 50 scenes")],
)
def test_a_missing_example_is_named(missing: str, shown: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "example.h5", "w") as file:
        file.attrs["missing"] = missing
    files = {"perturbation_example": str(tmp_path / "example.h5")}
    assert shown in texts(draw("4A", files, BLOCK))


def test_networks_without_right_answers_are_named(tmp_path: Path) -> None:
    files = make_run(tmp_path, *RUNS["whole"])
    table = pd.read_csv(files["perturbation"])
    zero = {name: 0.0 for name in table if name.startswith("accuracy_")}
    table.assign(**zero, functional_importance=float("nan")).to_csv(
        files["perturbation"], index=False
    )
    for name in ("4C", "4D", "S2C"):
        assert "none of the perturbed scenes correctly" in texts(draw(name, files, BLOCK))
    assert "none of the perturbed scenes" in texts(draw("4D_renderings", files, BLOCK))
    with h5py.File(files["examples"], "a") as file:
        file.attrs["typical"] = 0
    for name in ("3B", "S2B", "S3"):
        shown = texts(draw(name, files, BLOCK))
        assert "No recorded test scene is named correctly" in shown


def test_further_scenes_are_the_same_in_both_networks(whole: dict[str, str]) -> None:
    figure = draw("S3", whole, BLOCK)
    assert {"multiplicative", "additive"} <= set(texts(figure).split("\n"))
    images = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(images) == 2 * 3 * 5  # networks, scenes, timesteps and the target
    left, right = images[:15], images[15:]
    for scene in range(3):
        np.testing.assert_array_equal(left[5 * scene + 4], right[5 * scene + 4])
        assert not np.array_equal(left[5 * scene], right[5 * scene])
    assert "test scenes are named correctly" in texts(
        draw("S3", whole, block_with(BLOCK, examples=6))
    )


def test_altered_copies_say_the_old_and_the_new_value(whole: dict[str, str]) -> None:
    figure = draw("2B", whole, BLOCK)
    shown = set(texts(figure).split("\n"))
    assert {"left \u2192 right", "right \u2192 left", "top \u2192 bottom"} <= shown
    assert {"+35\u00b0 \u2192 \u221235\u00b0", "small \u2192 large", "a 0 \u2192 a 0"} <= shown
    # The target of the first scene is at the upper left, and in its first copy at the upper right.
    corners = [axes.patches[0].get_xy() for axes in figure.axes[:2]]
    np.testing.assert_allclose(corners, [(0.01, 0.51), (0.51, 0.51)])


@pytest.mark.parametrize(
    "name", ["3A", "4C", "4D", "S1", "distance", "4D_renderings", "answers", "clutter", "controls"]
)
def test_figures_of_data_say_how_many_networks(name: str, whole: dict[str, str]) -> None:
    assert "n = 5 networks" in [
        text.get_text()
        for legend in draw(name, whole, BLOCK).legends
        for text in legend.get_texts()
    ]


def test_controls_beside_the_recurrent_networks(whole: dict[str, str], tmp_path: Path) -> None:
    """Accuracies and costs of all interactions, and decoding that does not change over time."""
    names = ("multiplicative", "feedforward", "feedforward_parameters")
    accuracy = pd.read_csv(whole["accuracy"]).query("interaction == 'multiplicative'")
    decoding = pd.read_csv(whole["decoding"]).query("interaction == 'multiplicative'")
    once = decoding[(decoding["source"] == "activation") & (decoding["timestep"] == 1)]
    parameters = pd.read_csv(whole["parameters"])
    files = dict(whole)
    for name, table, other in (
        ("accuracy", accuracy, accuracy),
        ("decoding", decoding, once),
        ("parameters", parameters.assign(interaction=names[0]), parameters),
    ):
        files[name] = str(tmp_path / f"{name}.csv")
        controls = [other.assign(interaction=control) for control in names[1:]]
        pd.concat([table, *controls]).to_csv(files[name], index=False)
    figure = draw("controls", files, BLOCK)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["multiplicative", "feedforward", "feedforward, parameters"]
    million = 3 * len(parameters)
    assert [bar.get_width() for bar in figure.axes[1].patches] == [million] * 3
    decoded = draw("3A_controls", files, BLOCK)
    assert len(decoded.axes) == 3 * 4
    fc = next(line for line in decoded.axes[5].lines if line.get_marker() == "D")
    assert len(set(fc.get_ydata())) == 1 and len(fc.get_xdata()) == 4  # type: ignore[arg-type]


def test_no_lines_between_variables(whole: dict[str, str]) -> None:
    for axes in draw("4D", whole, BLOCK).axes:
        data = [line for line in axes.lines if len(np.asarray(line.get_xdata())) == 4]
        assert len(data) == 6  # ours and the published ones, at three timesteps
        assert {line.get_linestyle() for line in data} == {"None"}


def test_bands_of_the_published_networks(whole: dict[str, str]) -> None:
    """The pale band of conv1 at t = 2 is that of the table."""
    table = pd.read_csv(PUBLISHED / "decoding.csv").query(
        "interaction == 'multiplicative' and source == 'activation' and layer == 'conv1' "
        "and variable == 'scale' and timestep == 2"
    )
    values = table.groupby("instance")["accuracy"].mean()
    half = 1.96 * values.std(ddof=0) / 5**0.5
    panel = next(axes for axes in draw("3A", whole, BLOCK).axes if axes.get_title() == "scale")
    bands = [band.get_paths()[0].vertices for band in panel.collections]
    ends = [
        (at_2.min(), at_2.max())
        for vertices in bands
        for at_2 in [np.asarray(vertices)[np.asarray(vertices)[:, 0] == 2][:, 1]]
    ]
    wanted = (values.mean() - half, values.mean() + half)
    found = [pair for pair in ends if np.allclose(pair, wanted)]
    assert len(found) == 2  # ours, which are the published ones here, and the published ones


def test_axes_are_the_same_for_both_interactions(whole: dict[str, str]) -> None:
    limits = [[axes.get_ylim() for axes in draw(name, whole, BLOCK).axes] for name in ("3A", "S2A")]
    assert limits[0] == limits[1]


def test_distances_in_words(whole: dict[str, str], tmp_path: Path) -> None:
    shown = texts(draw("distance", whole, BLOCK))
    assert "difference: 0.007 to 0.012 (published: up to 0.015)" in shown
    table = pd.read_csv(whole["distance"])
    changed = whole | {"distance": str(tmp_path / "distance.csv")}
    table.assign(correlation=float("nan")).to_csv(changed["distance"], index=False)
    assert "correlation: undefined" in texts(draw("distance", changed, BLOCK))
    table.iloc[:0].to_csv(changed["distance"], index=False)
    assert "not compared with the published" in texts(draw("distance", changed, BLOCK))


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
    table = pd.DataFrame(rows, columns=["parameter", "shape"])
    table.assign(interaction="additive", size=3e6, multiply_accumulates=2e6).to_csv(
        path, index=False
    )
    assert "lateral" not in texts(draw("2A", {"parameters": str(path)}, BLOCK))

"""The figures about single connections, against the tables that they are drawn from."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from connection_tables import ABLATIONS, ablations_over_time, with_connections
from recurrence.configuration.blocks import Figures
from recurrence.connection_figures import removed_name
from recurrence.figures import draw

PUBLISHED = Path(__file__).parents[1] / "data/published"
BLOCK = Figures(published=False, examples=3, dpi=50)
LAYERS = ("input", "conv1", "conv2")  # to fc leads one connection
MARKERS = {"fc": "D", "conv2": "^", "conv1": "s", "lateral": "o"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("tables")
    made = {"ablation_over_time": ablations_over_time(["multiplicative", "additive"], 3, 4)}
    for name, more in (("decoding", "image"), ("perturbation", "rendering")):
        table = pd.read_csv(PUBLISHED / f"{name}.csv").assign(repeat=1)
        values = {"image": "cluttered", "rendering": "compounded"}
        made[name] = with_connections(table.assign(**{more: values[more]}))
    for name, table in made.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    published = {f"published_{name}": str(PUBLISHED / f"{name}.csv") for name in made}
    return {name: str(folder / f"{name}.csv") for name in made} | published


def rows_of(figure: Figure, columns: int) -> list[list[Axes]]:
    return [figure.axes[start : start + columns] for start in range(0, len(figure.axes), columns)]


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def drawn(axes: Axes, marker: str) -> list[Any]:
    return [line.get_ydata() for line in axes.lines if line.get_marker() == marker]


@pytest.mark.parametrize(
    ("name", "table", "value"),
    [
        ("S1_sources", "decoding", "accuracy"),
        ("4D_sources", "perturbation", "functional_importance"),
    ],
)
def test_lines_are_the_means_of_each_connection(
    name: str, table: str, value: str, files: dict[str, str]
) -> None:
    figure = draw(name, files, BLOCK)
    frame = pd.read_csv(files[table])
    if table == "decoding":
        frame = frame[frame["source"] == "recurrent_flow"]
    panels = rows_of(figure, 4)
    titles = [axes.get_title() for axes in panels[0]]
    assert set(titles) == {"location", "orientation", "scale", "category"}
    places = [
        (interaction, layer) for interaction in ("multiplicative", "additive") for layer in LAYERS
    ]
    assert len(panels) == len(places)
    for row, (interaction, layer) in zip(panels, places, strict=True):
        assert row[0].get_ylabel() == f"{interaction}\nto {layer}"
        for axes, title in zip(row, titles, strict=True):
            here = frame[(frame["interaction"] == interaction) & (frame["layer"] == layer)]
            here = here[here["variable"].str.startswith(title)]
            means = here.groupby(["connection", "timestep"])[value].mean().unstack()
            for source, marker in MARKERS.items():
                connection = layer if source == "lateral" else f"{source}_to_{layer}"
                expected = [means.loc[connection]] if connection in means.index else []
                assert len(drawn(axes, marker)) == len(expected)
                for ours, theirs in zip(drawn(axes, marker), expected, strict=True):
                    np.testing.assert_allclose(ours, theirs)
            whole = [line for line in axes.lines if line.get_color() == "#000000"]
            np.testing.assert_allclose([line.get_ydata() for line in whole], [means.loc["all"]])
    assert "n = 5 networks" in texts(figure) and "published" not in texts(figure)


def test_published_means_are_behind_the_whole_flow(files: dict[str, str]) -> None:
    figure = draw("S1_sources", files, BLOCK.model_copy(update={"published": True}))
    black = [line for line in figure.axes[0].lines if line.get_color() == "#000000"]
    assert len(black) == 2 and "published" in texts(figure)


@pytest.mark.parametrize(
    ("name", "table"), [("S1_sources", "decoding"), ("4D_sources", "perturbation")]
)
def test_a_run_without_connections_is_told_so(
    name: str, table: str, files: dict[str, str], tmp_path: Path
) -> None:
    frame = pd.read_csv(files[table])
    cases = {
        f"{table}.connections is false": frame[frame["connection"] == "all"],
        "at most": frame[frame["connection"].isin(["all", "conv1", "fc_to_input"])],
    }
    for said, rows in cases.items():
        path = tmp_path / "table.csv"
        rows.to_csv(path, index=False)
        figure = draw(name, files | {table: str(path)}, BLOCK)
        assert said in texts(figure) and not figure.axes


def test_networks_without_right_answers_have_no_importance(
    files: dict[str, str], tmp_path: Path
) -> None:
    frame = pd.read_csv(files["perturbation"]).assign(functional_importance=np.nan)
    frame.to_csv(tmp_path / "table.csv", index=False)
    figure = draw("4D_sources", files | {"perturbation": str(tmp_path / "table.csv")}, BLOCK)
    assert "none of the perturbed scenes" in texts(figure)


def test_each_ablation_has_a_panel_with_what_is_lost(files: dict[str, str]) -> None:
    figure, table = draw("ablation", files, BLOCK), pd.read_csv(files["ablation_over_time"])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [f"without {removed_name(name)}" for name in ABLATIONS]
    assert {"without fc lateral", "without fc \u2192 conv1", "without any recurrence"} <= {*titles}
    for axes, name in zip(figure.axes, ABLATIONS, strict=True):
        rows = table[(table["removed"] == name) & (table["interaction"] == "multiplicative")]
        means = rows.groupby("timestep")[["accuracy_intact", "accuracy_ablated"]].mean()
        np.testing.assert_allclose(drawn(axes, "o"), [means["accuracy_ablated"]])
        unmarked: list[Any] = [y for y in drawn(axes, "None") if len(y) == 4]
        np.testing.assert_allclose(unmarked, 2 * [means["accuracy_intact"]])
        last = rows[rows["timestep"] == 4]
        lost = 100 * (last["accuracy_intact"] - last["accuracy_ablated"])
        half = 1.96 * lost.std(ddof=0) / 3**0.5
        said = f"{-lost.mean():+.1f} \u00b1 {half:.1f}".replace("-", "\u2212")
        assert [text.get_text() for text in axes.texts] == [said, said]


def test_ablation_of_a_run_without_recurrence(files: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "ablation.csv"
    pd.read_csv(files["ablation_over_time"]).iloc[:0].to_csv(path, index=False)
    figure = draw("ablation", {"ablation_over_time": str(path)}, BLOCK)
    assert "no recurrent connections" in texts(figure)

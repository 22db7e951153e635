"""Runs laid over each other: what differs, intervals, pairs, figures, and the page."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import ndtri

from recurrence.comparison import settings
from recurrence.comparison.figures import Axis, drawings, shared_importance
from recurrence.comparison.measures import (
    ACCURACY,
    IMPORTANCE,
    Key,
    Run,
    Sample,
    compared,
    difference,
    estimate,
    importance,
    paired,
)
from recurrence.comparison.page import comparison
from recurrence.comparison.runs import Files, RunError, runs_of
from recurrence.comparison.settings import Settings
from recurrence.pages import picture
from runs import split_table, write_run
from study import ROOT

TESTED = Key(ACCURACY, "multiplicative", "", "", "cluttered scenes")
ONE = {"run": {"interactions": ["multiplicative"]}}


def read(results: Path, *names: str) -> list[Run]:
    return [Run.read(files) for files in runs_of("+".join(names), results)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that differ in one thing each from the run ``base``."""
    results = tmp_path_factory.mktemp("results")
    write_run(results, "base")
    write_run(results, "better", {"training": {"iterations": 4000}}, effect=0.05)
    write_run(results, "longer", {"network": {"timesteps": 6}})
    write_run(results, "again")
    write_run(results, "reseeded", {"run": {"seed": 9}}, of={"multiplicative 3": 0.1})
    write_run(results, "more", {"run": {"instances": 5}})
    write_run(results, "one", {"run": {"instances": 1}})
    write_run(results, "feedforward", {"run": {"interactions": ["multiplicative", "feedforward"]}})
    write_run(results, "feedforward2", {"run": {"interactions": ["multiplicative", "feedforward"]}})
    write_run(results, "opposite", {"perturbation": {"renderings": ["opposite"]}})
    return results


# --- intervals -----------------------------------------------------------------------------------

FIRST = pd.Series([0.5, 0.52, 0.57, 0.53], [1, 2, 3, 4])
SECOND = pd.Series([0.55, 0.6, 0.61, 0.55, 0.7], [1, 2, 3, 4, 5])


def ends(made: Any) -> tuple[float, float]:
    return made.low, made.high


def test_the_interval_of_a_mean_is_students() -> None:
    made = estimate(Sample(FIRST, 0.0))
    expected = stats.t.interval(0.95, 3, FIRST.mean(), stats.sem(FIRST))
    assert made.mean == pytest.approx(0.53) and ends(made) == pytest.approx(expected)


def test_the_interval_of_a_paired_difference_is_that_of_the_paired_t_test() -> None:
    pairs = [(1, 1), (2, 2), (3, 3), (4, 4)]
    made = difference(Sample(FIRST, 0.0), Sample(SECOND, 0.0), pairs)
    expected = stats.ttest_rel(SECOND[:4], FIRST).confidence_interval(0.95)
    assert ends(made) == pytest.approx((expected.low, expected.high))
    assert made.mean == pytest.approx((SECOND[:4] - FIRST).mean())


def test_without_pairs_it_is_welchs() -> None:
    made = difference(Sample(FIRST, 0.0), Sample(SECOND, 0.0), [])
    expected = stats.ttest_ind(SECOND, FIRST, equal_var=False).confidence_interval(0.95)
    assert ends(made) == pytest.approx((expected.low, expected.high))
    assert made.mean == pytest.approx(SECOND.mean() - FIRST.mean())


@pytest.mark.parametrize("pairs", [[], [(1, 1), (2, 2), (3, 3), (4, 4)]])
def test_the_error_of_the_test_scenes_widens_both(pairs: list[tuple[int, int]]) -> None:
    exact = difference(Sample(FIRST, 0.0), Sample(SECOND, 0.0), pairs)
    made = difference(Sample(FIRST, 0.03), Sample(SECOND, 0.04), pairs)
    half = np.hypot(exact.mean - exact.low, ndtri(0.975) * 0.05)
    assert ends(made) == pytest.approx((exact.mean - half, exact.mean + half))


@pytest.mark.parametrize("pairs", [[], [(1, 1)]])
def test_one_network_has_no_interval(pairs: list[tuple[int, int]]) -> None:
    made = difference(Sample(FIRST[:1], 0.01), Sample(SECOND[:1], 0.01), pairs)
    assert made.mean == pytest.approx(0.05) and np.isnan(ends(made)).all()
    assert np.isnan(ends(estimate(Sample(FIRST[:1], 0.01)))).all()


def test_networks_that_do_not_differ_have_an_interval_all_the_same() -> None:
    same = Sample(pd.Series([0.5, 0.5], [1, 2]), 0.01)
    half = ndtri(0.975) * np.hypot(0.01, 0.01)
    assert ends(difference(same, same, [])) == pytest.approx((-half, half))


# --- pairs and what differs ----------------------------------------------------------------------


def test_networks_with_the_same_seed_are_pairs(results: Path) -> None:
    base, more, reseeded = read(results, "base", "more", "reseeded")
    assert paired(base, more, TESTED) == paired(more, base, TESTED) == [(1, 1), (2, 2), (3, 3)]
    assert paired(base, reseeded, TESTED) == []


def test_imported_networks_are_pairs_if_their_files_are_the_same(tmp_path: Path) -> None:
    for name, second in (("a", "f2"), ("b", "f3")):
        write_run(tmp_path, name, ONE, checkpoints=["f1", second, second + "x"])
    a, b = read(tmp_path, "a", "b")
    assert paired(a, b, TESTED) == [(1, 1)]
    assert "training.batch" not in a.settings.keys


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("better", {"training.iterations": [3000, 4000]}),
        ("longer", {"network.timesteps": [4, 6]}),
        ("reseeded", {"run.seed": [2111, 9]}),
        ("more", {"run.instances": [3, 5]}),
        (
            "feedforward",
            {
                "run.interactions": [
                    ["multiplicative", "additive"],
                    ["multiplicative", "feedforward"],
                ]
            },
        ),
        ("opposite", {"perturbation.renderings": [["opposite", "compounded"], ["opposite"]]}),
    ],
)
def test_the_keys_that_differ_are_read_from_the_files(
    results: Path, name: str, expected: dict[str, Any]
) -> None:
    runs = [run.settings for run in read(results, "base", name)]
    assert settings.differing(runs) == expected
    same = settings.shared(runs)
    assert not same.keys() & expected.keys() and len(same) > 40
    assert same["scenes.clutter"] == 7 and same["scenes.shard"] == 1000


def test_a_key_that_only_one_interaction_has_otherwise_is_named_with_it(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "a", {"run": {"interactions": ["multiplicative", "feedforward"]}})
    wider = write_run(
        tmp_path, "b", {"run": {"interactions": ["feedforward"]}, "network": {"units": 200}}
    )
    for path in wider.rglob("feedforward*"):
        if path.is_dir():
            for file in path.rglob("*.safetensors"):
                file.replace(folder / file.relative_to(wider))
        else:
            path.replace(folder / path.relative_to(wider))
    for path in wider.rglob("logs/*/feedforward*.json"):
        path.replace(folder / path.relative_to(wider))
    made = Settings.of(Files(folder))
    assert made.keys["network.units (feedforward)"] == 200
    assert made.keys["network.units (multiplicative)"] == 128


# --- values --------------------------------------------------------------------------------------


def test_the_difference_of_two_runs_is_that_of_their_tables(results: Path) -> None:
    table = compared(read(results, "base", "better"))
    rows = table[table["compared_with"].notna()]
    assert set(rows["run"]) == {"better"} and set(rows["pairs"]) == {3}
    exact = rows[~rows["measure"].str.startswith(IMPORTANCE)]
    assert np.allclose(exact["difference"], 0.05, atol=2e-4)
    weights = pd.read_csv(results / "better/tables/perturbation.csv")
    cell = weights.query("layer == 'conv1' and timestep == 3 and variable == 'scale'")
    cell = cell[(cell["rendering"] == "opposite") & (cell["interaction"] == "additive")]
    found = rows[
        (rows["measure"] == importance("opposite"))
        & (rows["interaction"] == "additive")
        & (rows["layer"] == "conv1")
        & (rows["timestep"] == 3)
        & (rows["variable"] == "scale")
    ]
    assert found["mean"].item() == pytest.approx(cell["functional_importance"].mean())
    assert (table["low"] < table["mean"]).all() and (table["mean"] < table["high"]).all()


def test_means_over_layers_and_timesteps_are_those_of_the_single_values(results: Path) -> None:
    table = compared(read(results, "base", "longer"))
    longer = table[(table["run"] == "longer") & (table["interaction"] == "additive")]
    of = longer[longer["measure"] == importance("compounded")]
    single = of[of["timestep"].map(lambda t: isinstance(t, int))]
    assert sorted(single["timestep"].unique()) == [2, 3, 4, 5, 6]
    for variable in ("location", "category"):
        cells = single[single["variable"] == variable]["mean"]
        whole = of[(of["layer"] == "mean") & (of["variable"] == variable)]["mean"]
        assert whole.item() == pytest.approx(cells.mean())
    read_out = longer[longer["measure"] == "decoding from activations"]
    last = read_out[(read_out["timestep"] == 6)]
    auxiliary = last[last["variable"].isin(["location", "scale", "orientation"])]["mean"]
    whole = read_out[read_out["variable"] == "auxiliary"]["mean"]
    assert whole.item() == pytest.approx(auxiliary.mean())


def test_what_only_one_run_has_is_shown_without_a_difference(results: Path) -> None:
    table = compared(read(results, "base", "longer"))
    only = table[table["timestep"].isin([5, 6])]
    assert set(only["run"]) == {"longer"} and only["difference"].isna().all() and len(only) > 50
    table = compared(read(results, "base", "feedforward"))
    assert table[table["interaction"] == "feedforward"]["difference"].isna().all()


def test_one_network_has_values_and_no_intervals(results: Path) -> None:
    table = compared(read(results, "one", "base"))
    assert table[table["run"] == "one"]["low"].isna().all()
    rows = table[table["run"] == "base"]
    assert rows["difference"].notna().all() and rows["difference_low"].isna().all()
    assert set(rows["pairs"]) == {1}


def test_renderings_are_not_mixed(results: Path) -> None:
    runs = read(results, "base", "opposite")
    assert shared_importance(runs) == importance("opposite")
    table = compared(runs)
    only = table[table["measure"] == importance("compounded")]
    assert set(only["run"]) == {"base"}
    other = compared(read(results, "base", "better"))
    assert shared_importance(read(results, "base", "better")) == importance("compounded")
    assert len(other[other["measure"] == importance("compounded")]) == 2 * len(only)


# --- what cannot be compared ---------------------------------------------------------------------


def change_table(folder: Path, name: str, change: Any) -> None:
    path = folder / "tables" / f"{name}.csv"
    changed = change(pd.read_csv(path)).sort_values(["interaction", "instance"], kind="stable")
    changed.to_csv(path, index=False)
    split_table(path)


@pytest.mark.parametrize(
    ("joined", "said"),
    [
        ("base+nothing", "there is no run 'nothing' in .* \\(finished runs: again, base, "),
        ("base+", "there is no run ''"),
        ("base+base", "the run base is named twice"),
        ("+".join(f"{n}{'a' * 60}" for n in range(5)), "longer than the 255 bytes"),
    ],
)
def test_a_run_that_is_not_there_is_refused(results: Path, joined: str, said: str) -> None:
    with pytest.raises(RunError, match=said):
        runs_of(joined, results)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("tables/decoding.csv", "a is not finished, as .*decoding.csv is missing. To finish"),
        ("report.html", "a is not finished, as .*report.html is missing. To finish"),
        ("multiplicative/instance2/model.safetensors", "model.safetensors of the run a is missing"),
        ("logs/decode/multiplicative-3.json", "multiplicative-3.json of the run a is missing"),
        ("multiplicative/instance1/decoding.csv", "instance1/decoding.csv of the run a is missing"),
    ],
)
def test_a_run_that_lacks_a_file_is_refused(tmp_path: Path, file: str, said: str) -> None:
    (write_run(tmp_path, "a", ONE) / file).unlink()
    with pytest.raises(RunError, match=said):
        runs_of("a", tmp_path)


def test_a_run_whose_tables_are_older_than_its_networks_is_refused(tmp_path: Path) -> None:
    part = write_run(tmp_path, "a", ONE) / "multiplicative/instance2/decoding.csv"
    table = pd.read_csv(part)
    table.loc[3, "accuracy"] += 0.1
    table.to_csv(part, index=False)
    with pytest.raises(RunError, match=r"decoding.csv has other rows than .* a is not finished"):
        read(tmp_path, "a")


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "a", ONE)
    change_table(folder, "perturbation", lambda t: t.drop(columns="control_only"))
    with pytest.raises(RunError, match=r"perturbation.csv lacks the columns control_only: another"):
        read(tmp_path, "a")
    folder = write_run(tmp_path, "b", ONE)
    change_table(folder, "decoding", lambda t: t.assign(probe="linear"))
    with pytest.raises(RunError, match=r"decoding.csv also has the columns probe: another version"):
        read(tmp_path, "b")


def test_of_single_connections_only_their_sum_counts(tmp_path: Path) -> None:
    write_run(tmp_path, "a", ONE)
    split = write_run(tmp_path, "b", ONE)
    for name, value in (("decoding", "accuracy"), ("perturbation", "functional_importance")):
        change_table(
            split,
            name,
            lambda t, value=value: pd.concat(
                [t.assign(connection="lateral", **{value: 0.0}), t.assign(connection="all")]
            ),
        )
    a, b = read(tmp_path, "a", "b")
    assert a.samples.keys() == b.samples.keys()
    for key, sample in a.samples.items():
        pd.testing.assert_series_equal(sample.values, b.samples[key].values)
        assert sample.error == pytest.approx(b.samples[key].error)


@pytest.mark.parametrize(
    ("stage", "block", "said"),
    [
        ("record", {"training": {"batch": 1}}, "training.batch is 32 there and 1 here"),
        ("decode", {"seed": 5}, "seed is 2111 there and 5 here"),
        (
            "perturb",
            {"perturbation": {"scenes": 7}},
            "was made with perturbation.scenes = 7, other",
        ),
    ],
)
def test_a_run_whose_files_do_not_fit_together_is_refused(
    tmp_path: Path, stage: str, block: dict[str, Any], said: str
) -> None:
    record = write_run(tmp_path, "a", ONE) / f"logs/{stage}/multiplicative-2.json"
    content = json.loads(record.read_text())
    content["made from"] |= block
    record.write_text(json.dumps(content))
    with pytest.raises(RunError, match=re.escape(said)):
        read(tmp_path, "a")


# --- figures and the page ------------------------------------------------------------------------


def test_a_key_with_numbers_is_the_axis_if_it_is_the_only_one_that_differs(results: Path) -> None:
    axis = Axis.of(read(results, "base", "longer"))
    assert (axis.label, axis.places) == ("network.timesteps", [4, 6])
    assert axis.names == ["timesteps = 4", "timesteps = 6"]
    assert not Axis.of(read(results, "base", "longer", "better")).numeric
    assert not Axis.of(read(results, "base", "opposite")).numeric  # lists are no numbers
    names = ["base", "longer", "again"]
    assert Axis.of(read(results, *names)).names == names  # a value twice tells no runs apart


def test_figures_show_the_means_of_all_runs(results: Path) -> None:
    runs = read(results, "base", "longer")
    made = {drawn.name: drawn for drawn in drawings(runs)}
    assert next(iter(made)) == "summary" and len(made) == 1 + 2 * 3
    table = compared(runs)
    figure = made["decoding_from_activations_additive"].figure
    panel = figure.axes[4 * 3]  # fc, category
    for name, line in zip(("base", "longer"), panel.lines[1:], strict=True):
        cells = table[
            (table["run"] == name)
            & (table["interaction"] == "additive")
            & (table["measure"] == "decoding from activations")
            & (table["layer"] == "fc")
            & (table["variable"] == "category")
        ]
        cells = cells[cells["timestep"] != "last timestep"]
        assert np.allclose(line.get_ydata(), cells["mean"])
        assert list(line.get_xdata()) == list(cells["timestep"])
    texts = {text.get_text() for text in made["summary"].figure.legends[0].texts}
    assert texts == {"multiplicative", "additive"}
    assert "base, additive: 62.0 %" in made["summary"].alt


def test_the_legend_of_the_summary_has_the_colours_of_the_points(results: Path) -> None:
    figure = next(iter(drawings(read(results, "feedforward", "feedforward2")))).figure
    legend = {line.get_label(): line.get_color() for line in figure.legends[0].get_lines()}
    assert list(legend) == ["multiplicative", "feedforward"]
    drawn = [line.get_color() for line in figure.axes[0].lines if line.get_marker() in ("o", "^")]
    assert drawn == list(legend.values())


def test_the_page_has_all_in_one_file(results: Path, tmp_path: Path) -> None:
    runs = read(results, "base", "better", "reseeded")
    table = compared(runs)
    drawn = next(iter(drawings(runs)))
    drawn.figure.savefig(tmp_path / "a.png", dpi=40)
    figures = [(drawn.title, drawn.caption, picture(tmp_path / "a.png", drawn.alt))]
    csv = table.to_csv(index=False)
    page = comparison(ROOT / "workflow/report/comparison.html.j2", runs, table, figures, csv)
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "They differ in 2 keys: run.seed, training.iterations." in page
    data = re.search(r'href="data:text/csv;base64,([^"]+)"', page)
    assert data and base64.b64decode(data[1]).decode() == csv
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert (
        "Compared with the first one, base: better over up to 3 pairs of networks with the same "
        "seed; reseeded as two independent samples, as the seeds differ."
    ) in text
    assert re.search(r"62\.0 \([\d.]+ to [\d.]+\)\s+67\.0 \(", text)
    assert re.search(r"\+5\.0 \([\d.]+ to [\d.]+\)", text)
    marked = page.count('class="chip unclear"')
    assert marked >= ((table["difference_low"] > 0) | (table["difference_high"] < 0)).sum() > 0

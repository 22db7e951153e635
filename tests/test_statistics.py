"""Bands, grouping, and errors due to a finite number of test scenes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from connection_tables import ablations_over_time, with_connections
from recurrence.distance import distances
from recurrence.scorecard import score
from recurrence.statistics import (
    Measurement,
    average,
    band,
    bands,
    concatenate,
    importance_errors,
    load,
    per_instance,
)


def test_band_by_hand() -> None:
    found = band([0.8, 0.9])
    half = 1.96 * 0.05 / 2**0.5
    assert found.mean == pytest.approx(0.85)
    assert (found.low, found.high) == pytest.approx((0.85 - half, 0.85 + half))
    assert found.instances == 2


def test_band_without_an_interval() -> None:
    one, none = band([0.7, np.nan]), band([])
    assert (one.mean, one.instances) == (0.7, 1)
    assert np.isnan(one.low)
    assert none.instances == 0


def test_repeats_are_averaged_before_variables() -> None:
    frame = pd.DataFrame(
        [
            ("multiplicative", 1, "location_horizontal", 0.2),
            ("multiplicative", 1, "location_horizontal", 0.4),
            ("multiplicative", 1, "location_horizontal", 0.6),
            ("multiplicative", 1, "location_vertical", 0.8),
            ("multiplicative", 1, "category_within", 0.1),
            ("multiplicative", 1, "category_between", 0.3),
            ("multiplicative", 2, "location_vertical", 0.5),
        ],
        columns=["interaction", "instance", "variable", "value"],
    )
    found = per_instance(frame, ["variable"], "value").set_index(["instance", "variable"])["value"]
    assert found.to_dict() == pytest.approx(
        {(1, "location"): 0.6, (1, "category"): 0.2, (2, "location"): 0.5}
    )


def test_bands_per_key() -> None:
    frame = pd.DataFrame({"layer": ["fc", "fc", "input"], "value": [0.2, 0.4, 0.9]})
    found = bands(frame, ["layer"], "value").set_index("layer")
    assert found.loc["fc", "mean"] == pytest.approx(0.3)
    assert found.loc["fc", "high"] == pytest.approx(0.3 + 1.96 * 0.1 / 2**0.5)
    assert found.loc["input", "instances"] == 1


def test_concatenation_names_instances_and_skips_empty_tables(tmp_path: Path) -> None:
    paths = [tmp_path / "additive" / f"instance{k}" / "training.csv" for k in (1, 2)]
    for path, text in zip(paths, ("iteration,loss\n10,2.5\n", "iteration,loss\n"), strict=True):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    expected = [["additive", 1, 10, 2.5]]
    assert concatenate(paths).to_numpy().tolist() == expected


def answers(random: np.random.Generator, scenes: int) -> np.ndarray:
    """Right answers (3, scenes) for original, systematic and control, on the same scenes."""
    ease = random.random(scenes)
    return np.stack([ease < 0.8, ease < 0.5, (ease < 0.72) ^ (random.random(scenes) < 0.05)])


def table_of(original: np.ndarray, systematic: np.ndarray, control: np.ndarray) -> pd.DataFrame:
    """One row of perturbation.csv."""
    alone = {"control_only": control & ~systematic, "systematic_only": systematic & ~control}
    counts = {name: scenes.sum() for name, scenes in alone.items()}
    counts |= {f"{name}_original": (scenes & original).sum() for name, scenes in alone.items()}
    means = original.mean(), systematic.mean(), control.mean()
    names = ("accuracy_original", "accuracy_systematic", "accuracy_control")
    row = dict(zip(names, means, strict=True)) | counts | {"n": original.size}
    return pd.DataFrame([row | {"functional_importance": (means[2] - means[1]) / means[0]}])


def test_the_error_of_an_importance_is_what_repeating_the_experiment_gives() -> None:
    random = np.random.default_rng(3)
    rows = pd.concat([table_of(*answers(random, 400)) for _ in range(3_000)])
    expected = rows["functional_importance"].std()
    assert importance_errors(rows, 1).mean() == pytest.approx(expected, rel=0.05)
    # Without the counts it is too large, as the answers are correlated.
    bare = rows.drop(columns=["n", "control_only", "systematic_only"])
    assert importance_errors(bare, 400).mean() > 1.2 * expected


def test_the_error_of_an_importance_never_vanishes() -> None:
    same = np.ones(200, bool)
    assert importance_errors(table_of(same, same, same), 1)[0] == pytest.approx(1 / 200)


def test_averages_of_measurements() -> None:
    one, two = Measurement(np.array([0.2, 0.4]), 0.03), Measurement(np.array([0.4, 0.8]), 0.04)
    assert average([one, two]).values == pytest.approx([0.3, 0.6])
    assert average([one, two]).error == pytest.approx(0.035)
    assert average([one, two], independent=True).error == pytest.approx(0.025)
    assert (two - one).values == pytest.approx([0.2, 0.4])
    assert (two - one).error == pytest.approx(0.05)
    assert Measurement(np.array([np.nan, 0.5])).mean == 0.5


def test_statistics_import_no_torch() -> None:
    code = "import sys, recurrence.scorecard, recurrence.report; assert 'torch' not in sys.modules"
    scripts = Path(__file__).parent.parent / "workflow" / "scripts"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(scripts)})


def test_only_what_the_paper_has_is_loaded(tmp_path: Path) -> None:
    """Rows of single connections, and of other ablations than that of the fc lateral one, change no claim."""
    published = Path(__file__).parents[1] / "data/published"
    for folder, add in (("without", lambda table: table), ("with", with_connections)):
        (tmp_path / folder).mkdir()
        accuracy = pd.read_csv(published / "accuracy.csv").assign(image="cluttered", n=1000)
        decoding = pd.read_csv(published / "decoding.csv").assign(image="cluttered", repeat=1)
        perturbation = pd.read_csv(published / "perturbation.csv").assign(repeat=1)
        ablation = ablations_over_time(["multiplicative", "additive"], 5, 4).query("timestep == 4")
        if folder == "without":
            ablation = ablation[ablation["removed"] == "fc"]
        tables = {"accuracy": accuracy, "ablation": ablation, "decoding": add(decoding)}
        tables["perturbation"] = add(perturbation.assign(rendering="compounded"))
        for name, table in tables.items():
            table.to_csv(tmp_path / folder / f"{name}.csv", index=False)
    theirs, without, ours = (
        load(each) for each in (published, *map(tmp_path.joinpath, ["without", "with"]))
    )
    whole = pd.read_csv(tmp_path / "with/decoding.csv")
    assert len(whole) == len(ours.decoding) + len(ours.connections["decoding"])
    assert not set(ours.connections["perturbation"]["connection"]) & {"all"}
    for judge in (score, distances):
        expected, found = (judge(each, theirs, 2_000, 5_000) for each in (without, ours))
        pd.testing.assert_frame_equal(found, expected)
        assert len(found)
    lost = score(ours, theirs, 2_000, 5_000).set_index("quantity")["reproduced"]
    mean = np.mean([0.06 + 0.003 * instance for instance in range(1, 6)])  # fc is the third
    assert lost["accuracy lost without the fc lateral connection"].tolist() == pytest.approx(
        2 * [mean]
    )

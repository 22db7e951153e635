"""Bands, grouping and scorecard: published tables must pass it, tables without effects must not."""

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recurrence import claims
from recurrence.claims import COLUMNS, summary
from recurrence.statistics import Band, Tables, band, bands, collect, load, per_instance
from recurrence.verdicts import NOT_REPRODUCED, REPRODUCED, TOO_FEW, agrees, exceeds

PUBLISHED = load(Path(__file__).parent.parent / "data" / "published")


def score(ours: Tables, scored: int = 2_000, perturbed: int = 5_000) -> pd.DataFrame:
    """The scorecard of tables that were made from as many scenes as the published ones."""
    return claims.score(ours, PUBLISHED, scored, perturbed)


@cache
def as_ours() -> Tables:
    """The published tables as if this project had found them, with made-up ablation and clutter."""
    instances = pd.MultiIndex.from_product(
        [["multiplicative", "additive"], range(1, 6)], names=["interaction", "instance"]
    )
    runs = instances.to_frame(index=False)
    clutter = runs.merge(pd.DataFrame({"timestep": [1, 2, 3, 4]}), how="cross")
    decoding = PUBLISHED.decoding
    scenes = decoding[decoding["layer"].eq("input") & decoding["timestep"].eq(1)]
    scenes = scenes.assign(repeat=scenes["instance"] + 5 * scenes["interaction"].eq("additive"))
    step = clutter["interaction"].map({"multiplicative": 0.2, "additive": 0.02})
    wobble = 0.001 * clutter["instance"]
    return dataclasses.replace(
        PUBLISHED,
        decoding=PUBLISHED.decoding.assign(repeat=1, image="cluttered"),
        perturbation=PUBLISHED.perturbation.assign(repeat=1, rendering="compounded"),
        accuracy=PUBLISHED.accuracy.assign(image="cluttered", n=10_000),
        ablation=runs.assign(
            accuracy_intact=0.8, accuracy_ablated=0.799 + 0.001 * runs["instance"]
        ),
        clutter=clutter.assign(relative=1 - (step + wobble) * (clutter["timestep"] - 1)),
        scene_decoding=scenes[["repeat", "variable", "accuracy"]],
    )


def verdicts(ours: Tables, claim: str, **wanted: str) -> set[str]:
    """The verdicts of the rows of ``claim`` whose columns contain the ``wanted`` texts."""
    rows = score(ours)
    rows = rows[rows["claim"] == claim]
    for column, text in wanted.items():
        rows = rows[rows[column].str.contains(text, regex=False)]
    assert len(rows)
    return set(rows["verdict"])


def test_band_by_hand() -> None:
    found = band([0.8, 0.9])
    half = 1.96 * 0.05 / 2**0.5
    assert found.mean == pytest.approx(0.85)
    assert (found.low, found.high) == pytest.approx((0.85 - half, 0.85 + half))
    assert found.instances == 2


def test_band_without_an_interval() -> None:
    one, none = band([0.7, np.nan]), band([])
    assert (one.mean, one.instances, one.lower, one.upper) == (0.7, 1, 0.7, 0.7)
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


def test_collect_names_instances_and_skips_empty_tables(tmp_path: Path) -> None:
    paths = [tmp_path / "additive" / f"instance{k}" / "training.csv" for k in (1, 2)]
    for path, text in zip(paths, ("iteration,loss\n10,2.5\n", "iteration,loss\n"), strict=True):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    expected = [["additive", 1, 10, 2.5]]
    assert collect(paths).to_numpy().tolist() == expected


def test_published_tables_pass_every_test() -> None:
    scorecard = score(as_ours())
    assert list(scorecard.columns) == list(COLUMNS)
    assert set(scorecard["claim"]) == {*"abcdefg", "numbers"}
    assert set(scorecard["verdict"]) == {REPRODUCED}, scorecard[scorecard["verdict"] != REPRODUCED]
    given = scorecard.dropna(subset="published")
    np.testing.assert_allclose(given["published"], given["reproduced"])


def test_scorecard_has_the_published_means() -> None:
    scorecard = score(as_ours()).set_index(["interaction", "quantity"])["reproduced"]
    for (interaction, quantity), value in {
        ("multiplicative", "test accuracy"): 0.812,
        ("additive", "auxiliary decoding, mean over layers (t = 4)"): 0.891,
        ("multiplicative", "category decoding, fc (t = 3)"): 0.492,
        ("multiplicative", "location importance, conv1 (t = 3)"): 0.67,
        ("additive", "category importance, conv2 (t = 4)"): 0.41,
    }.items():
        found = scorecard[interaction, quantity]
        first = found if isinstance(found, float) else found.iloc[0]
        assert first == pytest.approx(value, abs=0.005), quantity


def changed(table: str, column: str, rows: "pd.Series[bool]", values: Any) -> Tables:
    """Our tables with ``column`` of some ``rows`` of ``table`` changed."""
    frame: pd.DataFrame = getattr(as_ours(), table)
    frame = frame.assign(**{column: np.where(rows, values, frame[column])})
    return dataclasses.replace(as_ours(), **{table: frame})


def test_chance_is_no_auxiliary_information() -> None:
    decoding = as_ours().decoding
    noise = np.random.default_rng(0).normal(0.5, 0.01, len(decoding))
    ours = changed("decoding", "accuracy", decoding["variable"] != "category", noise)
    for claim in "ab":
        assert NOT_REPRODUCED in verdicts(ours, claim, quantity="growth")
        assert verdicts(ours, claim, quantity="lowest") == {NOT_REPRODUCED}


def test_one_layer_at_chance_fails_that_layer_alone() -> None:
    decoding = as_ours().decoding
    cell = (
        decoding["layer"].eq("conv2")
        & decoding["variable"].eq("scale")
        & decoding["timestep"].eq(2)
    )
    ours = changed("decoding", "accuracy", cell & decoding["source"].eq("activation"), 0.5)
    assert verdicts(ours, "a", quantity="lowest auxiliary decoding, conv2") == {NOT_REPRODUCED}
    assert verdicts(ours, "a", quantity="lowest auxiliary decoding, conv1") == {REPRODUCED}
    assert verdicts(ours, "b") == {REPRODUCED}


def test_time_reversed_is_no_growth() -> None:
    ours = as_ours()
    flow = ours.decoding["source"] == "recurrent_flow"
    timestep = np.where(flow, 6, 5) - ours.decoding["timestep"]
    ours = dataclasses.replace(ours, decoding=ours.decoding.assign(timestep=timestep))
    assert verdicts(ours, "a", quantity="growth") == verdicts(ours, "b", quantity="growth")
    assert verdicts(ours, "a", quantity="growth") == {NOT_REPRODUCED}


def test_no_importance_fails_c_d_and_g() -> None:
    perturbation = as_ours().perturbation
    ours = changed("perturbation", "functional_importance", perturbation["layer"] != "fc", 0.0)
    assert verdicts(ours, "c") == verdicts(ours, "d") == verdicts(ours, "g") == {NOT_REPRODUCED}
    assert verdicts(ours, "e") == {REPRODUCED}


def test_importance_at_fc_fails_e() -> None:
    perturbation = as_ours().perturbation
    cell = perturbation["layer"].eq("fc") & perturbation["variable"].eq("scale")
    ours = changed("perturbation", "functional_importance", cell, 0.1)
    assert verdicts(ours, "e", quantity="importance") == {NOT_REPRODUCED}


def test_costly_ablation_fails_e() -> None:
    ablation = as_ours().ablation
    assert ablation is not None
    rows = ablation["interaction"] == "additive"
    ours = changed("ablation", "accuracy_ablated", rows, 0.75 + 0.001 * ablation["instance"])
    assert verdicts(ours, "e", quantity="lateral", interaction="additive") == {NOT_REPRODUCED}
    assert verdicts(ours, "e", quantity="lateral", interaction="multiplicative") == {REPRODUCED}


def test_clutter_kept_or_equally_reduced_fails_f() -> None:
    ours = as_ours()
    assert ours.clutter is not None
    kept = dataclasses.replace(ours, clutter=ours.clutter.assign(relative=1.0))
    assert verdicts(kept, "f") == {NOT_REPRODUCED}
    shrunk = 1 - 0.2 * (ours.clutter["timestep"] - 1)
    equal = dataclasses.replace(ours, clutter=ours.clutter.assign(relative=shrunk))
    assert verdicts(equal, "f", interaction="multiplicative") == {REPRODUCED}
    assert verdicts(equal, "f", interaction="additive") == {NOT_REPRODUCED}


def test_within_and_between_exchanged_fails_g() -> None:
    exchange = {"category_within": "category_between", "category_between": "category_within"}
    perturbation = as_ours().perturbation
    perturbation = perturbation.assign(variable=perturbation["variable"].replace(exchange))
    assert verdicts(dataclasses.replace(as_ours(), perturbation=perturbation), "g") == {
        NOT_REPRODUCED
    }


def test_failures_of_barely_trained_networks_tell_nothing() -> None:
    ours = changed(
        "perturbation", "functional_importance", as_ours().perturbation["layer"] != "", 0.0
    )
    ours = dataclasses.replace(ours, accuracy=ours.accuracy.assign(accuracy=0.6))
    assert verdicts(ours, "c") == {TOO_FEW}
    assert verdicts(ours, "a") == {REPRODUCED}
    assert verdicts(ours, "numbers", quantity="test accuracy") == {TOO_FEW}


def test_no_effect_in_barely_trained_networks_tells_nothing() -> None:
    ours = dataclasses.replace(as_ours(), accuracy=as_ours().accuracy.assign(accuracy=0.6))
    assert verdicts(ours, "e") == verdicts(ours, "f", interaction="additive") == {TOO_FEW}
    none_published = {"quantity": "location importance, input", "interaction": "additive"}
    assert verdicts(ours, "numbers", **none_published) == {TOO_FEW}


def test_what_needs_no_training_is_never_excused_by_it() -> None:
    table = as_ours().scene_decoding
    assert table is not None
    wrong = table.assign(accuracy=table["accuracy"].where(table["variable"] != "scale", 0.9))
    ours = dataclasses.replace(as_ours(), scene_decoding=wrong)
    ours = dataclasses.replace(ours, accuracy=ours.accuracy.assign(accuracy=0.6))
    assert verdicts(ours, "numbers", quantity="scale decoding, input") == {NOT_REPRODUCED}
    assert verdicts(ours, "numbers", quantity="category decoding, input") == {REPRODUCED}


def test_accuracy_five_points_off_is_not_reproduced() -> None:
    ours = as_ours()
    ours = dataclasses.replace(
        ours, accuracy=ours.accuracy.assign(accuracy=ours.accuracy["accuracy"] - 0.05)
    )
    assert verdicts(ours, "numbers", quantity="test accuracy") == {NOT_REPRODUCED}


def test_agreement_by_hand() -> None:
    published = Band(0.80, 0.79, 0.81, 5)
    assert agrees(Band(0.83, 0.81, 0.85, 5), published, 0.0)
    assert not agrees(Band(0.83, 0.825, 0.835, 5), published, 0.0)
    assert agrees(Band(0.83, 0.825, 0.835, 5), published, 0.02)
    # One against one: +- 1.96 sd sqrt(1 + 1/5), which is the half-width times sqrt(6).
    assert agrees(Band(0.824, np.nan, np.nan, 1), published, 0.0)
    assert not agrees(Band(0.825, np.nan, np.nan, 1), published, 0.0)


def test_compounded_rendering_is_compared() -> None:
    ours = as_ours()
    other = ours.perturbation.assign(rendering="opposite", functional_importance=0.0)
    both = dataclasses.replace(ours, perturbation=pd.concat([other, ours.perturbation]))
    pd.testing.assert_frame_equal(score(both), score(ours))


def reduced() -> Tables:
    """One additive network with three timesteps."""

    def keep(frame: pd.DataFrame | None) -> pd.DataFrame:
        assert frame is not None
        frame = frame[(frame["interaction"] == "additive") & (frame["instance"] == 1)]
        return frame[frame["timestep"] <= 3] if "timestep" in frame else frame

    kept = vars(dataclasses.replace(as_ours(), scene_decoding=None))
    return Tables(**{name: keep(frame) for name, frame in kept.items() if frame is not None})


def test_one_network_with_three_timesteps() -> None:
    scorecard = score(reduced())
    assert set(scorecard["interaction"]) == {"additive"}
    assert set(scorecard["instances"]) == {1}
    assert scorecard["low"].isna().all()
    assert not scorecard["quantity"].str.contains("t = 4").any()
    assert "c" not in set(scorecard["claim"])
    assert scorecard.set_index("quantity").loc["test accuracy", "verdict"] == REPRODUCED
    assert scorecard["criterion"].str.contains("One instance|single published instance").all()


def test_feedforward_alone_is_not_scored() -> None:
    ours = as_ours()
    tables = Tables(
        accuracy=ours.accuracy.assign(interaction="feedforward"),
        decoding=ours.decoding.assign(interaction="feedforward"),
        perturbation=ours.perturbation.iloc[:0],
    )
    scorecard = score(tables)
    assert scorecard.empty
    text = summary(scorecard, tables.accuracy, "smoke")
    assert text.count("not tested") == 8
    assert "test accuracy, feedforward" in text


def test_networks_without_perturbations_are_scored_on_the_rest() -> None:
    ours = dataclasses.replace(
        as_ours(), perturbation=as_ours().perturbation.iloc[:0], ablation=None, clutter=None
    )
    assert set(score(ours)["claim"]) == {"a", "b", "numbers"}


def test_few_test_scenes_are_no_proof() -> None:
    weak = changed("decoding", "accuracy", as_ours().decoding["variable"] != "", 0.55)
    rows = score(weak, scored=50).set_index("quantity").filter(like="lowest", axis=0)
    assert set(rows["verdict"]) == {NOT_REPRODUCED}
    rows = score(weak).set_index("quantity").filter(like="lowest", axis=0)
    assert set(rows["verdict"]) == {REPRODUCED}


def test_exceeding_by_hand() -> None:
    found = Band(0.56, 0.53, 0.59, 5)
    assert exceeds(found, 0.5, 0.05) and not exceeds(found, 0.5, 0.053)  # 0.03 and 0.052: 0.06
    assert exceeds(Band(0.56, np.nan, np.nan, 1), 0.5, 0.05)


def test_what_was_not_decoded_has_no_row() -> None:
    decoding = as_ours().decoding
    ours = dataclasses.replace(as_ours(), decoding=decoding[decoding["variable"] == "scale"])
    assert not score(ours)["reproduced"].isna().any()


def test_summary_counts() -> None:
    ours = changed(
        "perturbation", "functional_importance", as_ours().perturbation["layer"] != "fc", 0.0
    )
    text = summary(score(ours), ours.accuracy, "quick")
    assert "Run 'quick'" in text
    assert "multiplicative  2 not reproduced" in text.split("(c)")[1].split("(d)")[0]
    assert "test accuracy, multiplicative: 0.812" in text

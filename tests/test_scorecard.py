"""The scorecard: published tables must pass, tables without the published effects must not."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from recurrence import scorecard as cards
from recurrence.names import CHANCE
from recurrence.scorecard import COLUMNS, summary
from recurrence.statistics import Tables
from recurrence.verdicts import CANNOT_TELL, NO_VERDICT, NOT_REPRODUCED, REPRODUCED, TOO_FEW
from scored import (
    PUBLISHED,
    REFUSED,
    as_ours,
    changed,
    first,
    importance,
    pattern_of,
    score,
    verdicts,
)


def test_published_tables_pass_every_test() -> None:
    scorecard = score(as_ours())
    assert list(scorecard.columns) == list(COLUMNS)
    assert set(scorecard["claim"]) == {*"abcdefg", "numbers", "distance"}
    assert len(scorecard) == 106
    assert set(scorecard["verdict"]) == {REPRODUCED}, scorecard[scorecard["verdict"] != REPRODUCED]
    given = scorecard[scorecard["claim"] != "distance"].dropna(subset="published")
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


def test_chance_is_no_auxiliary_information() -> None:
    decoding = as_ours().decoding
    noise = np.random.default_rng(0).normal(0.5, 0.01, len(decoding))
    ours = changed("decoding", "accuracy", decoding["variable"] != "category", noise)
    for claim in "ab":
        assert verdicts(ours, claim, quantity="growth") <= REFUSED
        assert verdicts(ours, claim, quantity="lowest") == {NOT_REPRODUCED}


def test_one_layer_at_chance_fails_only_that_layer() -> None:
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
    assert verdicts(kept, "f", interaction="multiplicative") == {NOT_REPRODUCED}
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


def test_failures_of_barely_trained_networks_show_nothing() -> None:
    ours = changed(
        "perturbation", "functional_importance", as_ours().perturbation["layer"] != "", 0.0
    )
    ours = dataclasses.replace(ours, accuracy=ours.accuracy.assign(accuracy=0.6))
    assert verdicts(ours, "c") == {TOO_FEW}
    assert verdicts(ours, "a") == {REPRODUCED}
    assert verdicts(ours, "numbers", quantity="test accuracy") == {TOO_FEW}


def test_no_effect_in_barely_trained_networks_shows_nothing() -> None:
    ours = dataclasses.replace(as_ours(), accuracy=as_ours().accuracy.assign(accuracy=0.6))
    assert verdicts(ours, "e") == verdicts(ours, "f", interaction="additive") == {TOO_FEW}
    none_published = {"quantity": "location importance, input", "interaction": "additive"}
    assert verdicts(ours, "numbers", **none_published) == {TOO_FEW}


def test_what_needs_no_training_is_not_excused_by_little_of_it() -> None:
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


# Tables with a clear verdict. An earlier scorecard took each of them for a reproduction.


def test_a_decoder_below_chance_is_not_hidden_by_an_uncertain_one() -> None:
    table = as_ours().decoding
    here = table["source"].eq("activation") & table["layer"].eq("conv2") & table["timestep"].eq(4)
    below = table["accuracy"].where(~(here & table["variable"].eq("scale")), 0.46)
    wide = below.where(~(here & table["variable"].eq("orientation") & table["instance"].eq(1)), 0.3)
    for values in (below, wide):
        ours = dataclasses.replace(as_ours(), decoding=table.assign(accuracy=values))
        lowest = {"quantity": "lowest auxiliary decoding, conv2 activation (scale, t = 4)"}
        assert verdicts(ours, "a", **lowest) == {NOT_REPRODUCED}


def test_the_importance_at_fc_that_is_shown_has_the_verdict() -> None:
    """One effect that is uncertain but nearer to a limit, and one that is there beyond doubt."""
    table = as_ours().perturbation
    fc, variable = table["layer"].eq("fc"), table["variable"]
    values = table["functional_importance"].where(~fc, 0.0)
    spread = table["instance"].map({1: 0.1, 2: -0.1, 3: 0.2, 4: -0.2, 5: 0.0})
    values = values.where(~(fc & variable.eq("scale") & table["timestep"].eq(3)), spread)
    for sure, expected in ((0.0, CANNOT_TELL), (0.08, NOT_REPRODUCED)):
        cell = fc & variable.eq("orientation") & table["timestep"].eq(2)
        rows = score(importance(values.where(~cell, sure)))
        row = rows[rows["quantity"].str.startswith("importance at fc")].iloc[0]
        shown = "orientation, t = 2" if sure else "scale, t = 3"
        assert row["quantity"] == f"importance at fc ({shown})"
        assert row["verdict"] == expected
        assert row["reproduced"] == pytest.approx(sure)


def test_an_effect_that_is_strong_at_another_timestep_is_not_refused() -> None:
    table = as_ours().perturbation
    cell = table["interaction"].eq("multiplicative") & table["layer"].eq("conv2")
    cell &= table["variable"].eq("orientation")
    wobble = table["instance"].map({1: 0.02, 2: -0.02, 3: 0.025, 4: -0.025, 5: 0.0})
    strong = np.where(table["timestep"].eq(2), 0.075 + wobble, 0.03)
    rows = score(importance(table["functional_importance"].where(~cell, strong)))
    row = rows[rows["quantity"].eq("strongest orientation importance, conv2 (t = 2)")].iloc[0]
    assert row["interaction"] == "multiplicative" and row["low"] < 0.04
    assert row["published"] == pytest.approx(0.106, abs=0.001)  # at t = 4, the published strongest
    assert row["verdict"] == CANNOT_TELL


@pytest.mark.parametrize("variable", ["category", "location", "scale", "orientation"])
def test_chance_agrees_with_no_published_decoding(variable: str) -> None:
    table = as_ours().scene_decoding
    assert table is not None
    own = table["variable"].str.startswith(variable)
    ours = table.assign(accuracy=table["accuracy"].where(~own, CHANCE[variable]))
    where = {"quantity": f"{variable} decoding, input (t = 1)", "interaction": "scenes alone"}
    assert verdicts(as_ours(), "numbers", **where) == {REPRODUCED}
    ours = dataclasses.replace(as_ours(), scene_decoding=ours)
    assert verdicts(ours, "numbers", **where) <= REFUSED


@pytest.mark.parametrize("count", [1, 2, 5])
def test_networks_without_any_effect_reproduce_no_claim(count: int) -> None:
    ours = first(as_ours(), count)
    assert ours.clutter is not None
    chance = np.where(ours.decoding["variable"] == "category", 0.05, 0.5)
    ours = dataclasses.replace(
        ours,
        decoding=ours.decoding.assign(accuracy=chance),
        perturbation=ours.perturbation.assign(functional_importance=0.0),
        clutter=ours.clutter.assign(relative=1.0),
    )
    rows = score(ours)
    rows = rows[~((rows["claim"] == "f") & (rows["interaction"] == "additive"))]
    for claim in [*"abcdfg", "distance"]:
        assert REPRODUCED not in set(rows.loc[rows["claim"] == claim, "verdict"]), claim


def test_a_wide_spread_is_no_agreement() -> None:
    ours = first(as_ours(), 2)

    def extremes(frame: pd.DataFrame, column: str, low: float) -> pd.DataFrame:
        return frame.assign(**{column: np.where(frame["instance"] == 2, 1.0, low)})

    ours = dataclasses.replace(
        ours,
        accuracy=extremes(ours.accuracy, "accuracy", 0.6),
        decoding=extremes(ours.decoding, "accuracy", 0.05),
        perturbation=extremes(ours.perturbation, "functional_importance", -0.5),
        scene_decoding=None,
    )
    rows = score(ours).set_index("claim")
    for claim in ("numbers", "distance", "c", "d"):
        assert set(rows.loc[claim, "verdict"]) <= REFUSED


def test_importance_at_fc_with_an_interval_that_reaches_0_is_no_absence() -> None:
    perturbation = as_ours().perturbation
    cell = perturbation["layer"].eq("fc") & perturbation["variable"].eq("scale")
    ours = changed(
        "perturbation", "functional_importance", cell, 0.18 * (perturbation["instance"] - 1.6)
    )
    rows = score(ours)
    row = rows[rows["quantity"].str.contains("importance at fc")].iloc[0]
    assert row["low"] < 0 and row["reproduced"] == pytest.approx(0.252)
    assert row["verdict"] == CANNOT_TELL


@pytest.mark.parametrize(
    ("multiplicative", "additive", "expected"),
    [
        (0.999, 0.9999, [NOT_REPRODUCED, REPRODUCED]),
        (1.05, 1.00, [NOT_REPRODUCED, REPRODUCED]),
        (0.85, 0.99, [REPRODUCED, REPRODUCED]),
        (0.80, 0.80, [REPRODUCED, NOT_REPRODUCED]),
        (0.80, 0.85, [REPRODUCED, NOT_REPRODUCED]),
    ],
)
@pytest.mark.parametrize("count", [1, 5])
def test_clutter_has_to_be_reduced_by_as_much_as_counts(
    multiplicative: float, additive: float, expected: list[str], count: int
) -> None:
    ours = first(as_ours(), count)
    assert ours.clutter is not None
    left = ours.clutter["interaction"].map({"multiplicative": multiplicative, "additive": additive})
    ours = dataclasses.replace(
        ours, clutter=ours.clutter.assign(relative=left.where(ours.clutter["timestep"] > 1, 1.0))
    )
    rows = score(ours)
    assert rows.loc[rows["claim"] == "f", "verdict"].tolist() == expected


def test_nearly_as_much_clutter_as_the_other_interaction_leaves_is_comparable() -> None:
    ours = as_ours()
    assert ours.clutter is not None
    left = ours.clutter["interaction"].map({"multiplicative": 0.87, "additive": 0.885})
    left = left.where(ours.clutter["timestep"] > 1, 1.0)
    ours = dataclasses.replace(ours, clutter=ours.clutter.assign(relative=left))
    assert verdicts(ours, "f", interaction="multiplicative") == {REPRODUCED}
    assert verdicts(ours, "f", interaction="additive") == {NOT_REPRODUCED}


def test_an_importance_of_0_0083_is_not_the_published_one() -> None:
    perturbation = as_ours().perturbation
    cell = perturbation["layer"].eq("input") & perturbation["variable"].str.startswith("location")
    ours = changed("perturbation", "functional_importance", cell, 0.0083)
    assert verdicts(ours, "c") == {NOT_REPRODUCED}


def test_rows_that_the_published_networks_fail_are_left_out() -> None:
    quantities = score(as_ours()).set_index("interaction")["quantity"]
    counts = {
        interaction: sum(
            f"strongest scale importance, {layer}" in q for q in quantities[interaction]
        )
        for interaction in ("multiplicative", "additive")
        for layer in ("conv1",)
    }
    assert counts == {"multiplicative": 1, "additive": 0}
    assert not quantities.str.contains("strongest scale importance, conv2").any()
    assert "category importance, conv2 (t = 2)" not in set(quantities["additive"])
    assert "category importance, conv2 (t = 2)" in set(quantities["multiplicative"])


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

    kept = {**vars(as_ours())}
    del kept["scene_decoding"], kept["connections"]
    return Tables(**{name: keep(frame) for name, frame in kept.items()})


def test_one_network_with_three_timesteps() -> None:
    scorecard = score(reduced())
    assert set(scorecard["interaction"]) == {"additive"}
    assert set(scorecard["instances"]) == {1}
    assert (scorecard["low"] < scorecard["high"]).sum() >= len(
        scorecard
    ) - 2  # except for distances
    assert not scorecard["quantity"].str.contains("t = 4").any()
    assert "c" not in set(scorecard["claim"])
    assert scorecard.set_index("quantity").loc["test accuracy", "verdict"] == REPRODUCED
    distance = scorecard[scorecard["claim"] == "distance"]
    assert set(distance["verdict"]) == {CANNOT_TELL}  # cells at t = 4 are missing


def test_feedforward_alone_is_not_scored() -> None:
    ours = as_ours()
    tables = Tables(
        accuracy=ours.accuracy.assign(interaction="feedforward"),
        decoding=ours.decoding.assign(interaction="feedforward"),
        perturbation=ours.perturbation.iloc[:0],
    )
    scorecard = score(tables)
    assert scorecard.empty
    text = summary(scorecard, tables.accuracy, "smoke", [])
    assert text.count("not tested") == 10
    assert "test accuracy, feedforward" in text


def test_networks_without_perturbations_are_scored_on_the_rest() -> None:
    ours = dataclasses.replace(
        as_ours(), perturbation=as_ours().perturbation.iloc[:0], ablation=None, clutter=None
    )
    assert set(score(ours)["claim"]) == {"a", "b", "numbers", "distance"}


def test_few_test_scenes_are_no_proof() -> None:
    weak = changed("decoding", "accuracy", as_ours().decoding["variable"] != "", 0.55)
    rows = score(weak, scored=50).set_index("quantity").filter(like="lowest", axis=0)
    assert set(rows["verdict"]) <= REFUSED
    rows = score(weak).set_index("quantity").filter(like="lowest", axis=0)
    assert set(rows["verdict"]) == {REPRODUCED}


@pytest.mark.parametrize("missing", [["location_vertical"], ["location_vertical", "orientation"]])
def test_what_was_not_decoded_is_not_claimed(missing: list[str]) -> None:
    decoding = as_ours().decoding
    ours = dataclasses.replace(as_ours(), decoding=decoding[~decoding["variable"].isin(missing)])
    for claim in "ab":
        assert verdicts(ours, claim) == {CANNOT_TELL}
    assert pattern_of(ours).startswith("It cannot be told whether")
    another = cards.score(ours, PUBLISHED, 2_000, 5_000, comparable=False)
    assert not another["reproduced"].isna().any()


def test_summary_counts() -> None:
    ours = changed(
        "perturbation", "functional_importance", as_ours().perturbation["layer"] != "fc", 0.0
    )
    text = summary(score(ours), ours.accuracy, "quick", [])
    assert "Run 'quick'" in text
    assert "multiplicative  2 not reproduced" in text.split("(c)")[1].split("(d)")[0]
    assert "test accuracy, multiplicative: 0.812" in text


def test_another_design_has_values_but_no_verdicts() -> None:
    usual = score(as_ours())
    rows = cards.score(as_ours(), PUBLISHED, 2_000, 5_000, comparable=False)
    claimed = usual[usual["claim"].isin([*"abcdefg"])]
    same = ["claim", "interaction", "quantity", "reproduced", "low", "high"]
    pd.testing.assert_frame_equal(rows[same], claimed[same].reset_index(drop=True))
    assert set(rows["verdict"]) == {NO_VERDICT}
    assert rows["published"].isna().all()
    lines = summary(rows, as_ours().accuracy, "quick", ["network.units"]).split("\n")
    assert lines[1].startswith("This run is not of the paper's design")
    assert "network.units" in lines[1]
    assert not any(word in " ".join(lines) for word in ("not reproduced", "tests reproduced"))

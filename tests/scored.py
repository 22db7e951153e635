"""Tables with known verdicts, made from the published ones, and their scorecard."""

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recurrence import scorecard as cards
from recurrence.scorecard import summary
from recurrence.statistics import Tables, load
from recurrence.verdicts import CANNOT_TELL, NOT_REPRODUCED

PUBLISHED = load(Path(__file__).parent.parent / "data" / "published")
REFUSED = {NOT_REPRODUCED, CANNOT_TELL}


def score(ours: Tables, scored: int = 2_000, perturbed: int = 5_000) -> pd.DataFrame:
    """The scorecard of tables with as many scenes as the published ones."""
    return cards.score(ours, PUBLISHED, scored, perturbed)


@cache
def as_ours() -> Tables:
    """The published tables in place of ours, with made-up ablation and clutter."""
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


def pattern_of(ours: Tables) -> str:
    """The second line of the summary."""
    return summary(score(ours), ours.accuracy, "run", []).split("\n\n")[0].split("\n", 1)[1]


def changed(table: str, column: str, rows: "pd.Series[bool]", values: Any) -> Tables:
    """Our tables with ``column`` of some ``rows`` of ``table`` changed."""
    frame: pd.DataFrame = getattr(as_ours(), table)
    frame = frame.assign(**{column: np.where(rows, values, frame[column])})
    return dataclasses.replace(as_ours(), **{table: frame})


def exchanged(tables: Tables) -> Tables:
    """The two interactions' tables under each other's name."""
    other = {"multiplicative": "additive", "additive": "multiplicative"}
    frames = {
        name: frame.assign(interaction=frame["interaction"].replace(other))
        for name, frame in vars(tables).items()
        if name not in ("scene_decoding", "connections")
    }
    return dataclasses.replace(tables, **frames)


def importance(values: Any) -> Tables:
    """Our tables with other importances."""
    return dataclasses.replace(
        as_ours(), perturbation=as_ours().perturbation.assign(functional_importance=values)
    )


def first(tables: Tables, count: int) -> Tables:
    """The first networks of each interaction."""
    frames = {
        name: frame[frame["instance"] <= count]
        for name, frame in vars(tables).items()
        if name not in ("scene_decoding", "connections")
    }
    return dataclasses.replace(tables, **frames)

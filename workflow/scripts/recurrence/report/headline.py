"""The first screen of the report: the paper's central claim, accuracies, and the distance to the published networks.

Imports no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from recurrence.distance import QUANTITIES
from recurrence.pages import interval, number
from recurrence.statistics import band, select
from recurrence.verdicts import (
    NO_VERDICT,
    NOT_REPRODUCED,
    REPRODUCED,
    SHORT_OF_TRAINING,
    TOO_FEW,
    WORST_FIRST,
)

CENTRAL = (
    "Recurrent networks that learn to name objects keep information that says nothing about the category, "
    "send it back along their recurrent connections, and use it."
)
# The parts of the central claim (that information is ...), and the claims of the scorecard that test them.
PARTS = {
    "kept in every layer": ("a",),
    "sent back to every layer": ("b",),
    "used to name objects": ("c", "d"),
}
NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Part:
    """A part of the central claim: its verdict, and how many of its tests were reproduced."""

    text: str
    claims: tuple[str, ...]
    verdict: str
    reproduced: int
    tests: int


@dataclass(frozen=True)
class Number:
    """A number of an interaction's networks and that of the published ones, as text; empty if there is none."""

    ours: str
    published: str = ""


@dataclass(frozen=True)
class Numbers:
    """The numbers of the first screen: a column for each interaction, a row for each quantity."""

    columns: dict[str, int]  # the networks of each interaction
    rows: dict[str, list[Number]]


def parts(scorecard: pd.DataFrame) -> list[Part]:
    """The parts of the central claim. The worst verdict of a part's tests is that of the part."""
    judged = []
    for text, claims in PARTS.items():
        verdicts = scorecard.loc[scorecard["claim"].isin(claims), "verdict"].tolist()
        worst = min(verdicts, key=WORST_FIRST.index, default=NOT_TESTED)
        judged.append(Part(text, claims, worst, verdicts.count(REPRODUCED), len(verdicts)))
    return judged


def answer(judged: Sequence[Part]) -> str:
    """Whether the central claim is reproduced, in a sentence or two."""
    verdicts = [part.verdict for part in judged]
    whole, part, tests = (
        verdicts.count(REPRODUCED),
        sum(each.reproduced for each in judged),
        sum(each.tests for each in judged),
    )
    share = f"{part} of its {tests} tests come out as published"
    if whole == len(judged):
        return f"This run reproduces it: all of its {tests} tests come out as published."
    if not tests:
        return "This run does not test it."
    if NOT_REPRODUCED in verdicts:
        start = (
            "This run reproduces only a part of it" if part else "This run does not reproduce it"
        )
        return f"{start}: {share}, and others contradict it."
    reason = ""
    if TOO_FEW in verdicts:
        reason = (
            " The networks were trained too little: their test accuracy is more than "
            f"{100 * SHORT_OF_TRAINING:.0f} percentage points below the published one."
        )
    if not part:
        return f"This run cannot tell.{reason}"
    return f"This run supports it, but cannot confirm all of it: {share}, and none contradicts it.{reason}"


def numbers(ours: pd.DataFrame, published: pd.DataFrame, scorecard: pd.DataFrame) -> Numbers:
    """Test accuracies, distances to the published means, and how many tests are reproduced.

    ``ours`` and ``published`` are the tables of test accuracy. Of distances, the published number is that of the
    farthest published network.
    """
    here = select(ours, image="cluttered")
    columns = here.groupby("interaction", sort=False)["instance"].nunique()
    names = [str(name) for name in columns.index]
    rows = {"test accuracy (%)": [_accuracy(here, published, name) for name in names]}
    for quantity in QUANTITIES:
        far = [_distance(scorecard, quantity, name) for name in names]
        rows[f"distance, {quantity}"] = far
    rows["tests reproduced"] = [_reproduced(scorecard, name) for name in names]
    return Numbers(
        dict(zip(names, map(int, columns), strict=True)),
        {title: row for title, row in rows.items() if any(number.ours for number in row)},
    )


def _accuracy(ours: pd.DataFrame, published: pd.DataFrame, name: str) -> Number:
    here, there = (
        band(100 * select(frame, interaction=name)["accuracy"]) for frame in (ours, published)
    )
    return Number(interval(here, 1), interval(there, 1) if there.instances else "")


def _distance(scorecard: pd.DataFrame, quantity: str, name: str) -> Number:
    rows = select(scorecard, claim="distance", interaction=name)
    for row in rows[rows["quantity"].str.endswith(quantity)].to_dict("records"):
        return Number(number(row["reproduced"]), f"up to {number(row['published'])}")
    return Number("")


def _reproduced(scorecard: pd.DataFrame, name: str) -> Number:
    verdicts = select(scorecard, interaction=name)["verdict"]
    verdicts = verdicts[verdicts != NO_VERDICT]
    return Number(f"{(verdicts == REPRODUCED).sum()} of {len(verdicts)}" if len(verdicts) else "")

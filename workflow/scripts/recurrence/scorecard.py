"""The scorecard: the paper's claims, its numbers and the whole pattern, tested on a run. Imports no torch."""

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from operator import attrgetter, methodcaller

import pandas as pd

from recurrence.claims import CLAIMS, JUDGES, SMALLEST_IMPORTANCE, Checks
from recurrence.controls import control_rows
from recurrence.design import stated
from recurrence.distance import PUBLISHED_SCENES, QUANTITIES, Reach, distances, reach
from recurrence.names import (
    CHANCE,
    DECODED_VARIABLES,
    FEEDFORWARD,
    GROUPS,
    LAYERS,
    PUBLISHED_INTERACTIONS,
)
from recurrence.statistics import Evidence, Measurement, Tables, band, binomial_error, select
from recurrence.verdicts import (
    CANNOT_TELL,
    NO_VERDICT,
    NOT_REPRODUCED,
    REPRODUCED,
    SHORT_OF_TRAINING,
    TOO_FEW,
    Case,
    Check,
    Row,
    Spread,
    agreement,
)

# The smallest differences of numbers that count; of importance it is that of the claims.
SMALLEST_ACCURACY = 0.03  # of test accuracy, and of decoding that is a mean over many decoders
SMALLEST_DECODING = 0.05  # of a single decoder
WIDTH = 100  # of the summary
COLUMNS = tuple(field.name for field in fields(Row))
VERDICTS = (REPRODUCED, NOT_REPRODUCED, CANNOT_TELL, TOO_FEW, NO_VERDICT)
EXPLANATIONS = {
    CANNOT_TELL: "a limit is inside the interval: more networks or test scenes are needed. Or the run lacks "
    "something that the test needs.",
    TOO_FEW: f"the test accuracy is more than {100 * SHORT_OF_TRAINING:.0f} points below the "
    "published one. When networks have learned so little, a missing effect shows nothing, whether "
    "it was published or not.",
    NO_VERDICT: "the paper says nothing about it: the run has other datasets, scenes, layers, timesteps or "
    "connections, or the row is about a control that the paper does not have.",
}


def published_numbers(case: Case) -> Checks:
    """Compare the numbers of docs/experiment.md 6 with the published means.

    A number for which the published networks fail the test themselves is left out.
    """

    def compare(
        quantity: str,
        measure: Callable[[Evidence], Measurement],
        smallest: float,
        chance: float | None = None,
    ) -> Checks:
        ours, published = measure(case.ours), measure(case.published)
        if ours.sample.size and published.sample.size:
            rule = agreement(published, smallest, chance)
            spread = Spread.between(published.sample)
            if rule.verdict(published, spread) == REPRODUCED:
                yield Check("numbers", quantity, rule, ours, published)

    yield from compare(
        "test accuracy", attrgetter("accuracy"), SMALLEST_ACCURACY, CHANCE["category"]
    )
    for t in case.timesteps("activation"):
        quantity = f"auxiliary decoding, mean over layers (t = {t})"
        measure = methodcaller("auxiliary", "activation", LAYERS, t)
        yield from compare(quantity, measure, SMALLEST_ACCURACY, CHANCE["location"])
    for t in case.timesteps("activation"):
        measure = methodcaller("decoded", "activation", "fc", "category", t)
        quantity = f"category decoding, fc (t = {t})"
        yield from compare(quantity, measure, SMALLEST_DECODING, CHANCE["category"])
    for layer, variable in (
        ("input", "location"),
        ("conv1", "location"),
        ("conv1", "category"),
        ("conv2", "category"),
    ):
        for t in case.perturbed_timesteps:
            quantity = f"{variable} importance, {layer} (t = {t})"
            measure = methodcaller("important", layer, variable, t)
            yield from compare(quantity, measure, SMALLEST_IMPORTANCE)


def scene_numbers(table: pd.DataFrame, published: list[Evidence], scored: int) -> list[Row]:
    """Compare decoding from the scenes themselves with the published values from the input, t = 1.

    It needs no network, so training is no reason for a failure. Our values vary over repeats with
    different scenes, the published ones over the networks of both interactions.
    """
    table = table.assign(group=table["variable"].replace(GROUPS))
    repeats = table.groupby(["group", "repeat"])["accuracy"].agg(["mean", "size"]).reset_index()
    rows = []
    for variable in DECODED_VARIABLES:
        ours = repeats[repeats["group"] == variable]
        if ours.empty:
            continue
        values = ours["mean"].to_numpy(dtype="float64")
        error = binomial_error(values.mean(), scored * ours["size"].sum())
        networks = [e.decoded("activation", "input", variable, 1).values for e in published]
        theirs = Measurement(pd.Series(networks).explode().to_numpy(dtype="float64"))
        rule = agreement(theirs, SMALLEST_DECODING, CHANCE[variable])
        rule = replace(rule, trained=False)
        quantity = f"{variable} decoding, input (t = 1)"
        check = Check("numbers", quantity, rule, Measurement(values, error), theirs)
        rows.append(check.row(Case("scenes alone", published[0], published[0])))
    return rows


def distance_rows(table: pd.DataFrame, cases: list[Case], published: Tables) -> Iterator[Row]:
    """A row for each quantity and interaction of distance.csv, the ``table``."""
    for quantity in QUANTITIES:
        for case in cases:
            rows = select(table, interaction=case.interaction, quantity=quantity)
            if len(rows):
                single, together = (
                    reach(published, quantity, case.interaction, networks)
                    for networks in (1, len(rows))
                )
                yield distance_row(rows, case, quantity, single, together)


def distance_row(
    rows: pd.DataFrame, case: Case, quantity: str, single: Reach, together: Reach
) -> Row:
    """Judge the distances of an interaction's networks: ``rows`` of distance.csv.

    ``single`` and ``together`` are how far one network of the published kind can be, and the mean of as many.
    """
    differences, correlations = rows["mean_absolute_difference"], rows["correlation"]
    difference, correlation = differences.mean(), correlations.mean()
    limit, noise = rows["published_mean_absolute_difference"].max(), rows["sampling_noise"].mean()
    chance = max(0.0, noise - single.noise)
    judged = rows["within"].notna().all()
    too_far = difference - chance > together.farthest.difference
    if too_far or (judged and correlation < together.farthest.correlation):
        verdict = NOT_REPRODUCED
    elif (
        judged
        and difference <= limit
        and correlation >= rows["published_correlation"].min()
        and (differences <= single.farthest.difference).all()
        and (correlations >= single.farthest.correlation).all()
    ):
        verdict = REPRODUCED
    else:
        verdict = CANNOT_TELL
    return Row(
        claim="distance",
        interaction=case.interaction,
        quantity=f"mean absolute difference to the published means, {quantity}",
        published=limit,
        reproduced=difference,
        low=differences.min(),
        high=differences.max(),
        instances=len(rows),
        verdict=TOO_FEW if case.short and verdict == NOT_REPRODUCED else verdict,
        lower_limit=float("nan"),
        upper_limit=limit,
        sampling_error=noise,
        criterion="The mean over networks of their distance (tables/distance.csv) is no larger, and of their "
        "correlation no smaller, than the worst that a published network has when it is left out; and no network is "
        "farther away than one of the published kind could be. The row fails if the mean is farther away than that of "
        "as many networks of the published kind could be. Low and high: the nearest and the farthest network.",
    )


def score(
    ours: Tables, published: Tables, scored: int, perturbed: int, comparable: bool = True
) -> pd.DataFrame:
    """Test each claim and number, for each interaction that the paper has: columns as in Row.

    ``scored`` and ``perturbed`` are the test scenes in a repeat of decoding and of perturbation. Without
    any data there is no row. A run that is not of the paper's design is not ``comparable``: it has the claims'
    measured values and intervals, but no published ones and no verdicts.
    """
    present = [
        name for name in PUBLISHED_INTERACTIONS if (ours.accuracy["interaction"] == name).any()
    ]
    evidence = {name: Evidence.of(ours, name, scored, perturbed) for name in present}
    reference = {
        name: Evidence.of(published, name, *PUBLISHED_SCENES.values())
        for name in PUBLISHED_INTERACTIONS
    }
    cases = []
    for name in present:
        other = next((evidence[each] for each in present if each != name), None)
        cases.append(Case(name, evidence[name], reference[name], other))
    claimed = [
        check.row(case)
        for judge in JUDGES
        for case in cases
        for check in judge(case)
        if comparable or check.ours.sample.size
    ]
    controls = {
        name: Evidence.of(ours, name, scored, perturbed)
        for name in FEEDFORWARD
        if (ours.accuracy["interaction"] == name).any()
    }
    compared = control_rows(evidence, controls)
    if not comparable:
        both = [asdict(row) for row in (*claimed, *compared)]
        frame = pd.DataFrame(both, columns=list(COLUMNS))
        return frame.assign(published=float("nan"), verdict=NO_VERDICT)
    table = distances(ours, published, scored, perturbed)
    rows = [*distance_rows(table, cases, published), *claimed]
    rows += [check.row(case) for case in cases for check in published_numbers(case)]
    if ours.scene_decoding is not None:
        rows += scene_numbers(ours.scene_decoding, [*reference.values()], scored)
    rows += compared
    return pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))


def pattern(scorecard: pd.DataFrame) -> str:
    """A sentence that says whether the whole pattern is the published one."""
    rows = select(scorecard, claim="distance")
    if rows.empty:
        return "The whole pattern was not compared with the published one."
    judged = [name for name in PUBLISHED_INTERACTIONS if (scorecard["interaction"] == name).any()]
    found = {
        f"{row['quantity'].rpartition(', ')[2]} ({row['interaction']})": row
        for row in rows.to_dict("records")
    }
    far = [
        f"{name}: {row['reproduced']:.3f} from the published means (published networks: up to {row['published']:.3f})"
        + (", with a lower correlation" if row["reproduced"] <= row["published"] else "")
        for name, row in found.items()
        if row["verdict"] in (NOT_REPRODUCED, TOO_FEW)
    ]
    if far:
        return f"The pattern is NOT the published one. {'; '.join(far)}."
    wanted = [f"{quantity} ({name})" for quantity in QUANTITIES for name in judged]
    if missing := [name for name in wanted if name not in found]:
        return f"Only a part of the pattern was compared with the published one, without {', '.join(missing)}."
    unclear = [name for name, row in found.items() if row["verdict"] == CANNOT_TELL]
    if unclear:
        return (
            "It cannot be told whether the pattern is the published one: too few test scenes or cells, or networks "
            f"farther away than the published ones, but not beyond doubt, in {', '.join(unclear)}."
        )
    whole = "no farther away than the published networks are from each other"
    failed = scorecard.loc[scorecard["verdict"] == NOT_REPRODUCED, "claim"].value_counts(sort=False)
    if len(failed):
        counts = zip(failed.index.astype(str), failed, strict=True)
        parts = [f"{count} in {f'({name})' if len(name) == 1 else name}" for name, count in counts]
        return (
            f"The pattern is the published one on average only: {whole}, but some tests are not reproduced: "
            f"{', '.join(parts)}."
        )
    return f"The pattern is the published one: {whole}."


def summary(
    scorecard: pd.DataFrame, accuracy: pd.DataFrame, run: str, departures: list[str]
) -> str:
    """A plain text with the accuracies, and how many rows of each claim were reproduced.

    ``departures`` are the keys in which the run departs from the paper's design, if it does.
    """
    count = (scorecard["verdict"] == REPRODUCED).sum()
    tests = (scorecard["verdict"] != NO_VERDICT).sum()
    headline = f"Run '{run}': {count} of {tests} tests reproduced."
    if departures:
        lines = [f"Run '{run}'.", *textwrap.wrap(stated(departures), WIDTH), ""]
    else:
        lines = [headline, *textwrap.wrap(pattern(scorecard), WIDTH), ""]
    for name, rows in select(accuracy, image="cluttered").groupby("interaction", sort=False):
        mean = band(rows["accuracy"])
        interval = "" if mean.instances < 2 else f" [{mean.low:.3f}, {mean.high:.3f}]"
        lines.append(
            f"  test accuracy, {name}: {mean.mean:.3f}{interval}, {mean.instances} network(s)"
        )
    for claim, text in CLAIMS.items():
        title = f"({claim}) {text}" if len(claim) == 1 else text
        lines += ["", *textwrap.wrap(title, WIDTH)]
        claim_rows = select(scorecard, claim=claim)
        if claim_rows.empty:
            lines.append("      not tested: this run has no data for it")
        for name, part in claim_rows.groupby("interaction", sort=False):
            counts = part["verdict"].value_counts()
            verdicts = ", ".join(f"{counts[v]} {v}" for v in VERDICTS if v in counts)
            lines.append(f"      {name:<15} {verdicts}")
    lines += [""] + [
        line
        for verdict, text in EXPLANATIONS.items()
        if verdict in set(scorecard["verdict"])
        for line in textwrap.wrap(f"'{verdict}': {text}", WIDTH)
    ]
    return "\n".join(lines).rstrip() + "\n"

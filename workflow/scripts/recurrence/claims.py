"""The scorecard: the paper's claims and numbers, tested on a run (SPEC 6). Imports no torch.

Each claim is one generator below; its docstring states the rule, and every row it yields repeats
that rule as a plain sentence in the column ``criterion``.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from recurrence.names import AUXILIARY, CHANCE, GROUPS, LAYERS, PUBLISHED_INTERACTIONS
from recurrence.statistics import Evidence, Tables, Values, band, gather, row_of, select
from recurrence.verdicts import (
    AXES,
    NOT_REPRODUCED,
    REPRODUCED,
    SHORT_OF_TRAINING,
    TOO_FEW,
    Case,
    agrees,
    exceeds,
    sampling_error,
)

# Functional importance below this counts as none (published at fc: at most 0.012).
SLIGHT_IMPORTANCE = 0.02
# Accuracy lost by an ablation below this counts as none.
SLIGHT_LOSS = 0.01

CLAIMS = {
    "a": "Auxiliary information is decodable above chance in every layer at every timestep, and "
    "grows with time.",
    "b": "Auxiliary information is present in the recurrent flow to every layer, and grows with "
    "time.",
    "c": "Location is functionally important at the input at t = 3 and 4 in the multiplicative "
    "network.",
    "d": "Location, orientation, scale and category are functionally important at conv1 and conv2.",
    "e": "Nothing is functionally important at fc, and ablating the fc lateral connection costs "
    "no accuracy.",
    "f": "Clutter is reduced at the input over time by the multiplicative network, and not "
    "comparably by the additive.",
    "g": "Between-domain category importance is equal to or higher than within-domain.",
    "numbers": "The published numbers themselves.",
}
COLUMNS = (
    "claim",
    "interaction",
    "quantity",
    "published",
    "reproduced",
    "low",
    "high",
    "instances",
    "verdict",
    "published_low",
    "published_high",
    "tolerance",
    "criterion",
)

Rows = Iterator[dict[str, object]]
UNKNOWN = band([])


def _decodable(case: Case, claim: str, source: str) -> Rows:
    """Per layer: the weakest variable and timestep above chance; the last above the first."""
    name = "activation" if source == "activation" else "recurrent flow"
    timesteps = case.timesteps(source)
    for layer in LAYERS:
        cells = [(variable, t) for variable in AUXILIARY for t in timesteps]
        ours = {cell: band(case.ours.decoded(source, layer, *cell)) for cell in cells}
        ours = {cell: found for cell, found in ours.items() if found.instances}
        if not ours:
            continue
        cell = min(ours, key=lambda known: ours[known].lower)
        scenes = case.ours.trials["decoding"]
        sampling = {
            (variable, t): sampling_error(found.mean, AXES.get(variable, 1) * scenes)
            for (variable, t), found in ours.items()
        }
        yield case.row(
            claim,
            f"lowest auxiliary decoding, {layer} {name} ({cell[0]}, t = {cell[1]})",
            ours[cell],
            band(case.published.decoded(source, layer, *cell)),
            all(exceeds(found, CHANCE[known[0]], sampling[known]) for known, found in ours.items()),
            "The interval lies above chance (0.5) for location, scale and orientation at every "
            "timestep; the weakest of them is shown.",
            tolerance=sampling[cell],
        )
        if len(timesteps) > 1:
            first, last = timesteps[0], timesteps[-1]
            growth, known = (
                band(e.auxiliary(source, [layer], last) - e.auxiliary(source, [layer], first))
                for e in (case.ours, case.published)
            )
            if not growth.instances:
                continue
            # As if both moments had scenes of their own; they share them, so it is less.
            end = band(case.ours.auxiliary(source, [layer], last)).mean
            error = float(np.sqrt(2)) * sampling_error(end, len(AUXILIARY) * scenes)
            yield case.row(
                claim,
                f"growth of auxiliary decoding, {layer} {name} (t = {last} minus t = {first})",
                growth,
                known,
                exceeds(growth, 0, error),
                "The change of the mean over location, scale and orientation from the first to "
                "the last timestep, taken within each instance, has an interval above 0.",
                tolerance=error,
            )


def claim_a(case: Case) -> Rows:
    """Activations: above chance everywhere; last timestep above first, paired per instance."""
    return _decodable(case, "a", "activation")


def claim_b(case: Case) -> Rows:
    """Recurrent flow to every layer: the rules of (a) from t = 2 on."""
    return _decodable(case, "b", "recurrent_flow")


def claim_c(case: Case) -> Rows:
    """Multiplicative: location importance at the input at t = 3, 4 has an interval above 0."""
    for t in (3, 4) if case.interaction == "multiplicative" else ():
        ours = band(case.ours.important("input", "location", t))
        if ours.instances:
            sampling = case.importance_error(ours, "location")
            yield case.row(
                "c",
                f"location importance, input (t = {t})",
                ours,
                band(case.published.important("input", "location", t)),
                exceeds(ours, 0, sampling),
                "The functional importance of location at the input has an interval above 0.",
                tolerance=sampling,
            )


def claim_d(case: Case) -> Rows:
    """Each variable at conv1 and conv2: at its strongest timestep the interval is above 0.

    Choosing the best timestep favours the claim a little. A correction for it would reject one of
    the published rows (scale at conv1, additive, [0.001, 0.066]), so that none is made, and the
    criterion says so.
    """
    timesteps = sorted({t for _, _, t in case.ours.importance.index})
    for layer in ("conv1", "conv2"):
        for variable in ("location", "orientation", "scale", "category"):
            found = {t: band(case.ours.important(layer, variable, t)) for t in timesteps}
            found = {t: known for t, known in found.items() if known.instances}
            if not found:
                continue
            t = max(found, key=lambda known: found[known].mean)
            sampling = case.importance_error(found[t], variable)
            yield case.row(
                "d",
                f"strongest {variable} importance, {layer} (t = {t})",
                found[t],
                band(case.published.important(layer, variable, t)),
                exceeds(found[t], 0, sampling),
                "At the timestep at which the functional importance is strongest its interval "
                f"lies above 0 (the best of {len(found)} timesteps is taken, with no correction "
                "for the choice).",
                tolerance=sampling,
            )


def claim_e(case: Case) -> Rows:
    """At fc no importance of 0.02 or more with an interval above 0; the ablation loses < 0.01."""
    cells = [
        (layer, variable, t) for layer, variable, t in case.ours.importance.index if layer == "fc"
    ]
    found = {cell: band(case.ours.important(*cell)) for cell in cells}
    if found:
        cell = max(found, key=lambda known: found[known].mean)
        yield case.row(
            "e",
            f"strongest importance of all, fc ({cell[1].replace('_', ' ')}, t = {cell[2]})",
            found[cell],
            band(case.published.important(*cell)),
            all(known.lower <= 0 or known.mean < SLIGHT_IMPORTANCE for known in found.values()),
            f"Every variable and timestep at fc has an importance below {SLIGHT_IMPORTANCE} or an "
            "interval that reaches 0; the strongest is shown.",
            absence=True,
        )
    drop = band(case.ours.drop)
    if drop.instances:
        yield case.row(
            "e",
            "accuracy lost without the fc lateral connection",
            drop,
            UNKNOWN,
            drop.lower <= 0 or drop.mean < SLIGHT_LOSS,
            "The accuracy lost is below one percentage point, or its interval reaches 0. (The "
            "paper gives no number.)",
            absence=True,
        )


def claim_f(case: Case) -> Rows:
    """Multiplicative: clutter left at the last timestep below 1; additive: < half as reduced."""
    if case.ours.clutter.empty or case.ours.clutter.index.max() < 2:
        return
    last = int(case.ours.clutter.index.max())
    left = band(row_of(case.ours.clutter, last))
    quantity = f"clutter left at the input (t = {last}, t = 1 is 1)"
    if case.interaction == "multiplicative":
        yield case.row(
            *("f", quantity, left, UNKNOWN, left.upper < 1),
            "The share of the input map's energy outside the target, relative to t = 1, has an "
            "interval below 1. (The paper shows pictures, no number.)",
        )
    elif case.other is not None and last in case.other.clutter.index:
        reference = 1 - band(row_of(case.other.clutter, last)).mean
        yield case.row(
            *("f", quantity, left, UNKNOWN, reference > 0 and 1 - left.lower < reference / 2),
            f"The reduction is less than half of the multiplicative network's ({reference:.3f}), "
            "even at the lower end of the interval. (The paper shows pictures, no number.)",
            absence=True,
        )


def claim_g(case: Case) -> Rows:
    """Per convolution: category matters, and between minus within (mean over time) is not < 0."""
    timesteps = sorted(
        {t for _, _, t in case.ours.importance.index}
        & {t for _, _, t in case.published.importance.index}
    )

    def over_time(evidence: Evidence, layer: str, variable: str) -> Values:
        cells = [evidence.important(layer, variable, t) for t in timesteps]
        return np.asarray(np.mean(cells, axis=0))

    for layer in ("conv1", "conv2") if timesteps else ():
        ours, published = (
            band(over_time(e, layer, "category_between") - over_time(e, layer, "category_within"))
            for e in (case.ours, case.published)
        )
        if ours.instances:
            matters = band(over_time(case.ours, layer, "category"))
            sampling = case.importance_error(matters, "category")
            yield case.row(
                "g",
                f"category importance, between minus within, {layer} (mean over time)",
                ours,
                published,
                exceeds(matters, 0, sampling) and ours.upper >= 0,
                "The difference, taken within each instance, has an interval that is not wholly "
                "below 0, and category importance itself has an interval above 0.",
                tolerance=sampling,
            )


def published_numbers(case: Case) -> Rows:
    """Compare the numbers of SPEC 6: ours, widened by sampling error, overlap the published."""
    evidence = (case.ours, case.published)
    decoding, importance = case.ours.trials["decoding"], case.ours.trials["importance"]

    def compare(quantity: str, values: list[Values], trials: int, slight: float = -np.inf) -> Rows:
        ours, published = map(band, values)
        if not (ours.instances and published.instances):
            return
        sampling = sampling_error(ours.mean, trials)
        rule = (
            "The interval overlaps the published one over five instances"
            if ours.instances > 1
            else "The value lies in the range of a single published instance"
        )
        yield case.row(
            "numbers",
            quantity,
            ours,
            published,
            agrees(ours, published, sampling),
            f"{rule}.",
            absence=abs(published.mean) < slight,
            tolerance=sampling,
        )

    yield from compare(
        "test accuracy", [e.accuracy for e in evidence], case.ours.trials["accuracy"]
    )
    for t in case.timesteps("activation"):
        yield from compare(
            f"auxiliary decoding, mean over layers (t = {t})",
            [e.auxiliary("activation", LAYERS, t) for e in evidence],
            decoding * len(AUXILIARY),
        )
    for t in case.timesteps("activation"):
        yield from compare(
            f"category decoding, fc (t = {t})",
            [e.decoded("activation", "fc", "category", t) for e in evidence],
            decoding,
        )
    for layer, variable in (
        ("input", "location"),
        ("conv1", "location"),
        ("conv1", "category"),
        ("conv2", "category"),
    ):
        for t in (2, 3, 4):
            yield from compare(
                f"{variable} importance, {layer} (t = {t})",
                [e.important(layer, variable, t) for e in evidence],
                importance * AXES[variable],
                slight=SLIGHT_IMPORTANCE,
            )


def scene_numbers(scene_decoding: pd.DataFrame, published: list[Evidence]) -> Rows:
    """Compare read-outs from the scenes themselves with the published ones from the input, t = 1.

    They need no training, so a failure is never for want of it. Our interval is over repeats on
    different scenes; the published one is over all networks of both interactions.
    """
    table = scene_decoding.assign(variable=scene_decoding["variable"].replace(GROUPS))
    repeats = table.groupby(["variable", "repeat"])["accuracy"].mean()
    for variable in ("category", *AUXILIARY):
        if variable not in repeats.index.get_level_values("variable"):
            continue
        ours = band(repeats[variable])
        theirs = band(
            np.concatenate([e.decoded("activation", "input", variable, 1) for e in published])
        )
        yield Case("scenes alone", published[0], published[0]).row(
            "numbers",
            f"{variable} decoding, input (t = 1)",
            ours,
            theirs,
            agrees(ours, theirs, 0.0),
            "The interval over repeats overlaps the published one over networks. This depends on "
            "scenes and read-out alone, not on training.",
            trained=False,
        )


JUDGES = (claim_a, claim_b, claim_c, claim_d, claim_e, claim_f, claim_g, published_numbers)


def score(ours: Tables, published: Tables, scored: int, perturbed: int) -> pd.DataFrame:
    """Test each claim and published number, for each interaction that the paper has.

    ``scored`` and ``perturbed`` are the test scenes per repeat of decoding and of perturbation.

    A claim that fails counts as 'not reproduced', or as 'too few iterations to tell' when the
    networks' mean test accuracy is more than 10 percentage points below the published one. What the
    run has no data for has no row.
    """
    present = [
        name for name in PUBLISHED_INTERACTIONS if (ours.accuracy["interaction"] == name).any()
    ]
    evidence = {name: gather(ours, name, scored, perturbed) for name in present}
    cases = [
        Case(
            name,
            evidence[name],
            gather(published, name),
            next((evidence[o] for o in present if o != name), None),
        )
        for name in present
    ]
    rows = [row for judge in JUDGES for case in cases for row in judge(case)]
    if ours.scene_decoding is not None:
        known = [gather(published, name) for name in PUBLISHED_INTERACTIONS]
        rows += scene_numbers(ours.scene_decoding, known)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def summary(scorecard: pd.DataFrame, accuracy: pd.DataFrame, run: str) -> str:
    """Tell in plain text the accuracies and how many rows of each claim were reproduced."""
    lines = [
        f"Run '{run}': {(scorecard['verdict'] == REPRODUCED).sum()} of {len(scorecard)} tests "
        "reproduced",
        "",
    ]
    for name, rows in select(accuracy, image="cluttered").groupby("interaction", sort=False):
        found = band(rows["accuracy"])
        interval = "" if found.instances < 2 else f" [{found.low:.3f}, {found.high:.3f}]"
        lines.append(
            f"  test accuracy, {name}: {found.mean:.3f}{interval}, {found.instances} network(s)"
        )
    for claim, text in CLAIMS.items():
        lines += ["", f"({claim}) {text}" if len(claim) == 1 else text]
        rows = scorecard[scorecard["claim"] == claim]
        if rows.empty:
            lines.append("      not tested: this run has no data for it")
        for name, part in rows.groupby("interaction", sort=False):
            counts = part["verdict"].value_counts()
            verdicts = ", ".join(
                f"{counts[v]} {v}" for v in (REPRODUCED, NOT_REPRODUCED, TOO_FEW) if v in counts
            )
            lines.append(f"      {name:<15} {verdicts}")
    if TOO_FEW in set(scorecard["verdict"]):
        lines += [
            "",
            f"'{TOO_FEW}': the test accuracy is more than {100 * SHORT_OF_TRAINING:.0f} points below "
            "the published one. In such",
            "networks neither a missing effect tells anything, nor one that is missing as published.",
        ]
    return "\n".join(lines) + "\n"

"""The paper's claims, (a) to (g), as tests of the scorecard. Imports no torch.

Each claim is a generator of tests. The criterion of a test states its rule. docs/statistics.md
explains the rules and gives their error rates.
"""

from collections.abc import Iterator
from dataclasses import replace

from recurrence.names import AUXILIARY, CHANCE, LAYERS, PERTURBED_VARIABLES
from recurrence.statistics import Evidence, Measurement, average
from recurrence.verdicts import (
    NOT_REPRODUCED,
    REPRODUCED,
    UNPUBLISHED,
    Case,
    Check,
    Interval,
    Rule,
    Spread,
    above,
    absent,
)

# The smallest effects that count.
SMALLEST_GROWTH = 0.02  # of decoding accuracy
SMALLEST_IMPORTANCE = 0.04
SMALLEST_DIFFERENCE = 0.02  # of importance, between and within
SMALLEST_LOSS = 0.02  # of accuracy
SMALLEST_REDUCTION = 0.10  # of clutter
# How much networks differ where nothing was published: assumed, with the weight of five published networks.
CLUTTER_SPREAD = Spread(0.015, 4)
LOSS_SPREAD = Spread(0.003, 4)

CLAIMS = {
    "distance": "The whole pattern: all published cells of decoding and of importance.",
    "a": "Auxiliary information (location, scale, orientation) is decodable above chance in every "
    "layer at every timestep, and grows with time.",
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
    "controls": "Beyond the paper: recurrent networks against feedforward ones, also with as many parameters or "
    "as much arithmetic.",
}

Checks = Iterator[Check]


def _decodable(case: Case, claim: str, source: str) -> Checks:
    """Two tests for each layer: its weakest variable and timestep, and its growth."""
    name, timesteps = source.replace("_", " "), case.timesteps(source)
    for layer in LAYERS:
        weakest = _weakest(case, claim, source, layer)
        if weakest is None:
            continue
        yield weakest
        first, last = timesteps[0], timesteps[-1]
        ours, published = (
            e.auxiliary(source, [layer], last) - e.auxiliary(source, [layer], first)
            for e in (case.ours, case.published)
        )
        if last > first:
            rule = above(
                SMALLEST_GROWTH,
                "The mean over location, scale and orientation grows from the first to the "
                f"last timestep, within each network: by more than {SMALLEST_GROWTH}.",
            )
            quantity = (
                f"growth of auxiliary decoding, {layer} {name} (t = {last} minus t = {first})"
            )
            yield Check(claim, quantity, rule, ours, published)


def _weakest(case: Case, claim: str, source: str, layer: str) -> Check | None:
    """The decoder of a layer that is least above chance. If it is above chance, all of them are.

    One that is certainly below chance comes first, then one that the run lacks.
    """
    checks = []
    for variable in AUXILIARY:
        rule = above(
            CHANCE[variable],
            "Location, scale and orientation are decoded above chance (0.5) at every timestep; "
            "the least certain of them is shown.",
        )
        for t in case.timesteps(source):
            ours, published = (
                e.decoded(source, layer, variable, t) for e in (case.ours, case.published)
            )
            name = source.replace("_", " ")
            quantity = f"lowest auxiliary decoding, {layer} {name} ({variable}, t = {t})"
            if published.sample.size:
                checks.append(Check(claim, quantity, rule, ours, published))

    def order(check: Check) -> tuple[bool, bool, float]:
        known = check.ours.sample.size > 0
        return not (known and check.interval.high < check.rule.lower), known, check.interval.low

    return min(checks, key=order, default=None)


def claim_a(case: Case) -> Checks:
    """Decoding from activations."""
    return _decodable(case, "a", "activation")


def claim_b(case: Case) -> Checks:
    """Decoding from the recurrent flow to every layer."""
    return _decodable(case, "b", "recurrent_flow")


def claim_c(case: Case) -> Checks:
    """Location at the input of the multiplicative networks."""
    rule = above(
        SMALLEST_IMPORTANCE,
        f"The functional importance of location at the input is more than {SMALLEST_IMPORTANCE}.",
    )
    for t in {3, 4}.intersection(case.perturbed_timesteps):
        ours, published = (e.important("input", "location", t) for e in (case.ours, case.published))
        if case.interaction == "multiplicative" and ours.sample.size:
            quantity = f"location importance, input (t = {t})"
            yield Check("c", quantity, rule, ours, published)


def claim_d(case: Case) -> Checks:
    """Each variable at conv1 and conv2, at its strongest timestep.

    If the published networks pass at no timestep, there is nothing to reproduce and no test.
    """
    timesteps = case.perturbed_timesteps
    rule = above(
        SMALLEST_IMPORTANCE,
        f"At its strongest timestep the functional importance is more than {SMALLEST_IMPORTANCE}; "
        f"its interval allows for the choice among {len(timesteps)} timesteps (Bonferroni). "
        "Variables for which the published networks fail this test are left out.",
        tests=len(timesteps),
    )
    for layer in ("conv1", "conv2"):
        for variable in PERTURBED_VARIABLES:
            ours, published = (
                {t: e.important(layer, variable, t) for t in timesteps}
                for e in (case.ours, case.published)
            )
            passes = any(
                rule.verdict(each, Spread.between(each.sample)) == REPRODUCED
                for each in published.values()
            )
            there = {t: each for t, each in ours.items() if each.sample.size}
            if there and passes:
                t, theirs = (max(some, key=lambda t: some[t].mean) for some in (there, published))
                quantity = f"strongest {variable} importance, {layer} (t = {t})"
                yield Check("d", quantity, rule, ours[t], published[theirs])


def claim_e(case: Case) -> Checks:
    """Importance at fc, and the ablation of its lateral connection."""
    rule = absent(
        SMALLEST_IMPORTANCE,
        f"Every importance at fc is between -{SMALLEST_IMPORTANCE} and {SMALLEST_IMPORTANCE} "
        "(equivalence test); the one that comes closest to a limit is shown. If one is not, the intervals allow for "
        "the choice among all (Bonferroni).",
    )
    checks = []
    for layer, t, variable in case.ours.importance.index:
        ours, published = (e.important(layer, variable, t) for e in (case.ours, case.published))
        if layer == "fc" and published.sample.size and ours.sample.size:
            quantity = f"importance at fc ({variable.replace('_', ' ')}, t = {t})"
            checks.append(Check("e", quantity, rule, ours, published))
    if any(check.verdict != REPRODUCED for check in checks):
        corrected = replace(rule, tests=len(checks))
        checks = [replace(check, rule=corrected) for check in checks]

    def order(check: Check) -> tuple[bool, float]:
        return check.verdict == NOT_REPRODUCED, max(-check.interval.low, check.interval.high)

    if checks:
        yield max(checks, key=order)
    if case.ours.loss.sample.size:
        rule = absent(
            SMALLEST_LOSS,
            f"The accuracy lost is between -{SMALLEST_LOSS} and {SMALLEST_LOSS} (equivalence test). "
            "(The paper gives no number.)",
        )
        quantity = "accuracy lost without the fc lateral connection"
        yield Check("e", quantity, rule, case.ours.loss, UNPUBLISHED, LOSS_SPREAD)


def claim_f(case: Case) -> Checks:
    """Clutter left at the input at the last timestep."""
    if case.ours.clutter.empty or case.ours.clutter.index.max() < 2:
        return
    last = int(case.ours.clutter.index.max())
    rule = Rule(
        "The share of the input map's energy outside the target, relative to t = 1, is below "
        f"{1 - SMALLEST_REDUCTION:g}. (The paper shows pictures, no number.)",
        upper=1 - SMALLEST_REDUCTION,
    )
    if case.interaction == "additive":
        comparable = SMALLEST_REDUCTION
        if case.other is not None and last in case.other.clutter.index:
            least = 1 - Interval.of(case.other.clutter_left(last), CLUTTER_SPREAD).high
            if least > SMALLEST_REDUCTION:
                comparable = least / 2
        rule = Rule(
            "Clutter is reduced by less than half of what the multiplicative networks reduce it by at least; by less "
            f"than {SMALLEST_REDUCTION:g} if these do not, or are not there. (The paper shows pictures, no number.)",
            lower=1 - comparable,
            absence=True,
        )
    quantity = f"clutter left at the input (t = {last}, t = 1 is 1)"
    yield Check("f", quantity, rule, case.ours.clutter_left(last), UNPUBLISHED, CLUTTER_SPREAD)


def claim_g(case: Case) -> Checks:
    """Category importance, between minus within the datasets, mean over time."""
    timesteps = case.perturbed_timesteps

    def over_time(evidence: Evidence, layer: str, variable: str) -> Measurement:
        return average([evidence.important(layer, variable, t) for t in timesteps])

    rule = above(
        -SMALLEST_DIFFERENCE,
        "Category importance between domains is not lower than within, by "
        f"{SMALLEST_DIFFERENCE:g} or more; and category importance itself is more than "
        f"{SMALLEST_IMPORTANCE}.",
    )
    matters = above(SMALLEST_IMPORTANCE, "")
    for layer in ("conv1", "conv2") if timesteps else ():
        ours, published = (
            over_time(e, layer, "category_between") - over_time(e, layer, "category_within")
            for e in (case.ours, case.published)
        )
        if ours.sample.size:
            here, there = (over_time(e, layer, "category") for e in (case.ours, case.published))
            whole = Check("g", "category importance", matters, here, there)
            quantity = f"category importance, between minus within, {layer} (mean over time)"
            yield Check("g", quantity, rule, ours, published, others=(whole.verdict,))


JUDGES = (claim_a, claim_b, claim_c, claim_d, claim_e, claim_f, claim_g)

"""How a row of the scorecard is judged: intervals, limits, verdicts. Imports no torch.

One rule holds for all rows: the 95 % interval of what a run measured has to lie between the row's
limits. docs/statistics.md gives the reasons, and how often each row errs.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from recurrence.statistics import Evidence, Measurement, Values

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
CANNOT_TELL = "cannot tell"
TOO_FEW = "too few iterations to tell"
WORST_FIRST = (NOT_REPRODUCED, CANNOT_TELL, REPRODUCED)
# A failed claim tells nothing about networks whose test accuracy is this far below the published one.
SHORT_OF_TRAINING = 0.10
CONFIDENCE = 0.95
# So many networks, as many as the paper has, speak for themselves about their spread.
FEW = 5
# A number agrees within so many standard deviations between the published networks.
REACH = 2.5


@dataclass(frozen=True)
class Spread:
    """The standard deviation between networks, and its degrees of freedom."""

    deviation: float
    freedom: int

    @classmethod
    def between(cls, published: Values) -> "Spread":
        """The spread of the published networks."""
        return cls(float(published.std(ddof=1)), published.size - 1)


@dataclass(frozen=True)
class Interval:
    """A mean over networks and its 95 % interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: Measurement, spread: Spread, tests: int = 1, others: int = 0) -> "Interval":
        """Student's interval of a mean over networks, widened by the error of their test scenes.

        Fewer networks than :data:`FEW` do not tell how much they differ: their variance is pooled
        with that of ``spread``. ``tests`` of which the best is taken share the 5 % (Bonferroni).
        With ``others`` it is the interval of the difference to a mean over so many published
        networks, placed around ours; both variances are pooled.
        """
        sample = ours.sample
        prior = spread.freedom if others or sample.size < FEW else 0
        freedom = prior + sample.size - 1
        squares = prior * spread.deviation**2 + ((sample - sample.mean()) ** 2).sum()
        level = 1 - (1 - CONFIDENCE) / 2 / tests
        networks = np.sqrt(squares / freedom * (1 / sample.size + (1 / others if others else 0)))
        half = float(np.hypot(stdtrit(freedom, level) * networks, ndtri(level) * ours.error))
        return cls(ours.mean, ours.mean - half, ours.mean + half)


@dataclass(frozen=True)
class Rule:
    """The limits between which an interval has to lie (nan: there is none), and the rule in words.

    ``absence`` marks a rule that networks without the effect fulfil; ``trained`` is false for what
    does not depend on training; ``tests`` and ``others`` are those of :meth:`Interval.of`.
    """

    criterion: str
    lower: float = float("nan")
    upper: float = float("nan")
    absence: bool = False
    trained: bool = True
    tests: int = 1
    others: int = 0

    @property
    def margin(self) -> float:
        """Half the distance of two limits."""
        return (self.upper - self.lower) / 2

    def interval(self, ours: Measurement, spread: Spread) -> Interval:
        """The interval that this rule judges."""
        return Interval.of(ours, spread, self.tests, self.others)

    def verdict(self, ours: Measurement, spread: Spread, published: float = float("nan")) -> str:
        """Judge a measurement.

        Reproduced: the interval lies between the limits. Not reproduced: it does not, and lies beyond
        one or leaves out what is expected: the middle of two limits (no effect, the published value),
        or the ``published`` value where there is one limit. Else it cannot be told.
        """
        if not ours.sample.size or not np.isfinite(ours.error):
            return CANNOT_TELL
        interval = self.interval(ours, spread)
        if not (interval.low <= self.lower or interval.high >= self.upper):
            return REPRODUCED
        middle = (self.lower + self.upper) / 2
        expected = published if np.isnan(middle) else middle
        short = interval.high < self.lower or interval.high < expected
        beyond = interval.low > self.upper or interval.low > expected
        return NOT_REPRODUCED if short or beyond else CANNOT_TELL


def above(limit: float, criterion: str, tests: int = 1) -> Rule:
    """A rule for an effect: more than ``limit``."""
    return Rule(criterion, lower=limit, tests=tests)


def absent(limit: float, criterion: str) -> Rule:
    """An equivalence test for no effect: less than ``limit`` to either side."""
    return Rule(criterion, lower=-limit, upper=limit, absence=True)


def agreement(published: Measurement, smallest: float) -> Rule:
    """An equivalence test for a published number.

    The margin is the ``smallest`` difference that counts or, where the published networks lie far
    apart, :data:`REACH` of their standard deviations; but no more than the published value, so that
    no effect never agrees with one.
    """
    mean, deviation = published.mean, Spread.between(published.sample).deviation
    margin = max(smallest, min(REACH * deviation, abs(mean)))
    return Rule(
        f"Ours and the published mean differ by less than a margin: {smallest:g}, or {REACH:g} "
        "standard deviations of the published networks where that is more, but no more than the "
        "published value. The interval is that of the difference, around ours.",
        lower=mean - margin,
        upper=mean + margin,
        absence=abs(mean) < smallest,
        others=published.sample.size,
    )


@dataclass(frozen=True)
class Case:
    """An interaction to be judged: our evidence, the published, the run's other interaction."""

    interaction: str
    ours: Evidence
    published: Evidence
    other: Evidence | None = None

    @property
    def short(self) -> bool:
        """Whether our test accuracy is so far below the published that failing tells nothing."""
        return self.ours.accuracy.mean < self.published.accuracy.mean - SHORT_OF_TRAINING

    def timesteps(self, source: str) -> list[int]:
        """Timesteps of read-outs that both have."""
        return sorted({*self.ours.timesteps(source)} & {*self.published.timesteps(source)})

    @property
    def perturbed_timesteps(self) -> list[int]:
        """Timesteps of perturbations that both have."""
        ours, published = (e.importance.index for e in (self.ours, self.published))
        return sorted({t for _, t, _ in ours} & {t for _, t, _ in published})


UNPUBLISHED = Measurement(np.empty(0))


@dataclass(frozen=True)
class Check:
    """A test of the scorecard: what is measured, and the rule that it has to fulfil.

    ``spread`` is that of the published networks, or one that is assumed where nothing was
    published; ``others`` are the verdicts on what has to hold beside the value that is shown.
    """

    claim: str
    quantity: str
    rule: Rule
    ours: Measurement
    published: Measurement
    spread: Spread
    others: tuple[str, ...] = ()

    @property
    def interval(self) -> Interval:
        """The interval that is judged."""
        return self.rule.interval(self.ours, self.spread)

    @property
    def verdict(self) -> str:
        """The verdict, whatever the networks' training."""
        verdicts = (
            self.rule.verdict(self.ours, self.spread, self.published.mean),
            *self.others,
        )
        return min(verdicts, key=WORST_FIRST.index)

    def row(self, case: Case) -> "Row":
        """The row of the scorecard."""
        verdict, rule = self.verdict, self.rule
        tells_nothing = verdict == NOT_REPRODUCED or (rule.absence and verdict == REPRODUCED)
        if rule.trained and case.short and tells_nothing:
            verdict = TOO_FEW
        interval = self.interval
        return Row(
            claim=self.claim,
            interaction=case.interaction,
            quantity=self.quantity,
            published=self.published.mean,
            reproduced=interval.mean,
            low=interval.low,
            high=interval.high,
            instances=self.ours.sample.size,
            verdict=verdict,
            lower_limit=rule.lower,
            upper_limit=rule.upper,
            sampling_error=self.ours.error,
            criterion=rule.criterion,
        )


@dataclass(frozen=True)
class Row:
    """A row of the scorecard: what was measured, its interval, its limits, and the verdict."""

    claim: str
    interaction: str
    quantity: str
    published: float
    reproduced: float
    low: float
    high: float
    instances: int
    verdict: str
    lower_limit: float
    upper_limit: float
    sampling_error: float  # the standard error of the mean by the finite number of test scenes
    criterion: str

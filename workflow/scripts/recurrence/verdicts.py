"""How rows of the scorecard are judged: intervals, limits, verdicts. Imports no torch.

All rows follow one rule: the 95 % interval of the measured value must lie between the row's limits.
docs/statistics.md gives the reasons, and the error rate of each row.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from recurrence.statistics import Evidence, Measurement, Values

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
CANNOT_TELL = "cannot tell"
TOO_FEW = "too few iterations to tell"
NO_VERDICT = "no verdict"
WORST_FIRST = (NOT_REPRODUCED, TOO_FEW, CANNOT_TELL, REPRODUCED, NO_VERDICT)
# If test accuracy is this far below the published one, a failed claim shows nothing.
SHORT_OF_TRAINING = 0.10
CONFIDENCE = 0.95
# With this many networks (as in the paper) their own spread is used alone.
FEW = 5
# A number agrees if it is within this many standard deviations of the published networks.
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

        Fewer networks than :data:`FEW` do not show how much they differ, so their variance is pooled
        with that of ``spread``. If the best of several ``tests`` is used, they share the 5 %
        (Bonferroni). With ``others`` it is the interval of the difference from a mean over so many
        published networks, placed around ours; both variances are pooled. Without a finite mean it is nan.
        """
        sample = ours.sample
        if not np.isfinite(ours.mean):
            return cls(float("nan"), float("nan"), float("nan"))
        prior = spread.freedom if others or sample.size < FEW else 0
        freedom = prior + sample.size - 1
        squares = prior * spread.deviation**2 + ((sample - sample.mean()) ** 2).sum()
        networks = np.sqrt(squares / freedom * (1 / sample.size + (1 / others if others else 0)))
        return cls.around(ours.mean, networks, freedom, ours.error, tests)

    @classmethod
    def around(
        cls, mean: float, networks: float, freedom: float, scenes: float, tests: int = 1
    ) -> "Interval":
        """Student's interval from the standard error over ``networks``, widened by that over test ``scenes``."""
        level = 1 - (1 - CONFIDENCE) / 2 / tests
        half = float(np.hypot(stdtrit(freedom, level) * networks, ndtri(level) * scenes))
        return cls(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Rule:
    """The limits between which an interval must lie (nan: no limit), and the rule in words.

    ``absence`` marks a rule that networks without the effect pass; ``trained`` is false if the value
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
        """Half the distance between the two limits."""
        return (self.upper - self.lower) / 2

    def interval(self, ours: Measurement, spread: Spread) -> Interval:
        """The interval that this rule judges."""
        return Interval.of(ours, spread, self.tests, self.others)

    def verdict(self, ours: Measurement, spread: Spread, published: float = float("nan")) -> str:
        """Judge a measurement.

        Reproduced: the interval lies between the limits. Not reproduced: it does not, and it either
        lies beyond a limit or does not include the expected value. Expected is the middle of two
        limits (no effect, or the published value); a value that needs only be large should reach ``published``.
        Otherwise the test cannot tell.
        """
        if not np.isfinite([ours.mean, ours.error]).all():
            return CANNOT_TELL
        interval = self.interval(ours, spread)
        if not (interval.low <= self.lower or interval.high >= self.upper):
            return REPRODUCED
        middle = (self.lower + self.upper) / 2  # nan with one limit
        expected = published if np.isnan(middle) else middle
        short = interval.high < self.lower or interval.high < expected
        beyond = interval.low > self.upper or interval.low > middle
        return NOT_REPRODUCED if short or beyond else CANNOT_TELL


def above(limit: float, criterion: str, tests: int = 1) -> Rule:
    """A rule for an effect: more than ``limit``."""
    return Rule(criterion, lower=limit, tests=tests)


def absent(limit: float, criterion: str) -> Rule:
    """An equivalence test for no effect: less than ``limit`` to either side."""
    return Rule(criterion, lower=-limit, upper=limit, absence=True)


def agreement(published: Measurement, smallest: float, chance: float | None = None) -> Rule:
    """An equivalence test for a published number.

    The margin is the ``smallest`` difference that counts or, if the published networks differ much, :data:`REACH` of
    their standard deviations. It is at most the published effect, the distance to ``chance``, so that no effect never
    agrees with an effect. Without chance that is 0, and a smaller number than ``smallest`` is no effect.
    """
    mean, deviation = published.mean, Spread.between(published.sample).deviation
    effect = abs(mean - (chance or 0.0))
    absence = chance is None and effect < smallest
    margin = smallest if absence else min(max(smallest, REACH * deviation), effect)
    return Rule(
        f"Ours and the published mean differ by less than a margin: {smallest:g}, or {REACH:g} "
        "standard deviations of the published networks where that is more, but no more than the "
        "published effect. The interval is that of the difference, around ours.",
        lower=mean - margin,
        upper=mean + margin,
        absence=absence,
        others=published.sample.size,
    )


@dataclass(frozen=True)
class Case:
    """An interaction to judge: our evidence, the published evidence, and the run's other interaction."""

    interaction: str
    ours: Evidence
    published: Evidence
    other: Evidence | None = None

    @property
    def short(self) -> bool:
        """Whether our test accuracy is so far below the published one that failing shows nothing."""
        return self.ours.accuracy.mean < self.published.accuracy.mean - SHORT_OF_TRAINING

    def timesteps(self, source: str) -> list[int]:
        """Timesteps at which both were decoded."""
        return sorted({*self.ours.timesteps(source)} & {*self.published.timesteps(source)})

    @property
    def perturbed_timesteps(self) -> list[int]:
        """Timesteps at which both were perturbed."""
        ours, published = (e.importance.index for e in (self.ours, self.published))
        return sorted({t for _, t, _ in ours} & {t for _, t, _ in published})


UNPUBLISHED = Measurement(np.empty(0))


@dataclass(frozen=True)
class Check:
    """A test of the scorecard: a measured value and its rule.

    ``assumed`` is the spread between networks if nothing was published. ``others`` are verdicts on other values that
    must pass too.
    """

    claim: str
    quantity: str
    rule: Rule
    ours: Measurement
    published: Measurement
    assumed: Spread | None = None
    others: tuple[str, ...] = ()

    @property
    def spread(self) -> Spread:
        """The spread between networks that is taken for the published one."""
        return self.assumed or Spread.between(self.published.sample)

    @property
    def interval(self) -> Interval:
        """The interval that is judged."""
        return self.rule.interval(self.ours, self.spread)

    @property
    def verdict(self) -> str:
        """The verdict, without regard to training."""
        verdicts = (
            self.rule.verdict(self.ours, self.spread, self.published.mean),
            *self.others,
        )
        return min(verdicts, key=WORST_FIRST.index)

    def row(self, case: Case) -> "Row":
        """The row of the scorecard."""
        verdict, rule = self.verdict, self.rule
        shows_nothing = verdict == NOT_REPRODUCED or (rule.absence and verdict == REPRODUCED)
        if rule.trained and case.short and shows_nothing:
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
    sampling_error: float  # standard error of the mean due to the finite number of test scenes
    criterion: str
